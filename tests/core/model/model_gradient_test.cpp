// SPDX-License-Identifier: Apache-2.0
// Gradients of a whole model in double precision against central differences.
#include "core/autograd/ops.h"
#include "kernels/lm_head_loss.h"
#include "tests/core/model/tiny_model.h"

#include <gtest/gtest.h>
#include <cmath>
#include <numeric>

namespace wb::core {
namespace {

struct Problem {
    std::vector<int32_t> ids = test::someIds(11, 37, 3);
    std::vector<int32_t> bounds{0, 4, 4, 11};  // with an empty sequence
    std::vector<int32_t> labels = test::someIds(11, 37, 4);
    std::vector<AdapterRows> rows;
    uint64_t dropoutSeed = 9;

    Problem() { labels[3] = labels[10] = kernels::kIgnoredLabel; }
};

// Sum of token losses; with a tape also the gradients of every trainable parameter.
double lossOf(const kernels::Context& device, LanguageModel& model, const Problem& problem, Tape* tape) {
    RandomStream dropout{problem.dropoutSeed, 0};
    const Context context{device, tape, &dropout, problem.rows};
    const PackedInput input = packInput(device, problem.ids, positionsOf(problem.bounds), problem.bounds);
    const Tensor labels = Tensor::fromInts(device, problem.labels, kernels::MemoryOwner::Activations);
    const LmLoss loss = model.loss(context, model.forward(context, input), labels, 1.0F);
    std::vector<double> losses(problem.ids.size());
    copyToHost(device, loss.losses.value, losses.data(), losses.size() * sizeof(double));
    if (tape != nullptr) tape->backward(loss.losses, loss.losses.value);
    return std::accumulate(losses.begin(), losses.end(), 0.0);
}

double* hostDoubles(const Tensor& tensor) {
    return static_cast<double*>(tensor.data());
}

// Largest relative error over a few elements of the parameter.
void checkParameter(const kernels::Context& device, LanguageModel& model, const Problem& problem,
                    Parameter& parameter) {
    constexpr double kStep = 1e-5;
    const int64_t count = model.storedValue(parameter).count();
    for (int64_t probe = 0; probe < 5; ++probe) {
        const auto index = static_cast<size_t>(probe * (count - 1) / 4);
        double& value = hostDoubles(parameter.value)[index];
        const double original = value;
        value = original + kStep;
        const double above = lossOf(device, model, problem, nullptr);
        value = original - kStep;
        const double below = lossOf(device, model, problem, nullptr);
        value = original;
        const double expected = (above - below) / (2 * kStep);
        const double actual = hostDoubles(parameter.gradient)[index];
        EXPECT_NEAR(actual, expected, 1e-6 * std::max({1.0, std::abs(expected), std::abs(actual)}))
            << parameter.name << " element " << index;
    }
}

void checkAllParameters(const test::TinyModelOptions& options, ActivationMemory memory, const Problem& problem) {
    kernels::Runtime runtime = test::cpuRuntime();
    const kernels::Context& device = runtime.context();
    const auto model = test::tinyModel(device, DType::F64, options);
    model->setActivationMemory(memory);
    std::vector<Parameter*> parameters;
    model->visitParameters([&](Parameter& parameter) {
        makeTrainable(device, parameter);
        parameters.push_back(&parameter);
    });
    Tape tape(device);
    lossOf(device, *model, problem, &tape);
    for (Parameter* parameter : parameters) checkParameter(device, *model, problem, *parameter);
}

TEST(ModelGradient, matchesCentralDifferencesOfATwoLayerModel) {
    checkAllParameters({}, ActivationMemory::KeepAll, {});
}

TEST(ModelGradient, matchesWithTiedHeadAndWindow) {
    checkAllParameters({.hasBias = false, .isTied = true, .window = 3}, ActivationMemory::KeepAll, {});
}

TEST(ModelGradient, matchesWhenActivationsAreRecomputed) {
    checkAllParameters({}, ActivationMemory::RecomputeCheap, {});
    checkAllParameters({}, ActivationMemory::RecomputeBlocks, {});
}

TEST(ModelGradient, ofAdaptersMatchesWithDropoutOnSomeRows) {
    kernels::Runtime runtime = test::cpuRuntime();
    const kernels::Context& device = runtime.context();
    const auto model = test::tinyModel(device, DType::F64);
    Problem problem;
    problem.rows = {{.begin = 0, .end = 4, .adapter = 0}, {.begin = 6, .end = 11, .adapter = 1}};
    std::vector<std::unique_ptr<LowRankDelta>> deltas;
    uint64_t seed = 50;
    model->visitLinears([&](LinearLayer& layer) {
        for (int adapter = 0; adapter < 2; ++adapter) {
            auto delta = std::make_unique<LowRankDelta>();
            const auto filled = [&](const char* part, const Shape& shape) {
                Parameter parameter{
                    layer.name + part, Tensor::empty(device, DType::F64, shape, kernels::MemoryOwner::Weights), {}};
                std::vector<float> values;
                for (const int32_t id : test::someIds(shape.count(), 1000, seed++))
                    values.push_back(static_cast<float>(id) / 2000.0F - 0.25F);
                assignFloats(device, parameter.value, values);
                makeTrainable(device, parameter);
                return parameter;
            };
            delta->a = filled(".a", Shape{3, layer.inFeatures()});
            delta->b = filled(".b", Shape{layer.outFeatures(), 3});
            delta->scale = 0.7F;
            delta->dropout = adapter == 0 ? 0.25F : 0.0F;
            layer.deltas.push_back(delta.get());
            deltas.push_back(std::move(delta));
        }
    });
    Tape tape(device);
    lossOf(device, *model, problem, &tape);
    for (const auto& delta : deltas) {
        checkParameter(device, *model, problem, delta->a);
        checkParameter(device, *model, problem, delta->b);
    }
}

TEST(ModelGradient, neverReachesPaddedVocabularyRows) {
    kernels::Runtime runtime = test::cpuRuntime();
    const kernels::Context& device = runtime.context();
    const auto model = test::tinyModel(device, DType::F32, {.isTied = true});
    Parameter* embedding = nullptr;
    model->visitParameters([&](Parameter& parameter) {
        if (parameter.name == "model.embed_tokens.weight") embedding = &parameter;
    });
    makeTrainable(device, *embedding);
    Tape tape(device);
    const Context context{device, &tape};
    const Problem problem;
    const PackedInput input = packInput(device, problem.ids, positionsOf(problem.bounds), problem.bounds);
    const Tensor labels = Tensor::fromInts(device, problem.labels, kernels::MemoryOwner::Activations);
    const LmLoss loss = model->loss(context, model->forward(context, input), labels, 1.0F);
    tape.backward(loss.losses, loss.losses.value);
    const std::vector<float> gradient = toFloats(device, embedding->gradient);
    const size_t stored = 37 * 24;
    ASSERT_EQ(gradient.size(), size_t{64 * 24});
    EXPECT_TRUE(std::all_of(gradient.begin() + stored, gradient.end(), [](float g) { return g == 0.0F; }));
    EXPECT_TRUE(std::any_of(gradient.begin(), gradient.begin() + stored, [](float g) { return g != 0.0F; }));
}

}  // namespace
}  // namespace wb::core
