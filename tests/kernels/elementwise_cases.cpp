// SPDX-License-Identifier: Apache-2.0
#include "kernels/elementwise.h"
#include "tests/kernels/op_case.h"

#include <fmt/format.h>

namespace wb::kernels::testing {
namespace {

OpCase addCase(const Shape& shape) {
    OpCase c;
    c.name = fmt::format("add_{}", shape.count());
    c.tensors = {{"a", shape}, {"b", shape}, {.name = "out", .shape = shape, .role = TensorRole::Output}};
    c.forward = [](const Context& context, const TensorBank& t) { add(context, {t.at("a"), t.at("b"), t.at("out")}); };
    return c;
}

OpCase scaleCase(const Shape& shape, TensorKind outKind, TensorRole role) {
    OpCase c;
    c.name = fmt::format("scale_{}{}{}", outKind == TensorKind::Sums ? "widen_" : "",
                         role == TensorRole::Accumulated ? "add_" : "", shape.count());
    c.tensors = {{"x", shape}, {"out", shape, outKind, role}};
    c.forward = [role](const Context& context, const TensorBank& t) {
        scale(context, {t.at("x"), t.at("out"), -0.75F, role == TensorRole::Accumulated});
    };
    return c;
}

OpCase softCapCase(const Shape& shape, float cap, double reach) {
    OpCase c;
    c.name = fmt::format("soft_cap_{}_{}", cap, shape.count());
    c.tensors = {{.name = "x", .shape = shape, .low = -reach, .high = reach},
                 {.name = "out", .shape = shape, .role = TensorRole::Output}};
    c.forward = [cap](const Context& context, const TensorBank& t) {
        softCap(context, {.x = t.at("x"), .out = t.at("out"), .cap = cap});
    };
    return c;
}

OpCase dropoutCase(const Shape& shape, float p) {
    OpCase c;
    c.name = fmt::format("dropout_{:.0f}_{}", static_cast<double>(p) * 100, shape.count());
    c.tensors = {{"x", shape},
                 {.name = "out", .shape = shape, .role = TensorRole::Output},
                 {"dOut", shape},
                 {.name = "dX", .shape = shape, .role = TensorRole::Output}};
    // Both halves of the key count, and the blocks of four draws pass 2^32 on the way.
    constexpr uint64_t kSeed = 0x0123456789abcdef;
    constexpr uint64_t kOffset = (uint64_t{1} << 34) - 17;
    const auto run = [p](const Context& context, const TensorBank& t, const char* x, const char* out) {
        dropout(context, {.x = t.at(x), .out = t.at(out), .p = p, .seed = kSeed, .offset = kOffset});
    };
    c.forward = [run](const Context& context, const TensorBank& t) { run(context, t, "x", "out"); };
    c.backward = [run](const Context& context, const TensorBank& t) { run(context, t, "dOut", "dX"); };
    c.outputsAndUpstream = {{"out", "dOut"}};
    c.inputsAndGradients = {{"x", "dX"}};
    return c;
}

}  // namespace

std::vector<OpCase> elementwiseCases() {
    std::vector<OpCase> cases;
    for (const Shape& shape : {Shape{1}, Shape{3, 11}, Shape{2, 3, 32}, Shape{0, 4}, Shape{5, 7919}}) {
        cases.push_back(addCase(shape));
        cases.push_back(scaleCase(shape, TensorKind::Data, TensorRole::Output));
        cases.push_back(scaleCase(shape, TensorKind::Data, TensorRole::Accumulated));
        cases.push_back(scaleCase(shape, TensorKind::Sums, TensorRole::Accumulated));
    }
    for (const Shape& shape : {Shape{1}, Shape{3, 11}, Shape{0, 4}, Shape{7, 97}}) {
        cases.push_back(softCapCase(shape, 30.0F, 90));
        cases.push_back(softCapCase(shape, 2.5F, 1));
        cases.push_back(softCapCase(shape, 0.5F, 500));
    }
    for (const Shape& shape : {Shape{1}, Shape{3, 11}, Shape{7, 97}}) {
        cases.push_back(dropoutCase(shape, 0.0F));
        cases.push_back(dropoutCase(shape, 0.3F));
    }
    cases.push_back(addCase({2048, 512}));
    cases.back().isBenchmark = true;
    cases.push_back(dropoutCase({2048, 512}, 0.1F));
    cases.back().isBenchmark = true;
    return cases;
}

}  // namespace wb::kernels::testing
