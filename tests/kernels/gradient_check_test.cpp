// SPDX-License-Identifier: Apache-2.0
// Gradients of every op against central differences in double.
#include "tests/kernels/gradient_check.h"

#include "kernels/runtime/runtime.h"
#include "tests/kernels/op_case.h"

#include <gtest/gtest.h>

namespace wb::kernels {
namespace {

using testing::OpCase;
using testing::TensorBank;

// Differences cost two runs an element: the larger cases add nothing here.
constexpr int64_t kMaxElements = 3000;

bool isWanted(const OpCase& c) {
    int64_t elements = 0;
    for (const auto& tensor : c.tensors) elements += tensor.shape.count();
    return !c.inputsAndGradients.empty() && elements > 0 && elements <= kMaxElements;
}

double objective(const Context& context, const OpCase& c, TensorBank& bank) {
    bank.reset();
    c.forward(context, bank);
    double sum = 0;
    for (const auto& [output, upstream] : c.outputsAndUpstream) {
        const std::vector<double> values = bank.values(output);
        const std::vector<double> weights = bank.values(upstream);
        for (size_t i = 0; i < values.size(); ++i) sum += values[i] * weights[i];
    }
    return sum;
}

void checkGradients(const OpCase& c) {
    Runtime runtime({.numThreads = 1});
    const Context& context = runtime.context();
    TensorBank bank(c.tensors, DType::F64);
    bank.reset();
    std::vector<std::vector<double>> gradients;
    for (const auto& [input, gradient] : c.inputsAndGradients) gradients.push_back(bank.values(gradient));
    c.forward(context, bank);
    if (c.backward) c.backward(context, bank);
    for (size_t i = 0; i < gradients.size(); ++i) {
        // Gradients that accumulate started from something else than zero.
        const auto& [input, gradient] = c.inputsAndGradients[i];
        const auto spec = std::ranges::find(c.tensors, gradient, &testing::TensorSpec::name);
        const bool isAccumulated = spec->role == testing::TensorRole::Accumulated;
        const std::vector<double> after = bank.values(gradient);
        for (size_t j = 0; j < after.size(); ++j) gradients[i][j] = after[j] - (isAccumulated ? gradients[i][j] : 0);
    }
    for (size_t i = 0; i < gradients.size(); ++i) {
        const auto& [input, gradient] = c.inputsAndGradients[i];
        const double error =
            testing::worstGradientError([&] { return objective(context, c, bank); }, bank.doubles(input), gradients[i]);
        EXPECT_LT(error, testing::kGradientTolerance) << gradient;
    }
}

class GradientTest : public ::testing::TestWithParam<testing::OpCaseTable> {};

TEST_P(GradientTest, matchesCentralDifferences) {
    for (const OpCase& c : GetParam().cases()) {
        if (!isWanted(c)) continue;
        SCOPED_TRACE(c.name);
        checkGradients(c);
    }
}

INSTANTIATE_TEST_SUITE_P(Kernels, GradientTest, ::testing::ValuesIn(testing::opCaseTables()),
                         [](const auto& table) { return std::string(table.param.name); });

}  // namespace
}  // namespace wb::kernels
