// SPDX-License-Identifier: Apache-2.0
// Linear layers under adapters that bring a magnitude, biases or whole weights: values against the formula, gradients
// in double precision against central differences.
#include "core/autograd/ops.h"
#include "kernels/linear.h"
#include "tests/core/model/tiny_model.h"

#include <gtest/gtest.h>
#include <cmath>
#include <numeric>

namespace wb::core {
namespace {

constexpr int64_t kRows = 9;
constexpr int64_t kIn = 5;
constexpr int64_t kOut = 7;
constexpr int64_t kRank = 3;

// Two adapters on one layer, over some rows: 0 with a magnitude, 1 with replaced weights and a bias of B.
class AdaptedLinearTest : public testing::Test {
protected:
    AdaptedLinearTest() {
        m_weight = filled("weight", Shape{kOut, kIn}, 1);
        m_bias = filled("bias", Shape{kOut}, 2);
        m_ownWeight = filled("own weight", Shape{kOut, kIn}, 3);
        m_ownBias = filled("own bias", Shape{kOut}, 4);
        m_otherBias = filled("other bias", Shape{kOut}, 5);
        m_decomposed.a = filled("a0", Shape{kRank, kIn}, 6);
        m_decomposed.b = filled("b0", Shape{kOut, kRank}, 7);
        m_decomposed.magnitude = filled("magnitude", Shape{kOut}, 8);
        m_decomposed.scale = 0.7F;
        m_plain.a = filled("a1", Shape{kRank, kIn}, 9);
        m_plain.b = filled("b1", Shape{kOut, kRank}, 10);
        m_plain.biasB = filled("biasB", Shape{kOut}, 11);
        m_plain.scale = 1.3F;
        m_weight.replacements = {nullptr, &m_ownWeight};
        m_bias.replacements = {&m_otherBias, &m_ownBias};
        m_x = filled("x", Shape{kRows, kIn}, 12).value;
        m_upstream = filled("upstream", Shape{kRows, kOut}, 13).value;
        refreshNorms(m_device, m_decomposed, m_weight.value);
    }

    Parameter filled(const std::string& name, const Shape& shape, uint64_t seed) {
        Parameter parameter{name, Tensor::empty(m_device, DType::F64, shape, kernels::MemoryOwner::Weights), {}};
        std::vector<float> values;
        for (const int32_t id : test::someIds(shape.count(), 1000, seed))
            values.push_back(static_cast<float>(id) / 500.0F - 1.0F);
        assignFloats(m_device, parameter.value, values);
        return parameter;
    }

    std::vector<Parameter*> parameters() {
        return {&m_bias,         &m_ownWeight, &m_ownBias, &m_otherBias,   &m_decomposed.a,
                &m_decomposed.b, &m_plain.a,   &m_plain.b, &m_plain.biasB, &m_decomposed.magnitude};
    }

    // The layer's output; with a tape its gradients for `m_upstream`, and that of x.
    Tensor run(Tape* tape, Tensor* dX = nullptr) {
        RandomStream dropout{17, 0};
        const Context context{m_device, tape, &dropout, m_rows};
        const Var x = tape != nullptr ? tape->leaf(m_x) : Var{m_x};
        const std::vector<LowRankDelta*> deltas{&m_decomposed, &m_plain};
        const Var out = linear(context, x, m_weight, &m_bias, deltas);
        if (tape != nullptr) {
            tape->backward(out, m_upstream);
            *dX = tape->takeGradient(x.node);
        }
        return out.value;
    }

    static double* doubles(const Tensor& tensor) { return static_cast<double*>(tensor.data()); }

    double objective() {
        const Tensor out = run(nullptr);
        return std::inner_product(doubles(out), doubles(out) + out.count(), doubles(m_upstream), 0.0);
    }

    void expectGradient(double& value, double actual, const std::string& what) {
        constexpr double kStep = 1e-5;
        const double original = value;
        value = original + kStep;
        const double above = objective();
        value = original - kStep;
        const double below = objective();
        value = original;
        const double expected = (above - below) / (2 * kStep);
        EXPECT_NEAR(actual, expected, 1e-7 * std::max(1.0, std::abs(expected))) << what;
    }

    void expectAllGradients() {
        for (Parameter* parameter : parameters()) makeTrainable(m_device, *parameter);
        Tape tape(m_device);
        Tensor dX;
        run(&tape, &dX);
        for (int64_t i = 0; i < m_x.count(); ++i) expectGradient(doubles(m_x)[i], doubles(dX)[i], "x");
        for (Parameter* parameter : parameters()) {
            for (int64_t i = 0; i < parameter->value.count(); ++i)
                expectGradient(doubles(parameter->value)[i], doubles(parameter->gradient)[i], parameter->name);
        }
    }

