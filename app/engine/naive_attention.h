// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>
#include <vector>

#include "app/engine/bench_cuda_attention.h"

namespace wb::app {

// Attention as a plain BF16 program computes it, operation by operation with every result rounded: scores, weights,
// output, their gradients; sums in F32. What its error against the double oracle is, a good kernel may have, too.
// The values of AttentionCase::results() of that shape and seed; without a bias.
std::map<std::string, std::vector<float>> naiveAttention(const kernels::Context& cpu, AttentionCase::Shape shape,
                                                         uint64_t seed);

}  // namespace wb::app
