// SPDX-License-Identifier: Apache-2.0
// Tiny models of every architecture against what the reference library computes with them.
#include "core/model/weights.h"
#include "kernels/lm_head_loss.h"
#include "tests/core/model/golden_model.h"
#include "tests/core/model/tiny_model.h"

#include <gtest/gtest.h>
#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

namespace wb::core {
namespace {

// Of the largest value of a tensor: F32 through a few layers, with sums in another order.
constexpr double kLogitTolerance = 1e-4;
constexpr double kGradientTolerance = 1e-4;
constexpr double kLossTolerance = 1e-5;
// A gradient this much smaller than the largest one holds nothing but rounding: the bias of keys, for one, moves all
// scores of a row alike.
constexpr double kVanishing = 1e-5;

class GoldenModels : public testing::TestWithParam<std::string> {
protected:
    GoldenModels() : m_golden(GetParam()) {
        const ModelSource source = ModelSource::open(m_golden.folder());
        m_model = std::make_unique<LanguageModel>(m_device, source.config(), DType::F32);
        loadWeights(m_device, *m_model, source);
    }

    // Hidden states of all sequences in one packed pass.
    Var forward(const Context& context) {
        PackedInput input = packed(m_golden.isEncoderDecoder() ? "decoder_inputs" : "sequences");
        if (m_golden.isEncoderDecoder()) input.source = std::make_shared<PackedInput>(packed("sources"));
        return m_model->forward(context, input);
    }

    PackedInput packed(const char* key) const {
        const test::GoldenModel::Packed rows = m_golden.packed(key);
        return packInput(m_device, rows.ids, positionsOf(rows.bounds), rows.bounds);
    }

    Tensor labels() const {
        return Tensor::fromInts(m_device, m_golden.packed("labels").ids, kernels::MemoryOwner::Activations);
    }
    double trainedLabels() const {
        const std::vector<int32_t> ids = m_golden.packed("labels").ids;
        return static_cast<double>(ids.size()) - static_cast<double>(std::ranges::count(ids, kernels::kIgnoredLabel));
    }

    // Mean loss; with a tape also the gradients of everything trainable.
    double meanLoss(Tape* tape) {
        const Context context{m_device, tape};
        const LmLoss loss =
            m_model->loss(context, forward(context), labels(), static_cast<float>(1.0 / trainedLabels()));
        const std::vector<float> losses = toFloats(m_device, loss.losses.value);
        if (tape != nullptr) tape->backward(loss.losses, loss.losses.value);
        return std::accumulate(losses.begin(), losses.end(), 0.0) / trainedLabels();
    }

