// SPDX-License-Identifier: Apache-2.0
// The loss of a language model on a device, beyond what the table of cases asks: rows longer than a block reads at a
// time, logits that are infinite, equal or no numbers, and labels that do not exist.
#include "kernels/base/error.h"
#include "kernels/elementwise.h"
#include "kernels/lm_head_loss.h"
#include "kernels/runtime/runtime.h"
#include "tests/cuda/device_bank.h"

#include <gtest/gtest.h>
#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

namespace wb::kernels {
namespace {

using testing::DeviceBank;
using testing::TensorBank;
using testing::TensorKind;
using testing::TensorRole;
using testing::TensorSpec;

std::vector<TensorSpec> lossSpecs(std::vector<int32_t> labels, int64_t vocabulary, int64_t hidden) {
    const auto tokens = static_cast<int64_t>(labels.size());
    return {
        {"hidden", {tokens, hidden}},
        {"weight", {vocabulary, hidden}},
        {"bias", {vocabulary}},
        {.name = "labels", .shape = {tokens}, .kind = TensorKind::Index, .indices = std::move(labels)},
        {"losses", {tokens}, TensorKind::Sums, TensorRole::Output},
        {"predictions", {tokens}, TensorKind::Index, TensorRole::Output},
        {"dHidden", {tokens, hidden}, TensorKind::Data, TensorRole::Output},
        {"dWeight", {vocabulary, hidden}, TensorKind::Sums, TensorRole::Accumulated, 0, 0},
        {"dBias", {vocabulary}, TensorKind::Sums, TensorRole::Accumulated, 0, 0},
    };
}

LmHeadLossArgs argsOf(const TensorBank& t) {
    return {.hidden = t.at("hidden"),
            .weight = t.at("weight"),
            .bias = t.at("bias"),
            .labels = t.at("labels"),
            .losses = t.at("losses"),
            .predictions = t.at("predictions"),
            .dHidden = t.at("dHidden"),
            .dWeight = t.at("dWeight"),
            .dBias = t.at("dBias")};
}

constexpr float kInfinity = std::numeric_limits<float>::infinity();

class DeviceLossTest : public ::testing::TestWithParam<DType> {
protected:
    void SetUp() override {
        if (const std::string reason = testing::missingDevice(); !reason.empty()) GTEST_SKIP() << reason;
        m_device = std::make_unique<Runtime>(RuntimeOptions{.device = {DeviceType::Cuda}});
    }

    // Element `index` of a tensor becomes `value` before the loss is taken.
    struct Planted {
        const char* tensor;
        int64_t index;
        float value;
    };
    TensorBank run(const std::vector<TensorSpec>& specs, const std::vector<Planted>& planted = {},
                   int64_t labelledRows = -1) {
        const Context& context = m_device->context();
        TensorBank t(specs, GetParam());
        DeviceBank moved(context, specs, t);
        for (const Planted& p : planted) {
            const View whole = t.at(p.tensor);
            const size_t offset = dtypeBytes(whole.dtype, static_cast<size_t>(p.index));
            fill(context, {{whole.as<std::byte>() + offset, whole.dtype, {1}}, p.value});
        }
        static_cast<void>(labelledRows);
        lmHeadLoss(context, argsOf(t));
        moved.download();
        return t;
    }

