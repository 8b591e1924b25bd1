// SPDX-License-Identifier: Apache-2.0
#include "kernels/gated_activation.h"
#include "tests/kernels/op_case.h"

#include <fmt/format.h>
#include <array>

namespace wb::kernels::testing {
namespace {

constexpr std::array<std::pair<Activation, const char*>, 5> kActivations{{{Activation::Silu, "silu"},
                                                                          {Activation::Gelu, "gelu"},
                                                                          {Activation::GeluTanh, "gelu_tanh"},
                                                                          {Activation::Relu, "relu"},
                                                                          {Activation::Sigmoid, "sigmoid"}}};

OpCase gatedCase(Activation activation, const char* name, int64_t rows, int64_t columns, double reach) {
    OpCase c;
    c.name = fmt::format("gated_{}_{}x{}_to_{}", name, rows, columns, reach);
    c.tensors = {
        {.name = "gate", .shape = {rows, columns}, .low = -reach, .high = reach},
        {"up", {rows, columns}},
        {.name = "out", .shape = {rows, columns}, .role = TensorRole::Output},
        {"dOut", {rows, columns}},
        {.name = "dGate", .shape = {rows, columns}, .role = TensorRole::Output},
        {.name = "dUp", .shape = {rows, columns}, .role = TensorRole::Output},
    };
    c.forward = [activation](const Context& context, const TensorBank& t) {
        gatedActivationForward(context, {t.at("gate"), t.at("up"), t.at("out"), activation});
    };
    c.backward = [activation](const Context& context, const TensorBank& t) {
        gatedActivationBackward(context,
                                {t.at("dOut"), t.at("gate"), t.at("up"), t.at("dGate"), t.at("dUp"), activation});
    };
    c.outputsAndUpstream = {{"out", "dOut"}};
    c.inputsAndGradients = {{"gate", "dGate"}, {"up", "dUp"}};
    c.conditioning = 4;
    return c;
}

}  // namespace

std::vector<OpCase> gatedActivationCases() {
    std::vector<OpCase> cases;
    for (const auto& [activation, name] : kActivations) {
        cases.push_back(gatedCase(activation, name, 1, 1, 3));
        cases.push_back(gatedCase(activation, name, 3, 19, 6));
        cases.push_back(gatedCase(activation, name, 2, 64, 100));
        cases.push_back(gatedCase(activation, name, 0, 8, 1));
        cases.push_back(gatedCase(activation, name, 67, 129, 4));
    }
    cases.push_back(gatedCase(Activation::Silu, "silu", 2048, 1408, 4));
    cases.back().isBenchmark = true;
    return cases;
}

}  // namespace wb::kernels::testing
