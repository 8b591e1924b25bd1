// SPDX-License-Identifier: Apache-2.0
// Speed of the ops, from the table of cases that the tests use: the rows marked isBenchmark, in every storage type.
#include "kernels/runtime/runtime.h"
#include "tests/kernels/op_case.h"

#include <benchmark/benchmark.h>
#include <fmt/format.h>
#include <memory>

namespace {

using wb::kernels::Runtime;
using wb::kernels::testing::OpCase;
using wb::kernels::testing::RunFunction;
using wb::kernels::testing::TensorBank;

// GFLOP/s and GB/s follow from what the op itself says it costs.
void runCase(benchmark::State& state, const OpCase& c, const RunFunction& run, wb::DType storage) {
    Runtime runtime({});
    TensorBank bank(c.tensors, storage);
    c.forward(runtime.context(), bank);  // backward needs its results, and code is generated once
    run(runtime.context(), bank);
    runtime.profiler().setEnabled(true);
    runtime.profiler().reset();
    for (auto _ : state) run(runtime.context(), bank);
    double flops = 0;
    double bytes = 0;
    for (const auto& row : runtime.profiler().summary()) {
        flops += row.flops;
        bytes += row.bytes;
    }
    state.counters["GFLOP/s"] = benchmark::Counter(flops * 1e-9, benchmark::Counter::kIsRate);
    state.counters["GB/s"] = benchmark::Counter(bytes * 1e-9, benchmark::Counter::kIsRate);
}

void registerCase(const std::shared_ptr<const OpCase>& c, const char* direction, bool isBackward) {
    for (const wb::DType storage : c->storages) {
        const std::string name = fmt::format("{}/{}/{}", c->name, direction, wb::dtypeName(storage));
        auto* registered =
            benchmark::RegisterBenchmark(name.c_str(), [c, isBackward, storage](benchmark::State& state) {
                runCase(state, *c, isBackward ? c->backward : c->forward, storage);
            });
        // One thread (taskset -c 0) is timed by its own clock, which other programs on the machine do not disturb.
        if (wb::kernels::availableThreads() > 1) registered->UseRealTime();
    }
}

}  // namespace

int main(int argc, char** argv) {
    for (const auto& table : wb::kernels::testing::opCaseTables()) {
        for (const OpCase& c : table.cases()) {
            if (!c.isBenchmark) continue;
            const auto shared = std::make_shared<const OpCase>(c);
            registerCase(shared, "forward", false);
            if (c.backward) registerCase(shared, "backward", true);
        }
    }
    benchmark::Initialize(&argc, argv);
    benchmark::RunSpecifiedBenchmarks();
    benchmark::Shutdown();
    return 0;
}
