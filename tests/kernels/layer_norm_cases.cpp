// SPDX-License-Identifier: Apache-2.0
#include "kernels/layer_norm.h"
#include "tests/kernels/op_case.h"

#include <fmt/format.h>

namespace wb::kernels::testing {
namespace {

struct NormVariant {
    const char* name = "";
    bool hasResidual = false;
    bool hasBias = true;
    bool trainsWeight = true;
    bool trainsBias = true;
    double low = -1;
    double high = 1;
    double conditioning = 4;
};

std::vector<TensorSpec> normTensors(int64_t rows, int64_t columns, const NormVariant& v) {
    std::vector<TensorSpec> tensors{
        {.name = "x", .shape = {rows, columns}, .low = v.low, .high = v.high},
        {.name = "weight", .shape = {columns}, .low = 0.5, .high = 1.5},
        {.name = "out", .shape = {rows, columns}, .role = TensorRole::Output},
        {"mean", {rows}, TensorKind::Sums, TensorRole::Output},
        {"invStd", {rows}, TensorKind::Sums, TensorRole::Output},
        {"dOut", {rows, columns}},
        {.name = "dX", .shape = {rows, columns}, .role = TensorRole::Output},
    };
    if (v.hasBias) tensors.push_back({"bias", {columns}});
    if (v.trainsWeight) tensors.push_back({"dWeight", {columns}, TensorKind::Sums, TensorRole::Accumulated});
    if (v.hasBias && v.trainsBias) tensors.push_back({"dBias", {columns}, TensorKind::Sums, TensorRole::Accumulated});
    if (v.hasResidual) {
        tensors.push_back({"residual", {rows, columns}});
        tensors.push_back({.name = "sum", .shape = {rows, columns}, .role = TensorRole::Output});
        tensors.push_back({"dSum", {rows, columns}});
    }
    return tensors;
}

OpCase layerNormCase(int64_t rows, int64_t columns, const NormVariant& v) {
    OpCase c;
    c.name = fmt::format("layer_norm{}_{}x{}", v.name, rows, columns);
    c.tensors = normTensors(rows, columns, v);
    c.forward = [](const Context& context, const TensorBank& t) {
        layerNormForward(context, {.x = t.at("x"),
                                   .residual = t.find("residual"),
                                   .weight = t.at("weight"),
                                   .bias = t.find("bias"),
                                   .out = t.at("out"),
                                   .sum = t.find("sum"),
                                   .mean = t.at("mean"),
                                   .invStd = t.at("invStd")});
    };
    c.backward = [hasResidual = v.hasResidual](const Context& context, const TensorBank& t) {
        layerNormBackward(context, {.dOut = t.at("dOut"),
                                    .s = hasResidual ? t.at("sum") : t.at("x"),
                                    .weight = t.at("weight"),
                                    .mean = t.at("mean"),
                                    .invStd = t.at("invStd"),
                                    .dResidual = t.find("dSum"),
                                    .dX = t.at("dX"),
                                    .dWeight = t.find("dWeight"),
                                    .dBias = t.find("dBias")});
    };
    c.outputsAndUpstream = {{"out", "dOut"}};
    c.inputsAndGradients = {{"x", "dX"}};
    if (v.trainsWeight) c.inputsAndGradients.emplace_back("weight", "dWeight");
    if (v.hasBias && v.trainsBias) c.inputsAndGradients.emplace_back("bias", "dBias");
    if (v.hasResidual) {
        c.outputsAndUpstream.emplace_back("sum", "dSum");
        c.inputsAndGradients.emplace_back("residual", "dX");
    }
    c.reductionLength = std::max(rows, columns);
    c.conditioning = v.conditioning;
    c.naturalScale = 1;  // a row of one value has no gradient at all, the difference of equal terms
    return c;
}

}  // namespace

std::vector<OpCase> layerNormCases() {
    const NormVariant plain;
    const NormVariant residual{.name = "_residual", .hasResidual = true};
    std::vector<OpCase> cases;
    for (const NormVariant& v : {plain, residual}) {
        cases.push_back(layerNormCase(3, 5, v));
        cases.push_back(layerNormCase(7, 33, v));
        cases.push_back(layerNormCase(4, 64, v));
        cases.push_back(layerNormCase(0, 8, v));
        cases.push_back(layerNormCase(130, 257, v));
        // Rows in packs: several to a warp, several warps to one, and too long for registers.
        cases.push_back(layerNormCase(300, 24, v));
        cases.push_back(layerNormCase(40, 512, v));
        cases.push_back(layerNormCase(3, 2080, v));
        cases.push_back(layerNormCase(2, 8192, v));
        cases.push_back(layerNormCase(2, 16384, v));
        cases.push_back(layerNormCase(2, 16400, v));
        cases.push_back(layerNormCase(2048, 512, v));
        cases.back().isBenchmark = true;
    }
    cases.push_back(layerNormCase(1, 1, plain));
    cases.push_back(layerNormCase(5, 19, {.name = "_no_bias", .hasBias = false}));
    cases.push_back(layerNormCase(5, 19, {.name = "_frozen", .trainsWeight = false, .trainsBias = false}));
    cases.push_back(layerNormCase(5, 19, {.name = "_frozen_weight", .trainsWeight = false}));
    cases.push_back(layerNormCase(5, 19, {.name = "_frozen_bias", .trainsBias = false}));
    cases.push_back(layerNormCase(9, 64, {.name = "_no_bias", .hasBias = false}));
    cases.push_back(layerNormCase(9, 64, {.name = "_frozen", .trainsWeight = false, .trainsBias = false}));
    cases.push_back(layerNormCase(9, 64, {.name = "_frozen_weight", .trainsWeight = false}));
    cases.push_back(layerNormCase(9, 64, {.name = "_frozen_bias", .trainsBias = false}));
    // Far from zero a difference of mean squares would have lost its digits.
    cases.push_back(layerNormCase(6, 70, {.name = "_far", .low = 1000, .high = 1024, .conditioning = 300}));
    cases.back().storages = {DType::F32};
    return cases;
}

}  // namespace wb::kernels::testing
