// SPDX-License-Identifier: Apache-2.0
// Speed of the ops, from the table of cases that the tests use: the rows marked isBenchmark, in every storage type; and
// of attention.
#include "kernels/runtime/runtime.h"
#include "tests/benchmarks/attention_benchmark.h"
#include "tests/benchmarks/rates.h"
#include "tests/kernels/op_case.h"

#include <benchmark/benchmark.h>
#include <fmt/format.h>
#include <memory>

namespace {

using wb::kernels::Runtime;
using wb::kernels::testing::OpCase;
using wb::kernels::testing::RunFunction;
using wb::kernels::testing::TensorBank;

void runCase(benchmark::State& state, const OpCase& c, const RunFunction& run, wb::DType storage) {
    Runtime runtime({});
    TensorBank bank(c.tensors, storage);
    c.forward(runtime.context(), bank);  // backward needs its results
    wb::benchmarks::runWithRates(state, runtime, [&] { run(runtime.context(), bank); });
}

void registerCase(const std::shared_ptr<const OpCase>& c, const char* direction, bool isBackward) {
    for (const wb::DType storage : c->storages) {
        const std::string name = fmt::format("{}/{}/{}", c->name, direction, wb::dtypeName(storage));
        wb::benchmarks::addBenchmark(name, [c, isBackward, storage](benchmark::State& state) {
            runCase(state, *c, isBackward ? c->backward : c->forward, storage);
        });
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
    wb::benchmarks::addAttentionBenchmarks();
    benchmark::Initialize(&argc, argv);
    benchmark::RunSpecifiedBenchmarks();
    benchmark::Shutdown();
    return 0;
}
