// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <functional>

namespace wb::training {

// Calls work(0) ... work(count - 1) on `threads` threads (0: one per core), in any order. The first exception stops the
// rest and is thrown here.
void parallelFor(size_t count, int threads, const std::function<void(size_t)>& work);

}  // namespace wb::training
