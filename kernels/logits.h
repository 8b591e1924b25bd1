// SPDX-License-Identifier: Apache-2.0
// What samplers ask of one row of logits in host memory. Thread-safe.
#pragma once

#include <cstddef>
#include <span>

namespace wb::kernels {

// log(sum over i of exp(values[i])). -infinity counts nothing; a NaN makes the result NaN. Relative error of the sum
// about 1e-7; the bits depend on the instruction set, not on threads. At least one value.
double logSumExp(std::span<const float> values);

// Where the highest value is, the first of equals. A NaN is never chosen unless there is nothing else. At least one
// value.
size_t highestIndex(std::span<const float> values);

}  // namespace wb::kernels
