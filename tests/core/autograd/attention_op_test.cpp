// SPDX-License-Identifier: Apache-2.0
// Attention with a bias that learns.
#include "tests/core/autograd/op_check.h"

namespace wb::core {
namespace {

using kernels::AttentionBias;
using kernels::AttentionOptions;
using test::expectGradients;
using test::OpBench;
using Inputs = std::span<const Var>;

const SequenceBounds& bounds() {
    static const auto value = std::make_shared<const std::vector<int32_t>>(std::vector<int32_t>{0, 3, 3, 8});
    return value;
}

// Buckets of T5's kind: near distances one each, far ones shared.
std::shared_ptr<const std::vector<int32_t>> buckets() {
    return std::make_shared<const std::vector<int32_t>>(std::vector<int32_t>{2, 2, 1, 0, 3, 4, 4});
}

TEST(AttentionOp, distanceTableOfTwoLayersGathersBothGradients) {
    OpBench bench;
    Parameter& weight = bench.trained({5, 4});
    const AttentionOptions options{.scale = 1.0F, .bias = AttentionBias::DistanceTable};
    expectGradients(bench, {bench.tensor({8, 4, 3}), bench.tensor({8, 2, 3}), bench.tensor({8, 2, 3})},
                    [&](const Context& context, Inputs in) {
                        const Var table = distanceTable(context, weight, buckets());
                        const Var first = attention(context, in[0], in[1], in[2], bounds(), bounds(), options, &table);
                        return attention(context, first, in[1], in[2], bounds(), bounds(), options, &table);
                    });
}

TEST(AttentionOp, denseBiasHasAGradientWithoutAnyOther) {
    OpBench bench;
    const Tensor q = bench.tensor({8, 2, 3});
    const AttentionOptions options{.softCap = 2.0F, .isCausal = true, .bias = AttentionBias::Dense};
    expectGradients(bench, {bench.tensor({2, 8, 5})}, [&](const Context& context, Inputs in) {
        return attention(context, {q}, {q}, {q}, bounds(), bounds(), options, &in[0]);
    });
}

TEST(AttentionOp, frozenKeysAndValuesGetNoGradientAndChangeNone) {
    OpBench bench;
    const Tensor k = bench.tensor({8, 2, 3});
    const Tensor v = bench.tensor({8, 2, 3});
    expectGradients(bench, {bench.tensor({8, 4, 3})}, [&](const Context& context, Inputs in) {
        return attention(context, in[0], {k}, {v}, bounds(), bounds(), {.isCausal = true});
    });
}

TEST(AttentionOp, frozenTableStillBiasesAndGetsNothing) {
    OpBench bench;
    Parameter& weight = bench.frozen({5, 4});
    const AttentionOptions options{.bias = AttentionBias::DistanceTable};
    expectGradients(bench, {bench.tensor({8, 4, 3})}, [&](const Context& context, Inputs in) {
        const Var table = distanceTable(context, weight, buckets());
        EXPECT_FALSE(table.needsGradient());
        return attention(context, in[0], in[0], in[0], bounds(), bounds(), options, &table);
    });
}

// The table enters a recomputed block as an input, so that its gradient finds the way out.
TEST(AttentionOp, distanceTablePassesThroughRecomputation) {
    OpBench bench;
    Parameter& weight = bench.trained({5, 4});
    const AttentionOptions options{.bias = AttentionBias::DistanceTable};
    const auto block = [options](const Context& context, Inputs in) {
        return attention(context, in[0], in[0], in[0], bounds(), bounds(), options, &in[1]);
    };
    expectGradients(bench, {bench.tensor({8, 4, 3})}, [&](const Context& context, Inputs in) {
        const Var table = distanceTable(context, weight, buckets());
        const Var first = checkpoint(context, {in[0], table}, block);
        return checkpoint(context, {first, table}, block);
    });
}

}  // namespace
}  // namespace wb::core