    kernels::Runtime m_runtime = test::cpuRuntime();
    const kernels::Context& m_device = m_runtime.context();
    Parameter m_weight, m_bias, m_ownWeight, m_ownBias, m_otherBias;
    LowRankDelta m_decomposed, m_plain;
    Tensor m_x, m_upstream;
    std::vector<AdapterRows> m_rows{{.begin = 1, .end = 4, .adapter = 0},
                                    {.begin = 4, .end = 4, .adapter = 1},
                                    {.begin = 6, .end = 9, .adapter = 1}};
};

TEST_F(AdaptedLinearTest, eachRowHasTheFormulaOfItsAdapter) {
    const Tensor out = run(nullptr);
    const auto sum = [&](const Parameter& weight, int64_t o, int64_t t) {
        double total = 0;
        for (int64_t i = 0; i < kIn; ++i) total += doubles(weight.value)[o * kIn + i] * doubles(m_x)[t * kIn + i];
        return total;
    };
    const auto lowRank = [&](const LowRankDelta& delta, int64_t o, int64_t i) {
        double total = 0;
        for (int64_t r = 0; r < kRank; ++r)
            total += doubles(delta.b.value)[o * kRank + r] * doubles(delta.a.value)[r * kIn + i];
        return static_cast<double>(delta.scale) * total;
    };
    for (int64_t t = 0; t < kRows; ++t) {
        for (int64_t o = 0; o < kOut; ++o) {
            double expected = sum(m_weight, o, t) + doubles(m_bias.value)[o];
            if (t >= 1 && t < 4) {
                double squares = 0;
                double product = 0;
                for (int64_t i = 0; i < kIn; ++i) {
                    const double v = doubles(m_weight.value)[o * kIn + i] + lowRank(m_decomposed, o, i);
                    squares += v * v;
                    product += v * doubles(m_x)[t * kIn + i];
                }
                expected = doubles(m_decomposed.magnitude.value)[o] * product / std::sqrt(squares) +
                           doubles(m_otherBias.value)[o];
            } else if (t >= 6) {
                expected = sum(m_ownWeight, o, t) + doubles(m_ownBias.value)[o] +
                           static_cast<double>(m_plain.scale) * doubles(m_plain.biasB.value)[o];
                for (int64_t i = 0; i < kIn; ++i) expected += lowRank(m_plain, o, i) * doubles(m_x)[t * kIn + i];
            }
            EXPECT_NEAR(doubles(out)[t * kOut + o], expected, 1e-12) << "row " << t << " column " << o;
        }
    }
}

TEST_F(AdaptedLinearTest, gradientsMatchCentralDifferences) {
    expectAllGradients();
}

TEST_F(AdaptedLinearTest, gradientsMatchWithDropout) {
    m_decomposed.dropout = 0.4F;
    m_plain.dropout = 0.3F;
    expectAllGradients();
}

TEST_F(AdaptedLinearTest, rowsOfTheBaseHaveTheBitsOfTheBaseAlone) {
    const Tensor beside = run(nullptr);
    m_rows.clear();
    const Tensor alone = run(nullptr);
    for (const int64_t t : {0, 4, 5}) {
        EXPECT_TRUE(std::equal(doubles(alone) + t * kOut, doubles(alone) + (t + 1) * kOut, doubles(beside) + t * kOut))
            << "row " << t;
    }
}

TEST_F(AdaptedLinearTest, magnitudeOfTheNormChangesNothing) {
    // At the start of training: B = 0 and the magnitude is the norm itself.
    std::fill_n(doubles(m_decomposed.b.value), kOut * kRank, 0.0);
    refreshNorms(m_device, m_decomposed, m_weight.value);
    for (int64_t o = 0; o < kOut; ++o)
        doubles(m_decomposed.magnitude.value)[o] = 1 / doubles(m_decomposed.inverseNorms)[o];
    m_bias.replacements.clear();
    const Tensor tuned = run(nullptr);
    m_rows.clear();
    const Tensor base = run(nullptr);
    for (int64_t i = kOut; i < 4 * kOut; ++i) EXPECT_NEAR(doubles(tuned)[i], doubles(base)[i], 1e-14);
}

TEST_F(AdaptedLinearTest, rowsOutOfOrderAreAnError) {
    std::swap(m_rows.front(), m_rows.back());
    EXPECT_ANY_THROW(run(nullptr));
}

}  // namespace
}  // namespace wb::core
