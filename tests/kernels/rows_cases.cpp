// SPDX-License-Identifier: Apache-2.0
#include "kernels/rows.h"
#include "tests/kernels/op_case.h"

#include <fmt/format.h>
#include <numeric>

namespace wb::kernels::testing {
namespace {

// A fixed order of `count` assignments and its inverse.
struct Order {
    std::vector<int32_t> assignments;
    std::vector<int32_t> slots;

    explicit Order(int64_t count) : assignments(static_cast<size_t>(count)), slots(static_cast<size_t>(count)) {
        int64_t step = 7;
        while (count > 0 && std::gcd(step, count) != 1) ++step;
        for (int64_t p = 0; p < count; ++p) {
            const int64_t assignment = (p * step + 3) % count;
            assignments[static_cast<size_t>(p)] = static_cast<int32_t>(assignment);
            slots[static_cast<size_t>(assignment)] = static_cast<int32_t>(p);
        }
    }
};

std::vector<TensorSpec> indexTensors(int64_t rows, int64_t copies) {
    const Order order(rows * copies);
    return {{.name = "assignments", .shape = {rows * copies}, .kind = TensorKind::Index, .indices = order.assignments},
            {.name = "slots", .shape = {rows, copies}, .kind = TensorKind::Index, .indices = order.slots}};
}

OpCase gatherCase(int64_t rows, int64_t columns, int64_t copies) {
    OpCase c;
    c.name = fmt::format("gather_rows_{}x{}_times_{}", rows, columns, copies);
    c.tensors = indexTensors(rows, copies);
    c.tensors.push_back({"x", {rows, columns}});
    c.tensors.push_back({.name = "out", .shape = {rows * copies, columns}, .role = TensorRole::Output});
    c.tensors.push_back({"dOut", {rows * copies, columns}});
    c.tensors.push_back({.name = "dX", .shape = {rows, columns}, .role = TensorRole::Output});
    c.forward = [copies](const Context& context, const TensorBank& t) {
        gatherRows(context, {.x = t.at("x"),
                             .assignments = t.at("assignments"),
                             .weights = {},
                             .out = t.at("out"),
                             .rowsPerSource = copies});
    };
    c.backward = [](const Context& context, const TensorBank& t) {
        combineRows(context, {.rows = t.at("dOut"), .slots = t.at("slots"), .weights = {}, .out = t.at("dX")});
    };
    c.outputsAndUpstream = {{"out", "dOut"}};
    c.inputsAndGradients = {{"x", "dX"}};
    c.reductionLength = copies;
    return c;
}

OpCase combineCase(int64_t rows, int64_t columns, int64_t copies, TensorKind weightKind) {
    OpCase c;
    c.name = fmt::format("combine_rows_{}x{}_of_{}{}", rows, columns, copies,
                         weightKind == TensorKind::Data ? "_data_weights" : "");
    c.tensors = indexTensors(rows, copies);
    c.tensors.push_back({"rows", {rows * copies, columns}});
    c.tensors.push_back({"weights", {rows, copies}, weightKind});
    c.tensors.push_back({.name = "out", .shape = {rows, columns}, .role = TensorRole::Output});
    c.tensors.push_back({"dOut", {rows, columns}});
    c.tensors.push_back({.name = "dRows", .shape = {rows * copies, columns}, .role = TensorRole::Output});
    c.tensors.push_back({"dWeights", {rows, copies}, weightKind, TensorRole::Output});
    c.forward = [](const Context& context, const TensorBank& t) {
        combineRows(context,
                    {.rows = t.at("rows"), .slots = t.at("slots"), .weights = t.at("weights"), .out = t.at("out")});
    };
    c.backward = [](const Context& context, const TensorBank& t) {
        gatherRows(
            context,
            {.x = t.at("dOut"), .assignments = t.at("assignments"), .weights = t.at("weights"), .out = t.at("dRows")});
        combineRowsBackwardWeights(
            context,
            {.dOut = t.at("dOut"), .rows = t.at("rows"), .slots = t.at("slots"), .dWeights = t.at("dWeights")});
    };
    c.outputsAndUpstream = {{"out", "dOut"}};
    c.inputsAndGradients = {{"rows", "dRows"}, {"weights", "dWeights"}};
    c.reductionLength = std::max(columns, copies);
    c.conditioning = 2;
    return c;
}

// Every row times its own factor: no indices at all.
OpCase scaleRowsCase(int64_t rows, int64_t columns) {
    OpCase c;
    c.name = fmt::format("scale_rows_{}x{}", rows, columns);
    c.tensors = {
        {"x", {rows, columns}},
        {"factors", {rows, 1}},
        {.name = "out", .shape = {rows, columns}, .role = TensorRole::Output},
        {"dOut", {rows, columns}},
        {.name = "dX", .shape = {rows, columns}, .role = TensorRole::Output},
        {.name = "dFactors", .shape = {rows, 1}, .role = TensorRole::Output},
    };
    c.forward = [](const Context& context, const TensorBank& t) {
        gatherRows(context, {.x = t.at("x"), .assignments = {}, .weights = t.at("factors"), .out = t.at("out")});
    };
    c.backward = [](const Context& context, const TensorBank& t) {
        gatherRows(context, {.x = t.at("dOut"), .assignments = {}, .weights = t.at("factors"), .out = t.at("dX")});
        combineRowsBackwardWeights(
            context, {.dOut = t.at("dOut"), .rows = t.at("x"), .slots = {}, .dWeights = t.at("dFactors")});
    };
    c.outputsAndUpstream = {{"out", "dOut"}};
    c.inputsAndGradients = {{"x", "dX"}, {"factors", "dFactors"}};
    c.reductionLength = columns;
    return c;
}

}  // namespace

std::vector<OpCase> rowsCases() {
    std::vector<OpCase> cases;
    for (const int64_t copies : {1, 2, 5}) {
        cases.push_back(gatherCase(1, 1, copies));
        cases.push_back(gatherCase(6, 19, copies));
        cases.push_back(gatherCase(0, 4, copies));
        cases.push_back(gatherCase(70, 130, copies));
        cases.push_back(gatherCase(9, 64, copies));
        cases.push_back(combineCase(9, 64, copies, TensorKind::Sums));
        cases.push_back(combineCase(1, 1, copies, TensorKind::Sums));
        cases.push_back(combineCase(6, 19, copies, TensorKind::Sums));
        cases.push_back(combineCase(0, 4, copies, TensorKind::Sums));
        cases.push_back(combineCase(70, 130, copies, TensorKind::Sums));
    }
    cases.push_back(combineCase(6, 19, 2, TensorKind::Data));
    cases.push_back(scaleRowsCase(7, 21));
    cases.push_back(scaleRowsCase(0, 4));
    cases.push_back(scaleRowsCase(90, 200));
    return cases;
}

}  // namespace wb::kernels::testing