    std::unique_ptr<Runtime> m_device;
};

bool isFinite(const std::vector<double>& values) {
    return std::ranges::all_of(values, [](double value) { return std::isfinite(value); });
}

TEST_P(DeviceLossTest, rowsMayBeLong) {
    const auto specs = lossSpecs({5, kIgnoredLabel, 8999, 4096, 4095}, 9001, 6);
    const TensorBank found = run(specs);
    TensorBank oracle(specs, DType::F64);
    const Runtime cpu({.numThreads = 2});
    lmHeadLoss(cpu.context(), argsOf(oracle));
    for (const char* name : {"losses", "dHidden", "dWeight", "dBias"}) {
        const std::vector<double> values = found.values(name);
        const std::vector<double> expected = oracle.values(name);
        double largest = 0;
        double worst = 0;
        for (size_t i = 0; i < values.size(); ++i) {
            largest = std::max(largest, std::abs(expected[i]));
            const double difference = std::abs(values[i] - expected[i]);
            worst = std::isnan(difference) ? kInfinity : std::max(worst, difference);
        }
        // Gradients of logits are rounded to the type of the products.
        EXPECT_LE(worst, largest * (GetParam() == DType::BF16 ? 8e-3 : 2e-5)) << name;
    }
    EXPECT_EQ(found.values("predictions"), oracle.values("predictions"));
}

TEST_P(DeviceLossTest, equalLogitsGiveTheLogOfTheirNumberAndTheLowestIdWins) {
    auto specs = lossSpecs({2000, 7, kIgnoredLabel}, 5000, 4);
    for (const size_t i : {0, 2}) specs[i].low = specs[i].high = 0;
    const TensorBank t = run(specs);
    EXPECT_NEAR(t.values("losses")[0], std::log(5000.0), 1e-5);
    EXPECT_EQ(t.values("losses")[2], 0.0);
    EXPECT_EQ(t.values("predictions"), (std::vector<double>{0, 0, -1}));
}

TEST_P(DeviceLossTest, hugeLogitsStayFinite) {
    auto specs = lossSpecs({1, 7, 30}, 41, 4);
    specs[0].low = specs[0].high = 3000;
    const TensorBank t = run(specs);
    for (const char* name : {"losses", "dHidden", "dWeight", "dBias"}) EXPECT_TRUE(isFinite(t.values(name))) << name;
}

// Also as the first thing a thread meets.
TEST_P(DeviceLossTest, infiniteBiasRulesATokenOut) {
    const TensorBank t = run(lossSpecs({1, 7, 30}, 41, 4), {{"bias", 0, -kInfinity}, {"bias", 8, -kInfinity}});
    for (const char* name : {"losses", "dHidden", "dWeight", "dBias"}) EXPECT_TRUE(isFinite(t.values(name))) << name;
    EXPECT_EQ(t.values("dBias")[0], 0.0);
    EXPECT_EQ(t.values("dBias")[8], 0.0);
}

TEST_P(DeviceLossTest, whatIsNoNumberReachesTheLoss) {
    const TensorBank one = run(lossSpecs({1, 7, 30}, 41, 4), {{"hidden", 0, NAN}});
    EXPECT_TRUE(std::isnan(one.values("losses")[0]));
    EXPECT_FALSE(std::isnan(one.values("losses")[1]));
    EXPECT_TRUE(std::isnan(one.values("dHidden")[0]));
    EXPECT_TRUE(std::isnan(one.values("dWeight")[0]));
    const TensorBank all = run(lossSpecs({1, 7, 30}, 41, 4), {{"weight", 4 * 40, NAN}});
    for (const double loss : all.values("losses")) EXPECT_TRUE(std::isnan(loss));
}

// The host cannot see labels on a device: a wrong one must not pass for a number.
TEST_P(DeviceLossTest, labelsOutsideTheVocabularyMakeTheLossNan) {
    for (const int32_t bad : {-1, 41, -101}) {
        const TensorBank t = run(lossSpecs({1, bad, 30}, 41, 4));
        const std::vector<double> losses = t.values("losses");
        EXPECT_TRUE(std::isfinite(losses[0]) && std::isnan(losses[1]) && std::isfinite(losses[2])) << bad;
        EXPECT_TRUE(std::isnan(t.values("dHidden")[4])) << bad;
    }
}

INSTANTIATE_TEST_SUITE_P(Dtypes, DeviceLossTest, ::testing::Values(DType::F32, DType::BF16),
                         [](const auto& param) { return std::string(dtypeName(param.param)); });

}  // namespace
}  // namespace wb::kernels
