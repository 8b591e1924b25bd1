// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/runtime/context.h"

#include <omp.h>
#include <algorithm>
#include <cstdint>

namespace wb::kernels::cpu {

// Least work (elements touched, roughly) that pays for waking a second thread.
inline constexpr int64_t kParallelGrain = 16384;

// Splits [0, count) into one contiguous range per thread and calls body(begin, end) for each, in the one OpenMP team.
// Which thread gets what depends on count and context.numThreads alone. `workPerItem` (elements touched by one item)
// keeps small problems on fewer threads. body must not throw.
template <class Body>
void parallelFor(const Context& context, int64_t count, int64_t workPerItem, Body&& body) {
    if (count <= 0) return;
    const int64_t itemsPerThread = std::max<int64_t>(1, kParallelGrain / std::max<int64_t>(1, workPerItem));
    const int64_t useful = (count + itemsPerThread - 1) / itemsPerThread;
    const int threads = static_cast<int>(std::min<int64_t>({useful, count, std::max(1, context.numThreads)}));
    if (threads == 1) {
        body(int64_t{0}, count);
        return;
    }
#pragma omp parallel num_threads(threads)
    {
        // The runtime may grant fewer threads than asked for: the ranges stay those of `threads`.
        const int granted = omp_get_num_threads();
        for (int part = omp_get_thread_num(); part < threads; part += granted) {
            const int64_t begin = count * part / threads;
            const int64_t end = count * (part + 1) / threads;
            if (begin < end) body(begin, end);
        }
    }
}

}  // namespace wb::kernels::cpu
