// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/cpu_features.h"
#include "kernels/linear.h"
#include "tests/kernels/op_case.h"

#include <fmt/format.h>

namespace wb::kernels::testing {
namespace {

struct LinearVariant {
    const char* name = "plain";
    float alpha = 1.0F;
    Write write = Write::Replace;
    bool hasBias = false;
    bool hasWideOutput = false;  // F32 output of BF16 inputs
};

OpCase linearCase(int64_t tokens, int64_t outputs, int64_t inputs, const LinearVariant& v) {
    OpCase c;
    c.name = fmt::format("linear_{}_{}x{}x{}", v.name, tokens, outputs, inputs);
    const TensorKind outKind = v.hasWideOutput ? TensorKind::Sums : TensorKind::Data;
    const TensorRole outRole = v.write == Write::Add ? TensorRole::Accumulated : TensorRole::Output;
    c.tensors = {
        {"x", {tokens, inputs}},
        {"weight", {outputs, inputs}},
        {"out", {tokens, outputs}, outKind, outRole},
        {"dOut", {tokens, outputs}},
        {"dX", {tokens, inputs}, outKind, outRole},
        {"dWeight", {outputs, inputs}, TensorKind::Sums, outRole},
    };
    if (v.hasBias) {
        c.tensors.push_back({"bias", {outputs}});
        c.tensors.push_back({"dBias", {outputs}, TensorKind::Sums, TensorRole::Accumulated});
    }
    c.forward = [v](const Context& context, const TensorBank& t) {
        linearForward(context, {.x = t.at("x"),
                                .weight = t.at("weight"),
                                .bias = t.find("bias"),
                                .out = t.at("out"),
                                .alpha = v.alpha,
                                .write = v.write});
    };
    c.backward = [v](const Context& context, const TensorBank& t) {
        linearBackwardInput(
            context,
            {.dOut = t.at("dOut"), .weight = t.at("weight"), .dX = t.at("dX"), .alpha = v.alpha, .write = v.write});
        linearBackwardWeight(context, {.dOut = t.at("dOut"),
                                       .x = t.at("x"),
                                       .dWeight = t.at("dWeight"),
                                       .dBias = t.find("dBias"),
                                       .alpha = v.alpha,
                                       .write = v.write});
    };
    c.outputsAndUpstream = {{"out", "dOut"}};
    c.inputsAndGradients = {{"x", "dX"}, {"weight", "dWeight"}};
    if (v.hasBias) c.inputsAndGradients.emplace_back("bias", "dBias");
    c.reductionLength = std::max({inputs, outputs, tokens});
    c.isThreadIndependent = !cpu::cpuFeatures().hasNativeBf16;  // oneDNN chooses its blocking by the team
    return c;
}

}  // namespace

std::vector<OpCase> linearCases() {
    const LinearVariant plain;
    const LinearVariant bias{.name = "bias", .hasBias = true};
    const LinearVariant scaled{.name = "scaled_bias", .alpha = 0.5F, .hasBias = true};
    const LinearVariant adding{.name = "scaled_add", .alpha = -1.5F, .write = Write::Add};
    const LinearVariant addingBias{.name = "add_bias", .alpha = 2.0F, .write = Write::Add, .hasBias = true};
    const LinearVariant wide{.name = "wide_output", .hasWideOutput = true};
    std::vector<OpCase> cases;
    for (const LinearVariant& v : {plain, bias, scaled, adding, addingBias, wide}) {
        cases.push_back(linearCase(1, 1, 1, v));
        cases.push_back(linearCase(1, 37, 65, v));
        cases.push_back(linearCase(3, 9, 17, v));
        cases.push_back(linearCase(16, 33, 40, v));
        cases.push_back(linearCase(17, 19, 23, v));
    }
    for (const LinearVariant& v : {plain, scaled, addingBias, wide}) {
        cases.push_back(linearCase(129, 67, 131, v));
        cases.push_back(linearCase(40, 600, 530, v));  // more than one tile of widened BF16
        cases.push_back(linearCase(530, 20, 33, v));
    }
    cases.push_back(linearCase(0, 4, 8, plain));
    cases.push_back(linearCase(0, 4, 8, bias));
    for (const auto& [t, o, i] : {std::array<int64_t, 3>{1, 2048, 2048},
                                  {4, 2048, 2048},
                                  {16, 2048, 2048},
                                  {512, 512, 512},
                                  {512, 1408, 512},
                                  {512, 512, 1408},
                                  {512, 2048, 2048}}) {
        cases.push_back(linearCase(t, o, i, plain));
        cases.back().isBenchmark = true;
    }
    return cases;
}

}  // namespace wb::kernels::testing
