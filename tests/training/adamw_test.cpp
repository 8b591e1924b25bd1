// SPDX-License-Identifier: Apache-2.0
#include "training/optimizers/adamw.h"

#include "kernels/base/float_formats.h"
#include "kernels/runtime/runtime.h"
#include "kernels/step_summary.h"
#include "tests/training/training_fixture.h"

#include <cmath>

namespace wb::training {
namespace {

using core::Parameter;
using core::Tensor;
using kernels::MemoryOwner;

// The formula of the contract in double, element by element.
struct HandAdamW {
    AdamWOptions options;
    std::vector<double> w, m, v;

    explicit HandAdamW(const AdamWOptions& o, std::vector<double> start)
        : options(o), w(std::move(start)), m(w.size(), 0.0), v(w.size(), 0.0) {}

    void update(const std::vector<double>& gradient, double learningRate, double scale, int64_t step, double decay) {
        const double b1 = options.beta1;
        const double b2 = options.beta2;
        for (size_t i = 0; i < w.size(); ++i) {
            const double g = gradient[i] * scale;
            m[i] = b1 * m[i] + (1 - b1) * g;
            v[i] = b2 * v[i] + (1 - b2) * g * g;
            const double mHat = m[i] / (1 - std::pow(b1, static_cast<double>(step)));
            const double vHat = v[i] / (1 - std::pow(b2, static_cast<double>(step)));
            w[i] -= learningRate * (mHat / (std::sqrt(vHat) + static_cast<double>(options.epsilon)) + decay * w[i]);
        }
    }
};

class AdamWTest : public testing::Test {
protected:
    Parameter parameter(const std::string& name, const Shape& shape, DType dtype, const std::vector<float>& values) {
        Parameter made{name, Tensor::empty(m_context, dtype, shape, MemoryOwner::Weights), {}};
        core::assignFloats(m_context, made.value, values);
        core::makeTrainable(m_context, made);
        return made;
    }
    void setGradient(Parameter& parameter, const std::vector<float>& values) {
        core::assignFloats(m_context, parameter.gradient, values);
    }
    // Makes the summary of the gradients; the norm.
    float summarize(AdamW& optimizer) {
        const Tensor lossSum = Tensor::zeros(m_context, DType::F64, Shape{1}, MemoryOwner::Workspace);
        return valuesOf(optimizer.summarize(lossSum, 1))[kernels::kStepGradientNorm];
    }
    void update(AdamW& optimizer, float learningRate, int64_t step) {
        summarize(optimizer);
        optimizer.update(learningRate, step);
    }
    std::vector<float> valuesOf(const Tensor& tensor) { return core::toFloats(m_context, tensor); }

    void expectNear(const std::vector<float>& actual, const std::vector<double>& expected, double tolerance) {
        ASSERT_EQ(actual.size(), expected.size());
        for (size_t i = 0; i < actual.size(); ++i) {
            EXPECT_NEAR(static_cast<double>(actual[i]), expected[i], tolerance * std::max(1.0, std::abs(expected[i])));
        }
    }

