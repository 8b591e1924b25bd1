// SPDX-License-Identifier: Apache-2.0
#include "kernels/columns.h"
#include "tests/kernels/op_case.h"

#include <fmt/format.h>

namespace wb::kernels::testing {
namespace {

OpCase columnsCase(const char* name, int64_t rows, int64_t columns, const std::vector<int32_t>& starts, int64_t width) {
    OpCase c;
    c.name = fmt::format("columns_{}_{}x{}", name, rows, columns);
    const auto slots = static_cast<int64_t>(starts.size());
    c.tensors = {
        {"x", {rows, columns}},
        {.name = "out", .shape = {rows, slots, width}, .role = TensorRole::Output},
        {"dOut", {rows, slots, width}},
        {.name = "dX", .shape = {rows, columns}, .role = TensorRole::Accumulated},
    };
    c.forward = [starts](const Context& context, const TensorBank& t) {
        gatherColumns(context, {.x = t.at("x"), .starts = starts, .out = t.at("out")});
    };
    c.backward = [starts](const Context& context, const TensorBank& t) {
        scatterAddColumns(context, {.part = t.at("dOut"), .starts = starts, .dX = t.at("dX")});
    };
    c.outputsAndUpstream = {{"out", "dOut"}};
    c.inputsAndGradients = {{"x", "dX"}};
    c.reductionLength = slots;
    c.conditioning = 2;  // a column that two slots name is rounded twice
    return c;
}

}  // namespace

std::vector<OpCase> columnsCases() {
    return {
        columnsCase("one", 1, 1, {0}, 1),
        columnsCase("all", 3, 8, {0}, 8),
        columnsCase("heads", 5, 36, {0, 12, 24}, 5),
        columnsCase("reversed", 4, 20, {15, 10, 0}, 5),
        columnsCase("repeated", 3, 9, {4, 4, 2}, 3),
        columnsCase("none", 3, 6, {}, 2),
        columnsCase("empty", 0, 6, {1}, 2),
        columnsCase("packed", 6, 96, {64, 0, 32}, 24),
        columnsCase("packed_repeated", 3, 96, {64, 0, 32, 40, 0}, 24),
        columnsCase("wide", 130, 300, {0, 100, 200}, 70),
    };
}

}  // namespace wb::kernels::testing
