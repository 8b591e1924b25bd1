// SPDX-License-Identifier: Apache-2.0
// Norms, activations, columns, rows and recomputation on the tape.
#include "tests/core/autograd/op_check.h"

#include <gmock/gmock.h>
#include <algorithm>

namespace wb::core {
namespace {

using test::expectGradients;
using test::expectNothingRecorded;
using test::OpBench;
using Inputs = std::span<const Var>;

// Both outputs of a norm with residual as one.
Var bothOf(const Context& context, const NormedSum& pair) {
    return concatRows(context, {pair.normed, pair.sum});
}

TEST(OpGradient, ofScaledEmbedding) {
    OpBench bench;
    Parameter& table = bench.trained({5, 3});
    const Tensor ids =
        Tensor::fromInts(bench.device(), std::vector<int32_t>{4, 0, 4, 2}, kernels::MemoryOwner::Activations);
    expectGradients(bench, {}, [&](const Context& context, Inputs) {
        return embedding(context, table, ids, table.value.dtype(), 2.5F);
    });
}

TEST(OpGradient, ofRmsNormWithOffset) {
    OpBench bench;
    Parameter& weight = bench.trained({7});
    expectGradients(bench, {bench.tensor({4, 7})},
                    [&](const Context& context, Inputs in) { return rmsNorm(context, in[0], weight, 1e-5F, 1.0F); });
}

TEST(OpGradient, ofRmsNormWithOffsetAndResidual) {
    OpBench bench;
    Parameter& weight = bench.trained({7});
    expectGradients(bench, {bench.tensor({4, 7}), bench.tensor({4, 7})}, [&](const Context& context, Inputs in) {
        return bothOf(context, addRmsNorm(context, in[0], in[1], weight, 1e-5F, 1.0F));
    });
}

struct NormTraining {
    bool trainsWeight;
    bool trainsBias;
    bool hasBias = true;
};

class LayerNormOp : public ::testing::TestWithParam<NormTraining> {
protected:
    Parameter* makeWeight() { return GetParam().trainsWeight ? &m_bench.trained({7}) : &m_bench.frozen({7}); }
    Parameter* makeBias() {
        if (!GetParam().hasBias) return nullptr;
        return GetParam().trainsBias ? &m_bench.trained({7}) : &m_bench.frozen({7});
    }
    OpBench m_bench;
};

TEST_P(LayerNormOp, hasTheGradientOfItsFormula) {
    Parameter* weight = makeWeight();
    Parameter* bias = makeBias();
    expectGradients(m_bench, {m_bench.tensor({4, 7})},
                    [&](const Context& context, Inputs in) { return layerNorm(context, in[0], *weight, bias, 1e-5F); });
}

TEST_P(LayerNormOp, hasTheGradientOfItsFormulaWithAResidual) {
    Parameter* weight = makeWeight();
    Parameter* bias = makeBias();
    expectGradients(m_bench, {m_bench.tensor({4, 7}), m_bench.tensor({4, 7})}, [&](const Context& context, Inputs in) {
        return bothOf(context, addLayerNorm(context, in[0], in[1], *weight, bias, 1e-5F));
    });
}

INSTANTIATE_TEST_SUITE_P(Training, LayerNormOp,
                         ::testing::Values(NormTraining{true, true}, NormTraining{false, false},
                                           NormTraining{true, false}, NormTraining{false, true},
                                           NormTraining{true, false, false}));

TEST(OpGradient, ofABiasAloneUnderALayerNorm) {
    OpBench bench;
    Parameter& weight = bench.frozen({7});
    Parameter& bias = bench.trained({7});
    const Tensor x = bench.tensor({4, 7});
    expectGradients(bench, {},
                    [&](const Context& context, Inputs) { return layerNorm(context, {x}, weight, &bias, 1e-5F); });
}

TEST(FrozenOps, recordNothing) {
    OpBench bench;
    Parameter& weight = bench.frozen({6});
    Parameter& bias = bench.frozen({6});
    const Tensor x = bench.tensor({4, 6});
    expectNothingRecorded(
        bench, {x}, [&](const Context& context, Inputs in) { return layerNorm(context, in[0], weight, &bias, 1e-5F); });
    expectNothingRecorded(bench, {x, x}, [&](const Context& context, Inputs in) {
        return bothOf(context, addLayerNorm(context, in[0], in[1], weight, &bias, 1e-5F));
    });
    expectNothingRecorded(bench, {x}, [&](const Context& context, Inputs in) {
        const auto parts = std::make_shared<const std::vector<ColumnPart>>(std::vector<ColumnPart>{{{0, 3}, 3}});
        const Var split = splitColumns(context, activation(context, in[0], kernels::Activation::Gelu), parts).front();
        return splitRows(context, reshape(context, scale(context, split, 2.0F), Shape{4, 6}), {0, 1, 4}).back();
    });
}

// The statistics of rows and dWeight exist for training only: a frozen norm between two trained layers keeps s and two
// numbers a row, an inference pass nothing.
TEST(FrozenOps, layerNormOfAnInferencePassKeepsItsOutputOnly) {
    OpBench bench;
    Parameter& weight = bench.frozen({64});
    const Tensor x = bench.tensor({100, 64});
    const int64_t before = bench.runtime().allocator().stats().liveBytes;
    const Var out = layerNorm({bench.device()}, {x}, weight, nullptr, 1e-5F);
    EXPECT_EQ(bench.runtime().allocator().stats().liveBytes - before, static_cast<int64_t>(out.value.bytes()));
}

TEST(OpGradient, ofEveryActivation) {
    for (const auto kind : {kernels::Activation::Silu, kernels::Activation::Gelu, kernels::Activation::GeluTanh,
                            kernels::Activation::Relu, kernels::Activation::Sigmoid}) {
        OpBench bench;
        expectGradients(bench, {bench.tensor({2, 3, 4})},
                        [&](const Context& context, Inputs in) { return activation(context, in[0], kind); });
    }
}

// A gradient that two values share must survive the activation that could have written over it.
TEST(OpGradient, ofAnActivationBesideItsInput) {
    OpBench bench;
    expectGradients(bench, {bench.tensor({3, 4}), bench.tensor({3, 4})}, [&](const Context& context, Inputs in) {
        return add(context, activation(context, in[0], kernels::Activation::Sigmoid), add(context, in[0], in[1]));
    });
}

TEST(OpGradient, ofScale) {
    OpBench bench;
    expectGradients(bench, {bench.tensor({3, 4})},
                    [&](const Context& context, Inputs in) { return scale(context, in[0], -0.375F); });
}

ColumnParts threeParts() {
    // Two heads of width 2 each for q, k, v of a fused projection with one column that nobody reads (6).
    return std::make_shared<const std::vector<ColumnPart>>(
        std::vector<ColumnPart>{{{0, 7}, 2}, {{2, 9}, 2}, {{4, 11}, 2}});
}

TEST(OpGradient, ofColumnParts) {
    OpBench bench;
    expectGradients(bench, {bench.tensor({5, 13})}, [&](const Context& context, Inputs in) {
        std::vector<Var> parts = splitColumns(context, in[0], threeParts());
        for (Var& part : parts) part = reshape(context, part, Shape{5, 4});
        parts[1] = activation(context, parts[1], kernels::Activation::Silu);
        return concatRows(context, parts);
    });
}

TEST(OpGradient, ofOnePartWhileOthersAreUnused) {
    OpBench bench;
    std::vector<float> upstream;
    const std::vector<Tensor> gradients = test::tapeGradients(
        bench.device(), {bench.tensor({2, 13})},
        [&](const Context& context, Inputs in) { return splitColumns(context, in[0], threeParts())[1]; }, upstream);
    const std::span<double> values = test::doublesOf(gradients[0]);
    for (size_t column = 0; column < 13; ++column) {
        const bool isRead = column == 2 || column == 3 || column == 9 || column == 10;
        EXPECT_EQ(values[column] != 0, isRead) << column;
    }
}

// Parts share the gradient of their source, and something else has a hand in it.
TEST(OpGradient, ofPartsOfAValueThatIsUsedElsewhere) {
    OpBench bench;
    expectGradients(bench, {bench.tensor({4, 6})}, [&](const Context& context, Inputs in) {
        const Var doubled = add(context, in[0], in[0]);
        const auto parts = std::make_shared<const std::vector<ColumnPart>>(std::vector<ColumnPart>{{{0, 3}, 3}});
        const Var split = reshape(context, splitColumns(context, doubled, parts)[0], Shape{4, 6});
        const std::vector<Var> rows = splitRows(context, doubled, {0, 1, 1, 4});
        return add(context, concatRows(context, {rows[2], rows[0]}), add(context, split, doubled));
    });
}

TEST(Checkpoint, ofSeveralInputsEqualsTheRecordedForm) {
    OpBench bench;
    Parameter& weight = bench.trained({6});
    const std::vector<Tensor> inputs{bench.tensor({4, 6}), bench.tensor({4, 6})};
    const auto body = [&weight](const Context& context, Inputs in) {
        const Var product = gatedActivation(context, in[0], in[1], kernels::Activation::Gelu);
        return rmsNorm(context, add(context, product, in[0]), weight, 1e-5F);
    };
    expectGradients(bench, inputs, [&](const Context& context, Inputs in) {
        return checkpoint(context, {in.begin(), in.end()}, body);
    });
}

// One input without gradient: nothing arrives there, the other gets all of it.
TEST(Checkpoint, leavesConstantInputsAlone) {
    OpBench bench;
    const Tensor constant = bench.tensor({4, 6});
    expectGradients(bench, {bench.tensor({4, 6})}, [&](const Context& context, Inputs in) {
        return checkpoint(context, {Var{constant}, in[0]}, [](const Context& inner, Inputs both) {
            return gatedActivation(inner, both[0], both[1], kernels::Activation::Silu);
        });
    });
}

}  // namespace
}  // namespace wb::core
