// SPDX-License-Identifier: Apache-2.0
#include "kernels/rotary.h"
#include "tests/kernels/op_case.h"

#include <fmt/format.h>

namespace wb::kernels::testing {
namespace {

struct RotaryVariant {
    RotaryLayout layout = RotaryLayout::Half;
    int32_t firstPosition = 0;
    float magnitude = 1.0F;
};

OpCase rotaryCase(int64_t tokens, int64_t heads, int64_t headDim, int64_t pairs, const RotaryVariant& v) {
    OpCase c;
    c.name = fmt::format("rotary_{}_{}x{}x{}_rotate_{}_at_{}", v.layout == RotaryLayout::Half ? "half" : "interleaved",
                         tokens, heads, headDim, 2 * pairs, v.firstPosition);
    std::vector<int32_t> positions;
    for (int64_t t = 0; t < tokens; ++t) positions.push_back(v.firstPosition + static_cast<int32_t>(t * 3));
    c.tensors = {
        {"x", {tokens, heads, headDim}},
        {.name = "positions", .shape = {tokens}, .kind = TensorKind::Index, .indices = positions},
        {.name = "frequencies", .shape = {pairs}, .kind = TensorKind::Float, .low = 0.001, .high = 1},
        {.name = "out", .shape = {tokens, heads, headDim}, .role = TensorRole::Output},
        {"dOut", {tokens, heads, headDim}},
        {.name = "dX", .shape = {tokens, heads, headDim}, .role = TensorRole::Output},
    };
    const auto run = [v](const Context& context, const TensorBank& t, const char* x, const char* out,
                         RotaryDirection direction) {
        rotary(context, {.x = t.at(x),
                         .positions = t.at("positions"),
                         .frequencies = t.at("frequencies"),
                         .out = t.at(out),
                         .layout = v.layout,
                         .direction = direction,
                         .magnitude = v.magnitude});
    };
    c.forward = [run](const Context& context, const TensorBank& t) {
        run(context, t, "x", "out", RotaryDirection::Forward);
    };
    c.backward = [run](const Context& context, const TensorBank& t) {
        run(context, t, "dOut", "dX", RotaryDirection::Backward);
    };
    c.outputsAndUpstream = {{"out", "dOut"}};
    c.inputsAndGradients = {{"x", "dX"}};
    // The angle is a product rounded to F32: its absolute error grows with the position.
    const double lastPosition = v.firstPosition + 3.0 * static_cast<double>(tokens);
    c.reductionLength = static_cast<int64_t>(lastPosition * lastPosition);
    return c;
}

}  // namespace

std::vector<OpCase> rotaryCases() {
    std::vector<OpCase> cases;
    for (const RotaryLayout layout : {RotaryLayout::Half, RotaryLayout::Interleaved}) {
        cases.push_back(rotaryCase(1, 1, 2, 1, {.layout = layout}));
        cases.push_back(rotaryCase(3, 2, 6, 3, {.layout = layout, .firstPosition = 5}));
        cases.push_back(rotaryCase(5, 3, 64, 32, {.layout = layout, .magnitude = 1.25F}));
        cases.push_back(rotaryCase(4, 2, 80, 16, {.layout = layout, .firstPosition = 40}));
        cases.push_back(rotaryCase(2, 1, 300, 141, {.layout = layout, .firstPosition = 3000}));
        cases.push_back(rotaryCase(2, 1, 16, 8, {.layout = layout, .firstPosition = 60000}));
        cases.push_back(rotaryCase(0, 2, 8, 4, {.layout = layout}));
    }
    // Whole angles are exact in F32, so no position excuses an error.
    for (const int32_t position : {0, 900, 38990, 39010, 130000, 9000000}) {
        OpCase exact = rotaryCase(5, 1, 8, 4, {.firstPosition = position});
        exact.name += "_exact";
        exact.tensors[2].low = exact.tensors[2].high = 1;
        exact.reductionLength = 1;
        cases.push_back(exact);
    }
    cases.push_back(rotaryCase(2048, 8, 64, 32, {}));
    cases.back().isBenchmark = true;
    return cases;
}

}  // namespace wb::kernels::testing
