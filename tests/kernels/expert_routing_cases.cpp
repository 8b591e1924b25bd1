// SPDX-License-Identifier: Apache-2.0
#include "kernels/expert_routing.h"
#include "tests/kernels/op_case.h"

#include <fmt/format.h>

namespace wb::kernels::testing {
namespace {

OpCase routingCase(int64_t rows, int64_t experts, int64_t chosen, RoutingWeights normalisation) {
    OpCase c;
    c.name = fmt::format("expert_routing_{}_{}x{}_choose_{}",
                         normalisation == RoutingWeights::Softmax ? "softmax" : "normalised", rows, experts, chosen);
    c.tensors = {
        {.name = "logits", .shape = {rows, experts}, .low = -3, .high = 3},
        {"weights", {rows, chosen}, TensorKind::Sums, TensorRole::Output},
        {"ids", {rows, chosen}, TensorKind::Index, TensorRole::Output},
        {"dWeights", {rows, chosen}, TensorKind::Sums},
        {.name = "dLogits", .shape = {rows, experts}, .role = TensorRole::Output},
    };
    c.forward = [normalisation](const Context& context, const TensorBank& t) {
        routeExpertsForward(context, {t.at("logits"), t.at("weights"), t.at("ids"), normalisation});
    };
    c.backward = [normalisation](const Context& context, const TensorBank& t) {
        routeExpertsBackward(context, {t.at("dWeights"), t.at("logits"), t.at("ids"), t.at("dLogits"), normalisation});
    };
    c.outputsAndUpstream = {{"weights", "dWeights"}};
    c.inputsAndGradients = {{"logits", "dLogits"}};
    c.reductionLength = experts;
    c.conditioning = 4;
    c.naturalScale = 1;  // a single normalised weight is 1 whatever its logit
    return c;
}

}  // namespace

std::vector<OpCase> expertRoutingCases() {
    std::vector<OpCase> cases;
    for (const RoutingWeights normalisation : {RoutingWeights::Softmax, RoutingWeights::Normalised}) {
        cases.push_back(routingCase(1, 1, 1, normalisation));
        cases.push_back(routingCase(5, 4, 2, normalisation));
        cases.push_back(routingCase(9, 7, 1, normalisation));
        cases.push_back(routingCase(6, 5, 5, normalisation));
        cases.push_back(routingCase(0, 8, 2, normalisation));
        cases.push_back(routingCase(300, 60, 4, normalisation));
    }
    return cases;
}

}  // namespace wb::kernels::testing
