// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/runtime/runtime.h"

#include <benchmark/benchmark.h>
#include <string>

namespace wb::benchmarks {

// Times `body`; GFLOP/s and GB/s follow from what the ops themselves say they cost.
template <class Body>
void runWithRates(benchmark::State& state, kernels::Runtime& runtime, const Body& body) {
    body();  // code is generated and memory touched once
    runtime.profiler().setEnabled(true);
    runtime.profiler().reset();
    for (auto _ : state) body();
    double flops = 0;
    double bytes = 0;
    for (const auto& row : runtime.profiler().summary()) {
        flops += row.flops;
        bytes += row.bytes;
    }
    state.counters["GFLOP/s"] = benchmark::Counter(flops * 1e-9, benchmark::Counter::kIsRate);
    state.counters["GB/s"] = benchmark::Counter(bytes * 1e-9, benchmark::Counter::kIsRate);
}

// One thread (taskset -c 0) is timed by its own clock, which other programs on the machine do not disturb.
template <class Run>
void addBenchmark(const std::string& name, const Run& run) {
    auto* registered = benchmark::RegisterBenchmark(name.c_str(), run);
    if (kernels::availableThreads() > 1) registered->UseRealTime();
}

}  // namespace wb::benchmarks