    test::GoldenModel m_golden;
    kernels::Runtime m_runtime = test::cpuRuntime();
    const kernels::Context& m_device = m_runtime.context();
    std::unique_ptr<LanguageModel> m_model;
};

double largestDifference(const std::vector<float>& a, const std::vector<float>& b) {
    double largest = 0;
    for (size_t i = 0; i < a.size(); ++i) {
        const double difference = std::abs(static_cast<double>(a[i]) - b[i]);
        if (!(difference <= largest)) largest = difference;  // NaN stays
    }
    return largest;
}

std::vector<float> transposed(const std::vector<float>& values, const Shape& shape) {
    const auto rows = static_cast<size_t>(shape[0]);
    const auto columns = static_cast<size_t>(shape[1]);
    std::vector<float> turned(values.size());
    for (size_t row = 0; row < rows; ++row) {
        for (size_t column = 0; column < columns; ++column)
            turned[column * rows + row] = values[row * columns + column];
    }
    return turned;
}

TEST_P(GoldenModels, logitsEqualTheReference) {
    const test::GoldenTensor expected = m_golden.tensor("logits");
    const Context context{m_device};
    const std::vector<float> logits = toFloats(m_device, m_model->logits(m_device, forward(context).value));
    ASSERT_EQ(logits.size(), expected.values.size());
    EXPECT_LE(largestDifference(logits, expected.values), kLogitTolerance * expected.largest());
}

TEST_P(GoldenModels, lossAndGradientsEqualTheReference) {
    m_model->visitParameters([&](Parameter& parameter) { makeTrainable(m_device, parameter); });
    Tape tape(m_device);
    const double expectedLoss = m_golden.expected().at("loss").get<double>();
    EXPECT_NEAR(meanLoss(&tape), expectedLoss, kLossTolerance * std::max(1.0, expectedLoss));

    std::map<std::string, test::GoldenTensor> expected;
    float largest = 0;
    for (const std::string& name : m_golden.gradientNames()) {
        const auto& tensor = expected.emplace(name, m_golden.tensor("grad." + name)).first->second;
        largest = std::max(largest, tensor.largest());
    }
    std::map<std::string, bool> isTransposed;
    for (const NamedTensor& stored : storedWeights(*m_model)) isTransposed[stored.name] = stored.isTransposed;
    size_t compared = 0;
    m_model->visitParameters([&](Parameter& parameter) {
        const auto found = expected.find(parameter.name);
        if (found == expected.end()) return;
        ++compared;
        std::vector<float> values = toFloats(m_device, parameter.gradient);
        if (isTransposed.at(parameter.name)) values = transposed(values, parameter.gradient.shape());
        // Rows that pad the vocabulary come last and have no gradient.
        ASSERT_GE(values.size(), found->second.values.size()) << parameter.name;
        for (size_t i = found->second.values.size(); i < values.size(); ++i) ASSERT_EQ(values[i], 0) << parameter.name;
        values.resize(found->second.values.size());
        const double scale = found->second.largest();
        const double tolerance = scale < kVanishing * largest ? kVanishing * largest : kGradientTolerance * scale;
        EXPECT_LE(largestDifference(values, found->second.values), tolerance) << parameter.name;
    });
    EXPECT_EQ(compared, expected.size()) << "weights of the reference that the model does not name";
}

// What adapters need: every projection takes one, and its update moves the loss.
TEST_P(GoldenModels, everyProjectionTakesAnAdapter) {
    std::vector<std::unique_ptr<LowRankDelta>> deltas;
    std::vector<std::string> names;
    m_model->visitLinears([&](LinearLayer& layer) {
        auto delta = std::make_unique<LowRankDelta>();
        const auto make = [&](int64_t rows, int64_t columns, float value) {
            Parameter parameter{
                layer.name,
                Tensor::empty(m_device, DType::F32, Shape{rows, columns}, kernels::MemoryOwner::Weights),
                {}};
            assignFloats(m_device, parameter.value, std::vector<float>(static_cast<size_t>(rows * columns), value));
            makeTrainable(m_device, parameter);
            return parameter;
        };
        delta->a = make(2, layer.inFeatures(), 0.1F);
        delta->b = make(layer.outFeatures(), 2, 0.0F);
        layer.deltas.assign(1, delta.get());
        names.push_back(layer.name);
        deltas.push_back(std::move(delta));
    });
    ASSERT_FALSE(deltas.empty());
    Tape tape(m_device);
    const auto rows = static_cast<int64_t>(m_golden.packed("labels").ids.size());
    const std::vector<AdapterRows> adapterRows{{0, rows, 0}};
    const Context context{m_device, &tape, nullptr, adapterRows};
    const LmLoss loss = m_model->loss(context, forward(context), labels(), 1.0F);
    tape.backward(loss.losses, loss.losses.value);
    for (size_t i = 0; i < deltas.size(); ++i) {
        const std::vector<float> gradient = toFloats(m_device, deltas[i]->b.gradient);
        EXPECT_TRUE(std::ranges::any_of(gradient, [](float value) { return value != 0; })) << names[i];
    }
    m_model->visitLinears([](LinearLayer& layer) { layer.deltas.clear(); });
}

INSTANTIATE_TEST_SUITE_P(Reference, GoldenModels, testing::ValuesIn(test::GoldenModel::names()),
                         [](const auto& test) { return test.param; });

}  // namespace
}  // namespace wb::core
