// SPDX-License-Identifier: Apache-2.0
// The way to the experts and back.
#include "tests/core/autograd/op_check.h"

#include <gmock/gmock.h>

namespace wb::core {
namespace {

using kernels::RoutingWeights;
using test::expectGradients;
using test::OpBench;
using ::testing::ElementsAre;
using Inputs = std::span<const Var>;

TEST(ExpertOps, listRowsByExpertAndThenByRow) {
    OpBench bench(DType::F32);
    const Tensor logits = bench.tensor({3, 4});
    assignFloats(bench.device(), logits, std::vector<float>{0, 5, 3, 1, 9, 0, 0, 8, 1, 2, 3, 4});
    const ExpertRouting routing = routeExperts({bench.device()}, {logits}, 2, RoutingWeights::Softmax);
    // Row 0 goes to experts 1, 2; row 1 to 0, 3; row 2 to 3, 2.
    EXPECT_THAT(routing.expertBounds, ElementsAre(0, 1, 2, 4, 6));
    EXPECT_THAT(routing.sourceRows, ElementsAre(1, 0, 0, 2, 1, 2));
    std::vector<int32_t> assignments(6);
    std::vector<int32_t> slots(6);
    copyToHost(bench.device(), routing.assignments, assignments.data(), routing.assignments.bytes());
    copyToHost(bench.device(), routing.slots, slots.data(), routing.slots.bytes());
    EXPECT_THAT(assignments, ElementsAre(2, 0, 1, 5, 3, 4));
    EXPECT_THAT(slots, ElementsAre(1, 2, 0, 4, 5, 3));
}

TEST(ExpertOps, gradientsOfRoutingGatheringAndCombining) {
    for (const RoutingWeights normalisation : {RoutingWeights::Softmax, RoutingWeights::Normalised}) {
        OpBench bench;
        // What experts would do: the copies of a row must differ, or normalised weights would not matter.
        const Tensor shift = bench.tensor({10, 3});
        expectGradients(bench, {bench.tensor({5, 3}), bench.tensor({5, 4}, -2, 2)},
                        [&](const Context& context, Inputs in) {
                            const ExpertRouting routing = routeExperts(context, in[1], 2, normalisation);
                            const Var rows = add(context, gatherRows(context, in[0], routing), {shift});
                            return combineRows(context, activation(context, rows, kernels::Activation::Gelu), routing);
                        });
    }
}

TEST(ExpertOps, gradientsWithAFrozenRouter) {
    OpBench bench;
    const Tensor logits = bench.tensor({5, 4}, -2, 2);
    expectGradients(bench, {bench.tensor({5, 3})}, [&](const Context& context, Inputs in) {
        const ExpertRouting routing = routeExperts(context, {logits}, 2, RoutingWeights::Normalised);
        EXPECT_FALSE(routing.weights.needsGradient());
        return combineRows(context, gatherRows(context, in[0], routing), routing);
    });
}

TEST(ExpertOps, gradientsOfTheRouterAlone) {
    OpBench bench;
    const Tensor rows = bench.tensor({10, 3});
    expectGradients(bench, {bench.tensor({5, 4}, -2, 2)}, [&](const Context& context, Inputs in) {
        return combineRows(context, {rows}, routeExperts(context, in[0], 2, RoutingWeights::Softmax));
    });
}

// What the experts returned is kept only for a router that learns.
TEST(ExpertOps, aFrozenRouterKeepsNoRows) {
    OpBench bench;
    const Tensor logits = bench.tensor({64, 4}, -2, 2);
    const auto keptBytes = [&](const Context& context, const Var& routed) {
        const ExpertRouting routing = routeExperts(context, routed, 2, RoutingWeights::Softmax);
        Tensor rows = bench.tensor({128, 32});
        const int64_t before = bench.runtime().allocator().stats().liveBytes;
        const auto size = static_cast<int64_t>(rows.bytes());
        Var leaf = context.tape->leaf(std::move(rows));
        const Var out = combineRows(context, leaf, routing);
        leaf = {};
        return bench.runtime().allocator().stats().liveBytes - before + size - static_cast<int64_t>(out.value.bytes());
    };
    Tape tape(bench.device());
    const Context context{bench.device(), &tape};
    EXPECT_EQ(keptBytes(context, {logits}), 0);
    EXPECT_EQ(keptBytes(context, tape.leaf(logits)), 128 * 32 * 8);
}

TEST(ExpertOps, gradientsOfScaledRows) {
    OpBench bench;
    const Tensor constant = bench.tensor({5, 3});
    const Tensor factors = bench.tensor({5, 1});
    expectGradients(bench, {bench.tensor({5, 3}), bench.tensor({5, 1})}, [&](const Context& context, Inputs in) {
        const Var both = scaleRows(context, in[0], in[1]);
        const Var one = scaleRows(context, in[0], {factors});
        return add(context, both, add(context, one, scaleRows(context, {constant}, in[1])));
    });
}

}  // namespace
}  // namespace wb::core
