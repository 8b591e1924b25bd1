// SPDX-License-Identifier: Apache-2.0
#include "kernels/column_scale.h"
#include "tests/kernels/op_case.h"

#include <fmt/format.h>

namespace wb::kernels::testing {
namespace {

OpCase scaledCase(int64_t rows, int64_t columns, TensorRole role, TensorKind outKind) {
    OpCase c;
    const bool accumulates = role == TensorRole::Accumulated;
    c.name = fmt::format("column_scale_{}{}{}x{}", accumulates ? "add_" : "",
                         outKind == TensorKind::Sums ? "widen_" : "", rows, columns);
    c.tensors = {{"x", {rows, columns}},
                 {"gain", {columns}, TensorKind::Sums},
                 {"bias", {columns}},
                 {"out", {rows, columns}, outKind, role},
                 {"dOut", {rows, columns}},
                 {.name = "dX", .shape = {rows, columns}, .role = TensorRole::Output},
                 {"dGain", {columns}, TensorKind::Sums, TensorRole::Accumulated},
                 {"dBias", {columns}, TensorKind::Sums, TensorRole::Accumulated}};
    c.forward = [accumulates](const Context& context, const TensorBank& t) {
        columnScaleForward(context, {.x = t.at("x"),
                                     .gain = t.at("gain"),
                                     .bias = t.at("bias"),
                                     .out = t.at("out"),
                                     .accumulates = accumulates});
    };
    c.backward = [](const Context& context, const TensorBank& t) {
        columnScaleBackward(context, {.dOut = t.at("dOut"),
                                      .x = t.at("x"),
                                      .gain = t.at("gain"),
                                      .dX = t.at("dX"),
                                      .dGain = t.at("dGain"),
                                      .dBias = t.at("dBias")});
    };
    c.outputsAndUpstream = {{"out", "dOut"}};
    c.inputsAndGradients = {{"x", "dX"}, {"gain", "dGain"}, {"bias", "dBias"}};
    c.reductionLength = std::max<int64_t>(rows, 3);
    return c;
}

}  // namespace

std::vector<OpCase> columnScaleCases() {
    std::vector<OpCase> cases;
    for (const auto& [rows, columns] : {std::pair{1, 1}, {3, 5}, {7, 33}, {4, 64}, {0, 8}, {130, 257}, {300, 1032}}) {
        cases.push_back(scaledCase(rows, columns, TensorRole::Output, TensorKind::Data));
        cases.push_back(scaledCase(rows, columns, TensorRole::Accumulated, TensorKind::Data));
        cases.push_back(scaledCase(rows, columns, TensorRole::Output, TensorKind::Sums));
    }
    cases.push_back(scaledCase(2048, 512, TensorRole::Output, TensorKind::Data));
    cases.back().isBenchmark = true;
    return cases;
}

}  // namespace wb::kernels::testing
