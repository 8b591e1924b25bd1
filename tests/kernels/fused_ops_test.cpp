// SPDX-License-Identifier: Apache-2.0
// Promises of the contracts that go beyond values: aliasing, broken numbers, ids out of range, extreme logits.
#include "kernels/embedding.h"
#include "kernels/gated_activation.h"
#include "kernels/lm_head_loss.h"
#include "kernels/optimizer.h"
#include "kernels/rms_norm.h"
#include "kernels/rotary.h"
#include "kernels/step_summary.h"

#include "kernels/base/error.h"
#include "kernels/base/float_formats.h"
#include "kernels/elementwise.h"
#include "kernels/runtime/runtime.h"
#include "tests/kernels/op_case.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <array>
#include <cmath>
#include <limits>

namespace wb::kernels {
namespace {

using testing::TensorBank;
using testing::TensorKind;
using testing::TensorRole;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

class FusedOpsTest : public ::testing::TestWithParam<DType> {
protected:
    const Context& context() const { return m_runtime.context(); }
    Runtime m_runtime{{.numThreads = 2}};
};

TEST_P(FusedOpsTest, rmsNormSumMayBeX) {
    const std::vector<testing::TensorSpec> specs{
        {"x", {5, 37}},
        {"residual", {5, 37}},
        {"weight", {37}},
        {.name = "out", .shape = {5, 37}, .role = TensorRole::Output},
        {.name = "sum", .shape = {5, 37}, .role = TensorRole::Output},
    };
    TensorBank apart(specs, GetParam());
    TensorBank inPlace(specs, GetParam());
    const auto run = [&](TensorBank& t, const char* sum) {
        rmsNormForward(context(), {.x = t.at("x"),
                                   .residual = t.at("residual"),
                                   .weight = t.at("weight"),
                                   .out = t.at("out"),
                                   .sum = t.at(sum)});
    };
    run(apart, "sum");
    run(inPlace, "x");
    EXPECT_EQ(apart.bytes("out"), inPlace.bytes("out"));
    EXPECT_EQ(apart.bytes("sum"), inPlace.bytes("x"));
}

TEST_P(FusedOpsTest, rmsNormGradientMayReplaceTheResidualGradient) {
    const std::vector<testing::TensorSpec> specs{
        {"dOut", {5, 37}},      {"s", {5, 37}},
        {"weight", {37}},       {"invRms", {5}, TensorKind::Sums},
        {"dResidual", {5, 37}}, {.name = "dX", .shape = {5, 37}, .role = TensorRole::Output},
    };
    TensorBank apart(specs, GetParam());
    TensorBank inPlace(specs, GetParam());
    const auto run = [&](TensorBank& t, const char* dX) {
        rmsNormBackward(context(), {.dOut = t.at("dOut"),
                                    .s = t.at("s"),
                                    .weight = t.at("weight"),
                                    .invRms = t.at("invRms"),
                                    .dResidual = t.at("dResidual"),
                                    .dX = t.at(dX)});
    };
    run(apart, "dX");
    run(inPlace, "dResidual");
    EXPECT_EQ(apart.bytes("dX"), inPlace.bytes("dResidual"));
}

TEST_P(FusedOpsTest, rotaryWorksInPlaceAndBackwardUndoesForward) {
    const std::vector<testing::TensorSpec> specs{
        {"x", {6, 2, 10}},
        {.name = "positions", .shape = {6}, .kind = TensorKind::Index, .indices = {0, 1, 2, 3, 50, 7}},
        {.name = "frequencies", .shape = {4}, .kind = TensorKind::Float, .low = 0, .high = 1},
        {.name = "out", .shape = {6, 2, 10}, .role = TensorRole::Output},
    };
    for (const RotaryLayout layout : {RotaryLayout::Half, RotaryLayout::Interleaved}) {
        TensorBank t(specs, GetParam());
        const std::vector<double> before = t.values("x");
        RotaryArgs args{.x = t.at("x"),
                        .positions = t.at("positions"),
                        .frequencies = t.at("frequencies"),
                        .out = t.at("out"),
                        .layout = layout};
        rotary(context(), args);
        args.out = t.at("x");
        rotary(context(), args);
        EXPECT_EQ(t.bytes("x"), t.bytes("out"));
        args.direction = RotaryDirection::Backward;
        rotary(context(), args);
        const double allowed = GetParam() == DType::BF16 ? 0x1p-7 : 1e-6;
        EXPECT_THAT(t.values("x"), ::testing::Pointwise(::testing::DoubleNear(allowed), before));
    }
}

TEST_P(FusedOpsTest, gatedGradientsMayReplaceTheirInputs) {
    const std::vector<testing::TensorSpec> specs{
        {"dOut", {3, 21}},
        {"gate", {3, 21}},
        {"up", {3, 21}},
        {.name = "dGate", .shape = {3, 21}, .role = TensorRole::Output},
        {.name = "dUp", .shape = {3, 21}, .role = TensorRole::Output},
    };
    for (const Activation activation : {Activation::Silu, Activation::Gelu, Activation::GeluTanh, Activation::Relu}) {
        TensorBank t(specs, GetParam());
        gatedActivationBackward(context(),
                                {t.at("dOut"), t.at("gate"), t.at("up"), t.at("dGate"), t.at("dUp"), activation});
        gatedActivationBackward(context(),
                                {t.at("dOut"), t.at("gate"), t.at("up"), t.at("gate"), t.at("up"), activation});
        EXPECT_EQ(t.bytes("dGate"), t.bytes("gate"));
        EXPECT_EQ(t.bytes("dUp"), t.bytes("up"));
    }
}

TEST_P(FusedOpsTest, activationsOfExtremesAreTheirLimitsAndNanStays) {
    for (const Activation activation : {Activation::Silu, Activation::Gelu, Activation::GeluTanh, Activation::Relu}) {
        TensorBank t({{"gate", {1, 5}},
                      {"up", {1, 5}},
                      {"one", {1, 5}},
                      {.name = "out", .shape = {1, 5}, .role = TensorRole::Output},
                      {.name = "dGate", .shape = {1, 5}, .role = TensorRole::Output},
                      {.name = "dUp", .shape = {1, 5}, .role = TensorRole::Output}},
                     GetParam());
        std::array<float, 5> gates{-1e4F, 1e4F, -1e18F, 1e18F, kNan};
        cast(context(), {{gates.data(), DType::F32, {1, 5}}, t.at("gate")});
        fill(context(), {t.at("up"), 1.0F});
        fill(context(), {t.at("one"), 1.0F});
        gatedActivationForward(context(), {t.at("gate"), t.at("up"), t.at("out"), activation});
        gatedActivationBackward(context(),
                                {t.at("one"), t.at("gate"), t.at("up"), t.at("dGate"), t.at("dUp"), activation});
        const std::vector<double> gate = t.values("gate");
        const std::vector<double> out = t.values("out");
        const std::vector<double> slope = t.values("dGate");
        for (size_t i = 0; i < 4; ++i) {
            EXPECT_EQ(out[i], std::max(0.0, gate[i])) << i;
            EXPECT_EQ(slope[i], gate[i] > 0 ? 1.0 : 0.0) << i;
        }
        EXPECT_TRUE(std::isnan(out[4])) << static_cast<int>(activation);
    }
}

// The exponential behind the sigmoid, over its whole range: silu(x) / x to a few units in the last place.
TEST(GatedActivation, sigmoidIsExactToAFewUlp) {
    constexpr int64_t kCount = 16001;
    Runtime runtime({.numThreads = 1});
    std::vector<float> gate(kCount);
    std::vector<float> one(kCount, 1.0F);
    std::vector<float> out(kCount);
    for (size_t i = 0; i < gate.size(); ++i) gate[i] = -80.0F + 0.01F * static_cast<float>(i);
    const Shape shape{1, kCount};
    gatedActivationForward(
        runtime.context(),
        {{gate.data(), DType::F32, shape}, {one.data(), DType::F32, shape}, {out.data(), DType::F32, shape}});
    for (size_t i = 0; i < gate.size(); ++i) {
        const auto x = static_cast<double>(gate[i]);
        const double expected = x / (1 + std::exp(-x));
        EXPECT_NEAR(static_cast<double>(out[i]), expected, 3 * 0x1p-23 * std::abs(expected)) << x;
    }
}

std::vector<testing::TensorSpec> lossSpecs(int64_t tokens, int64_t vocabulary, int64_t hidden) {
    return {
        {"hidden", {tokens, hidden}},
        {"weight", {vocabulary, hidden}},
        {.name = "labels", .shape = {tokens}, .kind = TensorKind::Index, .indices = {1, 0, kIgnoredLabel}},
        {"losses", {tokens}, TensorKind::Sums, TensorRole::Output},
        {"predictions", {tokens}, TensorKind::Index, TensorRole::Output},
        {.name = "dHidden", .shape = {tokens, hidden}, .role = TensorRole::Output},
        {"dWeight", {vocabulary, hidden}, TensorKind::Sums, TensorRole::Accumulated, 0, 0},
    };
}

LmHeadLossArgs lossArgs(TensorBank& t) {
    return {.hidden = t.at("hidden"),
            .weight = t.at("weight"),
            .labels = t.at("labels"),
            .losses = t.at("losses"),
            .predictions = t.at("predictions"),
            .dHidden = t.at("dHidden"),
            .dWeight = t.at("dWeight")};
}

TEST_P(FusedOpsTest, lossOfEqualLogitsIsTheLogOfTheirNumberAndTheLowestIdWins) {
    TensorBank t(lossSpecs(3, 21, 4), GetParam());
    fill(context(), {t.at("hidden"), 0.0F});
    lmHeadLoss(context(), lossArgs(t));
    const std::vector<double> losses = t.values("losses");
    EXPECT_NEAR(losses[0], std::log(21.0), 1e-6);
    EXPECT_EQ(losses[2], 0.0);
    EXPECT_EQ(t.values("predictions"), (std::vector<double>{0, 0, -1}));
}

TEST_P(FusedOpsTest, lossSurvivesHugeLogits) {
    TensorBank t(lossSpecs(3, 21, 4), GetParam());
    fill(context(), {t.at("hidden"), 3000.0F});
    lmHeadLoss(context(), lossArgs(t));
    for (const char* name : {"losses", "dHidden", "dWeight"}) {
        for (const double value : t.values(name)) EXPECT_TRUE(std::isfinite(value)) << name;
    }
}

// Some models rule a token out by a bias of minus infinity. Rows that fill a chunk up have that bias too.
TEST_P(FusedOpsTest, infiniteBiasRulesATokenOutAndLeavesGradientsFinite) {
    std::vector<testing::TensorSpec> specs = lossSpecs(3, 21, 4);
    specs.push_back({"bias", {21}});
    specs.push_back({"dBias", {21}, TensorKind::Sums, TensorRole::Accumulated, 0, 0});
    TensorBank t(specs, GetParam());
    fill(context(), {{t.at("bias").as<std::byte>() + dtypeBytes(GetParam(), 7), GetParam(), {1}},
                     -std::numeric_limits<float>::infinity()});
    LmHeadLossArgs args = lossArgs(t);
    args.bias = t.at("bias");
    args.dBias = t.at("dBias");
    lmHeadLoss(context(), args);
    for (const char* name : {"losses", "dHidden", "dWeight", "dBias"}) {
        for (const double value : t.values(name)) EXPECT_TRUE(std::isfinite(value)) << name;
    }
    EXPECT_EQ(t.values("dBias")[7], 0.0);
    for (size_t c = 0; c < 4; ++c) EXPECT_EQ(t.values("dWeight")[7 * 4 + c], 0.0);
}

TEST_P(FusedOpsTest, nanInHiddenReachesLossAndGradients) {
    TensorBank t(lossSpecs(3, 21, 4), GetParam());
    fill(context(), {{t.at("hidden").data, GetParam(), {1}}, kNan});
    lmHeadLoss(context(), lossArgs(t));
    EXPECT_TRUE(std::isnan(t.values("losses")[0]));
    EXPECT_FALSE(std::isnan(t.values("losses")[1]));
    EXPECT_TRUE(std::isnan(t.values("dHidden")[0]));
    EXPECT_TRUE(std::isnan(t.values("dWeight")[0]));
}

// One bad logit among good ones: the weight of a single token is broken.
TEST_P(FusedOpsTest, nanInOneWeightReachesTheLoss) {
    TensorBank t(lossSpecs(3, 21, 4), GetParam());
    fill(context(), {{t.at("weight").as<std::byte>() + dtypeBytes(GetParam(), 4 * 17), GetParam(), {1}}, kNan});
    lmHeadLoss(context(), lossArgs(t));
    EXPECT_TRUE(std::isnan(t.values("losses")[0]));
    EXPECT_TRUE(std::isnan(t.values("losses")[1]));
}

TEST_P(FusedOpsTest, lossDoesNotDependOnWhereIgnoredRowsLie) {
    TensorBank t(lossSpecs(40, 33, 12), GetParam());
    lmHeadLoss(context(), lossArgs(t));
    // The labelled rows alone, in the same order.
    const std::vector<double> all = t.values("losses");
    const std::vector<double> hidden = t.values("hidden");
    const std::vector<double> labels = t.values("labels");
    std::vector<size_t> kept;
    for (size_t i = 0; i < labels.size(); ++i) {
        if (labels[i] >= 0) kept.push_back(i);
    }
    auto specs = lossSpecs(static_cast<int64_t>(kept.size()), 33, 12);
    specs[2].indices.clear();
    for (const size_t i : kept) specs[2].indices.push_back(static_cast<int32_t>(labels[i]));
    TensorBank alone(specs, GetParam());
    for (size_t i = 0; i < kept.size(); ++i) {
        for (size_t c = 0; c < 12; ++c) {
            const auto value = static_cast<float>(hidden[kept[i] * 12 + c]);
            if (GetParam() == DType::BF16) {
                alone.at("hidden").as<BFloat16>()[i * 12 + c] = BFloat16(value);
            } else {
                alone.at("hidden").as<float>()[i * 12 + c] = value;
            }
        }
    }
    std::copy_n(t.at("weight").as<std::byte>(), t.at("weight").bytes(), alone.at("weight").as<std::byte>());
    lmHeadLoss(context(), lossArgs(alone));
    const std::vector<double> losses = alone.values("losses");
    for (size_t i = 0; i < kept.size(); ++i) EXPECT_EQ(losses[i], all[kept[i]]) << i;
    EXPECT_EQ(alone.bytes("dWeight"), t.bytes("dWeight"));
}

TEST_P(FusedOpsTest, labelsAndIdsOutsideTheTableAreRefused) {
    for (const int32_t bad : {-1, 21, -101}) {
        auto specs = lossSpecs(3, 21, 4);
        specs[2].indices = {0, bad, 3};
        TensorBank t(specs, GetParam());
        EXPECT_THROW(lmHeadLoss(context(), lossArgs(t)), Error) << bad;
    }
    TensorBank padded(lossSpecs(3, 21, 4), GetParam());
    LmHeadLossArgs args = lossArgs(padded);
    args.vocabularySize = 1;  // label 1 now lies in the padding
    EXPECT_THROW(lmHeadLoss(context(), args), Error);
    args.vocabularySize = 22;
    EXPECT_THROW(lmHeadLoss(context(), args), Error);

    TensorBank t({{"table", {4, 6}},
                  {.name = "ids", .shape = {2}, .kind = TensorKind::Index, .indices = {3, 4}},
                  {.name = "out", .shape = {2, 6}, .role = TensorRole::Output}},
                 GetParam());
    try {
        embeddingForward(context(), {t.at("table"), t.at("ids"), t.at("out")});
        FAIL() << "read behind the table";
    } catch (const Error& error) {
        EXPECT_STREQ(error.what(), "embeddingForward: id 4 of token 1 is outside the table of 4 rows");
    }
}

// A padded column must get no probability, no gradient, and never be predicted.
TEST_P(FusedOpsTest, paddedColumnsDoNotExist) {
    TensorBank t(lossSpecs(3, 21, 4), GetParam());
    fill(context(), {{t.at("weight").as<std::byte>() + dtypeBytes(GetParam(), 4 * 5), GetParam(), {16, 4}}, 50.0F});
    fill(context(), {t.at("hidden"), 1.0F});
    LmHeadLossArgs args = lossArgs(t);
    args.vocabularySize = 5;
    lmHeadLoss(context(), args);
    EXPECT_LT(t.values("losses")[0], 10.0);
    EXPECT_LT(t.values("predictions")[0], 5.0);
    const std::vector<double> dWeight = t.values("dWeight");
    for (size_t i = 5 * 4; i < dWeight.size(); ++i) EXPECT_EQ(dWeight[i], 0.0) << i;
}

INSTANTIATE_TEST_SUITE_P(Types, FusedOpsTest, ::testing::Values(DType::F32, DType::BF16),
                         [](const auto& type) { return std::string(dtypeName(type.param)); });

TEST(AdamW, firstStepMovesByTheLearningRate) {
    Runtime runtime({.numThreads = 1});
    std::array<float, 3> w{1.0F, -2.0F, 0.5F};
    std::array<float, 3> g{1e-3F, -5.0F, 0.0F};
    std::array<float, 3> m{};
    std::array<float, 3> v{};
    const auto view = [](std::array<float, 3>& a) { return View{a.data(), DType::F32, {3}}; };
    const std::array<AdamWTensor, 1> tensors{
        {{.parameter = view(w), .gradient = view(g), .m = view(m), .v = view(v), .weightDecay = 0.5F}}};
    adamW(runtime.context(), {.tensors = tensors, .learningRate = 0.1F, .step = 1});
    // m / (1 - beta1) is g and v / (1 - beta2) its square, so the step is lr * sign(g); decay takes lr * 0.5 * w.
    EXPECT_NEAR(w[0], 1.0F - 0.1F - 0.05F, 2e-6F);
    EXPECT_NEAR(w[1], -2.0F + 0.1F + 0.1F, 1e-6F);
    EXPECT_NEAR(w[2], 0.5F - 0.025F, 1e-7F);
}

// Steps far below a BF16 ulp must add up in the master copy.
TEST(AdamW, masterCopyKeepsSmallSteps) {
    Runtime runtime({.numThreads = 1});
    BFloat16 w(1.0F);
    float master = 1.0F;
    float g = 1.0F;
    float m = 0;
    float v = 0;
    const std::array<AdamWTensor, 1> tensors{{{.parameter = {&w, DType::BF16, {1}},
                                               .master = {&master, DType::F32, {1}},
                                               .gradient = {&g, DType::F32, {1}},
                                               .m = {&m, DType::F32, {1}},
                                               .v = {&v, DType::F32, {1}}}}};
    for (int step = 1; step <= 200; ++step) {
        adamW(runtime.context(), {.tensors = tensors, .learningRate = 1e-4F, .step = step});
    }
    EXPECT_NEAR(master, 0.98F, 1e-5F);
    EXPECT_EQ(w.bits, BFloat16(master).bits);
}

TEST(AdamW, refusesWhatWouldLoseTheTruth) {
    Runtime runtime({.numThreads = 1});
    std::array<float, 1> f{};
    BFloat16 w;
    const View floats{f.data(), DType::F32, {1}};
    std::array<AdamWTensor, 1> tensors{
        {{.parameter = {&w, DType::BF16, {1}}, .gradient = floats, .m = floats, .v = floats}}};
    EXPECT_THROW(adamW(runtime.context(), {.tensors = tensors}), Error) << "BF16 without master";
    tensors[0].parameter = floats;
    EXPECT_THROW(adamW(runtime.context(), {.tensors = tensors, .step = 0}), Error) << "step 0";
}

TEST(AdamW, aScaleThatIsNotFiniteLeavesEverythingAlone) {
    Runtime runtime({.numThreads = 1});
    for (const DType dtype : {DType::F32, DType::F64}) {
        for (const float scale : {std::numeric_limits<float>::infinity(), kNan}) {
            std::array<double, 4> memory{1, 2, 3, 4};
            const std::array<double, 4> before = memory;
            const auto view = [&](size_t i) { return View{&memory[i], dtype, {1}}; };
            const std::array<AdamWTensor, 1> tensors{
                {{.parameter = view(0), .gradient = view(1), .m = view(2), .v = view(3), .weightDecay = 0.5F}}};
            float factor = scale;
            adamW(runtime.context(),
                  {.tensors = tensors, .gradientScale = {&factor, DType::F32, {1}}, .learningRate = 0.1F});
            EXPECT_EQ(memory, before) << dtypeName(dtype) << scale;
        }
    }
}

TEST(StepSummary, saysByItsScaleThatAStepMustNotCount) {
    Runtime runtime({.numThreads = 1});
    const auto summary = [&](double lossSum, float norm, float clipNorm) {
        std::array<float, kNumStepNumbers> out{};
        stepSummary(runtime.context(), {.lossSum = {&lossSum, DType::F64, {1}},
                                        .gradientNorm = {&norm, DType::F32, {1}},
                                        .labelTokens = 4,
                                        .clipNorm = clipNorm,
                                        .out = {out.data(), DType::F32, {kNumStepNumbers}}});
        return out;
    };
    EXPECT_EQ(summary(10, 3, 1.5F), (std::array{2.5F, 3.0F, 0.5F}));
    EXPECT_EQ(summary(10, 3, 3.0F), (std::array{2.5F, 3.0F, 1.0F}));
    EXPECT_EQ(summary(10, 3, 0.0F), (std::array{2.5F, 3.0F, 1.0F}));
    EXPECT_EQ(summary(10, 0, 1.0F), (std::array{2.5F, 0.0F, 1.0F}));
    const float infinity = std::numeric_limits<float>::infinity();
    for (const float norm : {infinity, kNan}) EXPECT_TRUE(std::isnan(summary(10, norm, 1.0F)[kStepGradientScale]));
    for (const double sum : {static_cast<double>(infinity), -static_cast<double>(infinity), static_cast<double>(kNan)})
        EXPECT_TRUE(std::isnan(summary(sum, 3, 1.0F)[kStepGradientScale]));
}

TEST(GlobalNorm, overflowsNeitherInTheSquareNorHidesNan) {
    Runtime runtime({.numThreads = 2});
    std::vector<float> large(100000, 1e25F);
    float out = 0;
    const std::vector<ConstView> tensors{{large.data(), DType::F32, {100000}}};
    globalNorm(runtime.context(), {tensors, {&out, DType::F32, {1}}});
    EXPECT_NEAR(out / 1e25F, std::sqrt(100000.0F), 1e-3F);
    large[77777] = kNan;
    globalNorm(runtime.context(), {tensors, {&out, DType::F32, {1}}});
    EXPECT_TRUE(std::isnan(out));
}

}  // namespace
}  // namespace wb::kernels
