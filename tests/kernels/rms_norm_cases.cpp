// SPDX-License-Identifier: Apache-2.0
#include "kernels/rms_norm.h"
#include "tests/kernels/op_case.h"

#include <fmt/format.h>

namespace wb::kernels::testing {
namespace {

enum class Residual { No, Yes };

OpCase rmsNormCase(int64_t rows, int64_t columns, Residual residual, float weightOffset = 0.0F) {
    const bool hasResidual = residual == Residual::Yes;
    OpCase c;
    c.name = fmt::format("rms_norm_{}{}{}x{}", hasResidual ? "residual_" : "", weightOffset != 0 ? "offset_" : "", rows,
                         columns);
    c.tensors = {
        {"x", {rows, columns}},
        {.name = "weight", .shape = {columns}, .low = 0.5, .high = 1.5},
        {.name = "out", .shape = {rows, columns}, .role = TensorRole::Output},
        {"invRms", {rows}, TensorKind::Sums, TensorRole::Output},
        {"dOut", {rows, columns}},
        {.name = "dX", .shape = {rows, columns}, .role = TensorRole::Output},
        {"dWeight", {columns}, TensorKind::Sums, TensorRole::Accumulated},
    };
    if (hasResidual) {
        c.tensors.push_back({"residual", {rows, columns}});
        c.tensors.push_back({.name = "sum", .shape = {rows, columns}, .role = TensorRole::Output});
        c.tensors.push_back({"dSum", {rows, columns}});
    }
    c.forward = [weightOffset](const Context& context, const TensorBank& t) {
        rmsNormForward(context, {.x = t.at("x"),
                                 .residual = t.find("residual"),
                                 .weight = t.at("weight"),
                                 .out = t.at("out"),
                                 .sum = t.find("sum"),
                                 .invRms = t.at("invRms"),
                                 .weightOffset = weightOffset});
    };
    c.backward = [hasResidual, weightOffset](const Context& context, const TensorBank& t) {
        rmsNormBackward(context, {.dOut = t.at("dOut"),
                                  .s = hasResidual ? t.at("sum") : t.at("x"),
                                  .weight = t.at("weight"),
                                  .invRms = t.at("invRms"),
                                  .dResidual = t.find("dSum"),
                                  .dX = t.at("dX"),
                                  .dWeight = t.at("dWeight"),
                                  .weightOffset = weightOffset});
    };
    c.outputsAndUpstream = {{"out", "dOut"}};
    c.inputsAndGradients = {{"x", "dX"}, {"weight", "dWeight"}};
    if (hasResidual) {
        c.outputsAndUpstream.emplace_back("sum", "dSum");
        c.inputsAndGradients.emplace_back("residual", "dX");
    }
    c.reductionLength = std::max(rows, columns);
    c.conditioning = 4;
    c.naturalScale = 1;  // a row of one value has a gradient of almost nothing, the difference of two terms
    return c;
}

}  // namespace

std::vector<OpCase> rmsNormCases() {
    std::vector<OpCase> cases;
    for (const Residual residual : {Residual::No, Residual::Yes}) {
        cases.push_back(rmsNormCase(1, 1, residual));
        cases.push_back(rmsNormCase(3, 5, residual));
        cases.push_back(rmsNormCase(7, 33, residual));
        cases.push_back(rmsNormCase(4, 64, residual));
        cases.push_back(rmsNormCase(0, 8, residual));
        cases.push_back(rmsNormCase(130, 257, residual));
        cases.push_back(rmsNormCase(5, 19, residual, 1.0F));
        // Rows in packs: several to a warp, several warps to one, and too long for registers.
        cases.push_back(rmsNormCase(300, 24, residual));
        cases.push_back(rmsNormCase(40, 512, residual));
        cases.push_back(rmsNormCase(3, 2080, residual));
        cases.push_back(rmsNormCase(2, 8192, residual));
        cases.push_back(rmsNormCase(2, 16384, residual));
        cases.push_back(rmsNormCase(2, 16400, residual));
        cases.push_back(rmsNormCase(2048, 512, residual));
        cases.back().isBenchmark = true;
    }
    return cases;
}

}  // namespace wb::kernels::testing
