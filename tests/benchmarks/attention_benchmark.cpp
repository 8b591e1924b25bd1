// SPDX-License-Identifier: Apache-2.0
#include "tests/benchmarks/attention_benchmark.h"

#include "tests/benchmarks/rates.h"
#include "tests/kernels/attention_case.h"

#include <fmt/format.h>

namespace wb::benchmarks {
namespace {

using kernels::AttentionBackend;
using kernels::testing::AttentionCase;
using kernels::testing::AttentionData;

AttentionCase causalCase(int32_t length) {
    return {.name = fmt::format("attention_causal_{}x8x64", length),
            .queryLengths = {length},
            .keyLengths = {length},
            .numHeads = 8,
            .keyValueHeads = 4,
            .headDim = 64,
            .options = {.isCausal = true}};
}

template <class T>
void runAttention(benchmark::State& state, const AttentionCase& c, AttentionBackend backend, bool isBackward) {
    kernels::Runtime runtime({.attention = backend});
    const kernels::AttentionProblem facts{.dtype = kernels::testing::dtypeOf<T>(),
                                          .headDim = c.headDim,
                                          .maxKeyLength = c.keyLengths.front(),
                                          .options = c.options,
                                          .isBackward = isBackward};
    if (const std::string refusal = kernels::attentionRefusal(runtime.context(), backend, facts); !refusal.empty()) {
        state.SkipWithError(refusal.c_str());
        return;
    }
    AttentionData<T> data(c);
    data.forward(runtime.context());  // backward needs its results
    runWithRates(state, runtime,
                 [&] { isBackward ? data.backward(runtime.context()) : data.forward(runtime.context()); });
}

template <class T>
void addBackend(const AttentionCase& c, AttentionBackend backend) {
    for (const bool isBackward : {false, true}) {
        addBenchmark(
            fmt::format("{}_{}/{}/{}", c.name, kernels::attentionBackendName(backend),
                        isBackward ? "backward" : "forward", dtypeName(kernels::testing::dtypeOf<T>())),
            [c, backend, isBackward](benchmark::State& state) { runAttention<T>(state, c, backend, isBackward); });
    }
}

}  // namespace

void addAttentionBenchmarks() {
    for (const int32_t length : {512, 2048}) {
        for (const AttentionBackend backend :
             {AttentionBackend::Math, AttentionBackend::MemoryEfficient, AttentionBackend::Flash}) {
            addBackend<float>(causalCase(length), backend);
            addBackend<BFloat16>(causalCase(length), backend);
        }
    }
}

}  // namespace wb::benchmarks