    kernels::Runtime m_runtime = test::trainingRuntime();
    const kernels::Context& m_context = m_runtime.context();
    // 5 x 3: no multiple of a vector; and a vector, which is not decayed.
    const std::vector<float> m_matrix{0.5F,  -1.0F, 2.0F, 0.0F, 3.0F,  -0.25F, 1e-3F, 7.0F,
                                      -2.0F, 0.1F,  0.2F, 0.3F, -0.4F, 1.5F,   -9.0F};
    const std::vector<float> m_vector{1.0F, -1.0F, 0.25F};
};

std::vector<double> widened(const std::vector<float>& values) {
    return {values.begin(), values.end()};
}

std::vector<float> gradientOf(size_t count, int64_t step) {
    std::vector<float> values(count);
    for (size_t i = 0; i < count; ++i) {
        values[i] = 0.3F * std::sin(static_cast<float>(i + 1) * static_cast<float>(step)) + 0.05F;
    }
    return values;
}

TEST_F(AdamWTest, followsTheFormulaOverFiveStepsWithClippingAndDecay) {
    const AdamWOptions options{.beta1 = 0.9F, .beta2 = 0.99F, .epsilon = 1e-6F, .weightDecay = 0.1F, .clipNorm = 0.5F};
    Parameter matrix = parameter("a.weight", Shape{5, 3}, DType::F32, m_matrix);
    Parameter vector = parameter("a.bias", Shape{3}, DType::F32, m_vector);
    AdamW optimizer(m_context, {&matrix, &vector}, options);
    HandAdamW handMatrix(options, widened(m_matrix));
    HandAdamW handVector(options, widened(m_vector));
    for (int64_t step = 1; step <= 5; ++step) {
        const std::vector<float> gradientM = gradientOf(15, step);
        const std::vector<float> gradientV = gradientOf(3, -step);
        setGradient(matrix, gradientM);
        setGradient(vector, gradientV);
        double sum = 0;
        for (const float g : gradientM) sum += static_cast<double>(g) * g;
        for (const float g : gradientV) sum += static_cast<double>(g) * g;
        const double norm = std::sqrt(sum);
        const float measured = summarize(optimizer);
        EXPECT_NEAR(static_cast<double>(measured), norm, 1e-6 * norm);
        ASSERT_GT(norm, 0.5) << "clipping must act";
        optimizer.update(0.01F, step);
        handMatrix.update(widened(gradientM), 0.01, 0.5 / norm, step, 0.1);
        handVector.update(widened(gradientV), 0.01, 0.5 / norm, step, 0.0);
        expectNear(valuesOf(matrix.value), handMatrix.w, 1e-6);
        expectNear(valuesOf(vector.value), handVector.w, 1e-6);
    }
}

TEST_F(AdamWTest, gradientsBelowTheLimitAreNotScaled) {
    const AdamWOptions options{.clipNorm = 100.0F};
    Parameter matrix = parameter("a.weight", Shape{5, 3}, DType::F32, m_matrix);
    AdamW optimizer(m_context, {&matrix}, options);
    HandAdamW hand(options, widened(m_matrix));
    setGradient(matrix, gradientOf(15, 2));
    update(optimizer, 0.1F, 1);
    hand.update(widened(gradientOf(15, 2)), 0.1, 1.0, 1, 0.0);
    expectNear(valuesOf(matrix.value), hand.w, 1e-6);
}

TEST_F(AdamWTest, zeroClipNormTurnsClippingOff) {
    Parameter matrix = parameter("a.weight", Shape{5, 3}, DType::F32, m_matrix);
    AdamW optimizer(m_context, {&matrix}, {.epsilon = 1.0F, .clipNorm = 0.0F});
    HandAdamW hand({.epsilon = 1.0F}, widened(m_matrix));
    std::vector<float> large = gradientOf(15, 3);
    for (float& g : large) g *= 1e4F;
    setGradient(matrix, large);
    update(optimizer, 0.1F, 1);
    hand.update(widened(large), 0.1, 1.0, 1, 0.0);
    expectNear(valuesOf(matrix.value), hand.w, 1e-6);
}

TEST_F(AdamWTest, firstStepMovesEveryWeightByTheLearningRate) {
    // m-hat / sqrt(v-hat) is the sign of the gradient in step 1.
    Parameter matrix = parameter("a.weight", Shape{5, 3}, DType::F32, std::vector<float>(15, 0.0F));
    AdamW optimizer(m_context, {&matrix}, {.epsilon = 0.0F});
    setGradient(matrix, gradientOf(15, 1));
    update(optimizer, 0.125F, 1);
    const std::vector<float> gradient = gradientOf(15, 1);
    const std::vector<float> moved = valuesOf(matrix.value);
    for (size_t i = 0; i < 15; ++i) EXPECT_NEAR(moved[i], gradient[i] > 0 ? -0.125F : 0.125F, 1e-7F);
}

TEST_F(AdamWTest, bf16WeightsFollowTheirF32Masters) {
    const AdamWOptions options{.weightDecay = 0.01F};
    std::vector<float> start;
    for (const float value : m_matrix) start.push_back(static_cast<float>(BFloat16(value)));
    Parameter half = parameter("a.weight", Shape{5, 3}, DType::BF16, start);
    Parameter full = parameter("a.weight", Shape{5, 3}, DType::F32, start);
    ASSERT_EQ(half.gradient.dtype(), DType::F32);
    AdamW halfOptimizer(m_context, {&half}, options);
    AdamW fullOptimizer(m_context, {&full}, options);
    // Steps far below the spacing of BF16 numbers: alone they would all be rounded away.
    for (int64_t step = 1; step <= 60; ++step) {
        setGradient(half, gradientOf(15, 1));
        setGradient(full, gradientOf(15, 1));
        update(halfOptimizer, 1e-3F, step);
        update(fullOptimizer, 1e-3F, step);
    }
    std::vector<float> master;
    halfOptimizer.visitState([&](const std::string& name, Tensor& tensor) {
        if (name == "a.weight.master") master = valuesOf(tensor);
    });
    EXPECT_EQ(master, valuesOf(full.value)) << "the same arithmetic on the same numbers";
    const std::vector<float> rounded = valuesOf(half.value);
    for (size_t i = 0; i < master.size(); ++i) {
        EXPECT_EQ(rounded[i], static_cast<float>(BFloat16(master[i])));
        EXPECT_NE(rounded[i], start[i]) << "weight " << i << " has moved in the end";
    }
}

TEST_F(AdamWTest, stateIsNamedByParameterAndComplete) {
    Parameter full = parameter("x.weight", Shape{2, 2}, DType::F32, {1, 2, 3, 4});
    Parameter half = parameter("y.weight", Shape{2, 2}, DType::BF16, {1, 2, 3, 4});
    AdamW optimizer(m_context, {&full, &half}, {});
    std::vector<std::string> names;
    optimizer.visitState([&names](const std::string& name, Tensor&) { names.push_back(name); });
    EXPECT_THAT(names, testing::ElementsAre("x.weight.m", "x.weight.v", "y.weight.m", "y.weight.v", "y.weight.master"));
}

TEST_F(AdamWTest, clearingForgetsTheGradientOnly) {
    Parameter matrix = parameter("a.weight", Shape{5, 3}, DType::F32, m_matrix);
    AdamW optimizer(m_context, {&matrix}, {});
    setGradient(matrix, gradientOf(15, 1));
    optimizer.clearGradients();
    EXPECT_EQ(valuesOf(core::gradientSum(m_context, matrix)), std::vector<float>(15, 0.0F));
    EXPECT_EQ(summarize(optimizer), 0.0F);
    EXPECT_EQ(valuesOf(matrix.value), m_matrix);
}

}  // namespace
}  // namespace wb::training
