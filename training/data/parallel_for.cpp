// SPDX-License-Identifier: Apache-2.0
#include "training/data/parallel_for.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

namespace wb::training {

void parallelFor(size_t count, int threads, const std::function<void(size_t)>& work) {
    const size_t cores = threads > 0 ? static_cast<size_t>(threads) : std::max(1U, std::thread::hardware_concurrency());
    std::atomic<size_t> next{0};
    std::exception_ptr failure;
    std::mutex failureMutex;
    const auto run = [&] {
        for (size_t i = next.fetch_add(1); i < count; i = next.fetch_add(1)) {
            try {
                work(i);
            } catch (...) {  // a thread's edge: carried to the caller
                const std::lock_guard lock(failureMutex);
                if (failure == nullptr) failure = std::current_exception();
                next.store(count);
            }
        }
    };
    {
        std::vector<std::jthread> helpers;
        for (size_t i = 1; i < std::min(cores, count); ++i) helpers.emplace_back(run);
        run();
    }
    if (failure != nullptr) std::rethrow_exception(failure);
}

}  // namespace wb::training
