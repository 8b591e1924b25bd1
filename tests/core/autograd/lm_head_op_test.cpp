// SPDX-License-Identifier: Apache-2.0
// The output layer: loss, its gradients and the logits of inference are one formula.
#include "kernels/lm_head_loss.h"
#include "tests/core/autograd/op_check.h"

#include <cmath>
#include <numeric>

namespace wb::core {
namespace {

using kernels::MemoryOwner;
using test::OpBench;

constexpr int64_t kVocabulary = 11;

struct HeadSettings {
    const char* name;
    bool hasBias = false;
    float logitScale = 1.0F;
    float softCap = 0.0F;
};

class LmHeadOp : public ::testing::TestWithParam<HeadSettings> {
protected:
    LmHead head(Parameter& weight, Parameter* bias) const {
        return {.weight = weight,
                .bias = GetParam().hasBias ? bias : nullptr,
                .vocabularySize = kVocabulary,
                .logitScale = GetParam().logitScale,
                .softCap = GetParam().softCap};
    }
    static Tensor labelsOf(const kernels::Context& device) {
        return Tensor::fromInts(device, std::vector<int32_t>{3, kernels::kIgnoredLabel, 10, 0, 3},
                                MemoryOwner::Activations);
    }
};

double sumOf(const Tensor& losses) {
    const std::span<double> values = test::doublesOf(losses);
    return std::accumulate(values.begin(), values.end(), 0.0);
}

TEST_P(LmHeadOp, gradientsMatchCentralDifferences) {
    OpBench bench;
    const Tensor hidden = bench.tensor({5, 6});
    Parameter& weight = bench.trained({16, 6});  // rows behind the vocabulary are padding
    Parameter& bias = bench.trained({16});
    const Tensor labels = labelsOf(bench.device());
    const LmHead used = head(weight, &bias);
    Tape tape(bench.device());
    const Var leaf = tape.leaf(hidden);
    const LmLoss loss = lmHeadLoss({bench.device(), &tape}, leaf, used, labels, 1.0F);
    tape.backward(loss.losses, loss.losses.value);
    const Tensor dHidden = tape.takeGradient(leaf.node);
    const auto objective = [&] {
        return sumOf(lmHeadLoss({bench.device()}, {hidden}, used, labels, 1.0F).losses.value);
    };
    const auto errorOf = [&](const Tensor& value, const Tensor& gradient) {
        return kernels::testing::worstGradientError(objective, test::doublesOf(value), test::doublesOf(gradient));
    };
    EXPECT_LT(errorOf(hidden, dHidden), kernels::testing::kGradientTolerance);
    EXPECT_LT(errorOf(weight.value, weight.gradient), kernels::testing::kGradientTolerance);
    if (GetParam().hasBias) {
        EXPECT_LT(errorOf(bias.value, bias.gradient), kernels::testing::kGradientTolerance);
    }
}

TEST_P(LmHeadOp, lossIsThatOfTheLogitsOfInference) {
    for (const DType dtype : {DType::F64, DType::F32, DType::BF16}) {
        OpBench bench(dtype);
        const Tensor hidden = bench.tensor({5, 6});
        Parameter& weight = bench.frozen({16, 6});
        Parameter& bias = bench.frozen({16});
        const LmHead used = head(weight, &bias);
        const Tensor logits = headLogits(bench.device(), hidden, used);
        EXPECT_EQ(logits.shape(), (Shape{5, kVocabulary}));
        EXPECT_EQ(logits.dtype(), gradientDtype(dtype));
        const Tensor labels = labelsOf(bench.device());
        const std::vector<float> losses =
            toFloats(bench.device(), lmHeadLoss({bench.device()}, {hidden}, used, labels, 1.0F).losses.value);
        const std::vector<float> z = toFloats(bench.device(), logits);
        double sum = 0;
        for (size_t v = 0; v < kVocabulary; ++v) sum += std::exp(static_cast<double>(z[v]));
        EXPECT_NEAR(losses[0], std::log(sum) - static_cast<double>(z[3]), 2e-6) << dtypeName(dtype);
    }
}

// A frozen table gets no gradient and a frozen bias neither, while what is below still learns.
TEST_P(LmHeadOp, frozenHeadPassesTheSameGradientOn) {
    OpBench bench;
    const Tensor hidden = bench.tensor({5, 6});
    Parameter& weight = bench.frozen({16, 6});
    Parameter& bias = bench.frozen({16});
    const Tensor labels = labelsOf(bench.device());
    const auto gradientOfHidden = [&] {
        Tape tape(bench.device());
        const Var leaf = tape.leaf(hidden);
        const LmLoss loss = lmHeadLoss({bench.device(), &tape}, leaf, head(weight, &bias), labels, 0.5F);
        tape.backward(loss.losses, loss.losses.value);
        const std::span<double> values = test::doublesOf(tape.takeGradient(leaf.node));
        return std::vector<double>(values.begin(), values.end());
    };
    const std::vector<double> frozen = gradientOfHidden();
    makeTrainable(bench.device(), weight);
    makeTrainable(bench.device(), bias);
    EXPECT_EQ(frozen, gradientOfHidden());
}

INSTANTIATE_TEST_SUITE_P(Settings, LmHeadOp,
                         ::testing::Values(HeadSettings{"plain"}, HeadSettings{"bias", true},
                                           HeadSettings{"scaled", false, 0.125F},
                                           HeadSettings{"capped", false, 1, 1.5F},
                                           HeadSettings{"all", true, 3.0F, 2.0F}),
                         [](const auto& instance) { return std::string(instance.param.name); });

// Only the bias learns: nothing below and no table.
TEST(LmHeadBias, learnsAlone) {
    OpBench bench;
    const Tensor hidden = bench.tensor({5, 6});
    Parameter& weight = bench.frozen({11, 6});
    Parameter& bias = bench.trained({11});
    const Tensor labels =
        Tensor::fromInts(bench.device(), std::vector<int32_t>{3, 1, 10, 0, 3}, MemoryOwner::Activations);
    Tape tape(bench.device());
    const LmLoss loss = lmHeadLoss({bench.device(), &tape}, {hidden}, {.weight = weight, .bias = &bias}, labels, 1.0F);
    EXPECT_TRUE(loss.losses.needsGradient());
    // p - onehot sums to zero in every row, so it does in all.
    const std::span<double> values = test::doublesOf(bias.gradient);
    EXPECT_NEAR(std::accumulate(values.begin(), values.end(), 0.0), 0.0, 1e-12);
    EXPECT_LT(values[3], 0.0);
}

}  // namespace
}  // namespace wb::core
