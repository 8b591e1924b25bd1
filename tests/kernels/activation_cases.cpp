// SPDX-License-Identifier: Apache-2.0
#include "kernels/activation.h"
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

OpCase activationCase(Activation activation, const char* name, const Shape& shape, double reach) {
    OpCase c;
    c.name = fmt::format("activation_{}_{}_to_{}", name, shape.count(), reach);
    c.tensors = {
        {.name = "x", .shape = shape, .low = -reach, .high = reach},
        {.name = "out", .shape = shape, .role = TensorRole::Output},
        {"dOut", shape},
        {.name = "dX", .shape = shape, .role = TensorRole::Output},
    };
    c.forward = [activation](const Context& context, const TensorBank& t) {
        activationForward(context, {t.at("x"), t.at("out"), activation});
    };
    c.backward = [activation](const Context& context, const TensorBank& t) {
        activationBackward(context, {t.at("dOut"), t.at("x"), t.at("dX"), activation});
    };
    c.outputsAndUpstream = {{"out", "dOut"}};
    c.inputsAndGradients = {{"x", "dX"}};
    c.conditioning = 4;
    return c;
}

}  // namespace

std::vector<OpCase> activationCases() {
    std::vector<OpCase> cases;
    for (const auto& [activation, name] : kActivations) {
        cases.push_back(activationCase(activation, name, {1}, 3));
        cases.push_back(activationCase(activation, name, {3, 19}, 6));
        cases.push_back(activationCase(activation, name, {2, 3, 16}, 100));
        cases.push_back(activationCase(activation, name, {0, 8}, 1));
        cases.push_back(activationCase(activation, name, {67, 129}, 4));
    }
    cases.push_back(activationCase(Activation::Gelu, "gelu", {2048, 1408}, 4));
    cases.back().isBenchmark = true;
    return cases;
}

}  // namespace wb::kernels::testing
