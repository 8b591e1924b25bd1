// SPDX-License-Identifier: Apache-2.0
#include "core/autograd/ops.h"
#include "tests/core/model/tiny_model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace wb::core {
namespace {

using kernels::MemoryOwner;
using testing::ElementsAre;

Tensor floats(const kernels::Context& context, std::vector<float> values) {
    Tensor tensor =
        Tensor::empty(context, DType::F32, Shape{static_cast<int64_t>(values.size())}, MemoryOwner::Activations);
    assignFloats(context, tensor, values);
    return tensor;
}

TEST(Tape, addsWhatReachesAValueByTwoPaths) {
    kernels::Runtime runtime = test::cpuRuntime();
    Tape tape(runtime.context());
    const Context context{runtime.context(), &tape};
    const Var x = tape.leaf(floats(runtime.context(), {1, 2}));
    const Var sum = add(context, add(context, x, x), x);
    tape.backward(sum, floats(runtime.context(), {10, 20}));
    EXPECT_THAT(toFloats(runtime.context(), tape.takeGradient(x.node)), ElementsAre(30, 60));
}

TEST(Tape, neverAddsIntoAGradientThatAnotherValueShares) {
    kernels::Runtime runtime = test::cpuRuntime();
    Tape tape(runtime.context());
    const Context context{runtime.context(), &tape};
    const Var a = tape.leaf(floats(runtime.context(), {1}));
    const Var b = tape.leaf(floats(runtime.context(), {1}));
    // Both leaves get the same gradient tensor from the outer sum; a gets more from the inner one.
    const Var inner = add(context, a, a);
    const Var outer = add(context, inner, b);
    tape.backward(outer, floats(runtime.context(), {5}));
    EXPECT_THAT(toFloats(runtime.context(), tape.takeGradient(a.node)), ElementsAre(10));
    EXPECT_THAT(toFloats(runtime.context(), tape.takeGradient(b.node)), ElementsAre(5));
}

TEST(Tape, recordsNothingForInputsWithoutGradient) {
    kernels::Runtime runtime = test::cpuRuntime();
    Tape tape(runtime.context());
    const Context context{runtime.context(), &tape};
    const Var constant{floats(runtime.context(), {1})};
    EXPECT_FALSE(add(context, constant, constant).needsGradient());
}

TEST(Tape, freesSavedTensorsAsBackwardProceeds) {
    kernels::Runtime runtime = test::cpuRuntime();
    const auto liveBytes = [&runtime] { return runtime.allocator().stats().liveBytes; };
    const int64_t before = liveBytes();
    {
        Tape tape(runtime.context());
        const Context context{runtime.context(), &tape};
        Var x = tape.leaf(floats(runtime.context(), std::vector<float>(1000, 1.0F)));
        const int32_t start = x.node;
        for (int i = 0; i < 5; ++i)
            x = gatedActivation(context, reshape(context, x, Shape{1, 1000}), reshape(context, x, Shape{1, 1000}),
                                kernels::Activation::Silu);
        const Tensor seed = floats(runtime.context(), std::vector<float>(1000, 1.0F));
        tape.backward({Tensor{}, x.node}, seed.reshaped(Shape{1, 1000}));
        x = {};
        // What stays: the seed and the gradient of the leaf.
        EXPECT_LE(liveBytes() - before, 2 * 4096);
        EXPECT_TRUE(tape.takeGradient(start).isPresent());
    }
    EXPECT_EQ(liveBytes(), before);
}

}  // namespace
}  // namespace wb::core
