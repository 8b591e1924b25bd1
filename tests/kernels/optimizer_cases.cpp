// SPDX-License-Identifier: Apache-2.0
#include "kernels/optimizer.h"
#include "tests/kernels/op_case.h"

#include <fmt/format.h>
#include <array>

namespace wb::kernels::testing {
namespace {

OpCase adamWCase(const Shape& shape, int64_t step, float weightDecay) {
    OpCase c;
    c.name = fmt::format("adamw_{}_step_{}", shape.count(), step);
    c.tensors = {
        {.name = "parameter", .shape = shape, .role = TensorRole::Accumulated},
        {"gradient", shape, TensorKind::Sums},
        {"m", shape, TensorKind::Sums, TensorRole::Accumulated, -0.1, 0.1},
        {"v", shape, TensorKind::Sums, TensorRole::Accumulated, 0.01, 0.1},
        {"gradientScale", {1}, TensorKind::Float, TensorRole::Input, 0.5, 0.5},
    };
    c.forward = [step, weightDecay](const Context& context, const TensorBank& t) {
        adamW(context, {.parameter = t.at("parameter"),
                        .gradient = t.at("gradient"),
                        .m = t.at("m"),
                        .v = t.at("v"),
                        .gradientScale = t.at("gradientScale"),
                        .learningRate = 0.01F,
                        .weightDecay = weightDecay,
                        .step = step});
    };
    c.storages = {DType::F32};
    c.conditioning = 4;
    return c;
}

// The master copy holds the values; the parameter is its rounding.
OpCase adamWMasterCase(const Shape& shape) {
    OpCase c;
    c.name = fmt::format("adamw_master_{}", shape.count());
    c.tensors = {
        {.name = "parameter", .shape = shape, .role = TensorRole::Output},
        {"master", shape, TensorKind::Float, TensorRole::Accumulated},
        {"gradient", shape, TensorKind::Sums},
        {"m", shape, TensorKind::Sums, TensorRole::Accumulated, -0.1, 0.1},
        {"v", shape, TensorKind::Sums, TensorRole::Accumulated, 0.01, 0.1},
    };
    c.forward = [](const Context& context, const TensorBank& t) {
        adamW(context, {.parameter = t.at("parameter"),
                        .master = t.at("master"),
                        .gradient = t.at("gradient"),
                        .m = t.at("m"),
                        .v = t.at("v"),
                        .learningRate = 0.01F,
                        .weightDecay = 0.1F,
                        .step = 3});
    };
    c.storages = {DType::BF16};
    c.hasOracle = false;  // a BF16 parameter is the only one with a master
    return c;
}

OpCase globalNormCase(const std::vector<Shape>& shapes) {
    OpCase c;
    c.name = "global_norm";
    std::vector<std::string> names;
    for (const Shape& shape : shapes) {
        names.push_back(fmt::format("tensor{}", names.size()));
        c.tensors.push_back({names.back(), shape, TensorKind::Sums});
        c.name += fmt::format("_{}", shape.count());
    }
    c.tensors.push_back({"out", {1}, TensorKind::Sums, TensorRole::Output});
    c.forward = [names](const Context& context, const TensorBank& t) {
        std::vector<ConstView> views;
        for (const std::string& name : names) views.push_back(t.at(name));
        globalNorm(context, {views, t.at("out")});
    };
    c.storages = {DType::F32};
    c.uncheckedViews = names;
    return c;
}

}  // namespace

std::vector<OpCase> optimizerCases() {
    std::vector<OpCase> cases{
        adamWCase({1}, 1, 0.0F),
        adamWCase({3, 11}, 2, 0.1F),
        adamWCase({70, 130}, 1000, 0.01F),
        adamWCase({0, 4}, 1, 0.1F),
        adamWMasterCase({1}),
        adamWMasterCase({70, 131}),
        adamWMasterCase({70, 132}),
        globalNormCase({Shape{1}}),
        globalNormCase({}),
        globalNormCase({Shape{3, 5}, Shape{0}, Shape{33}}),
        globalNormCase({Shape{300, 333}, Shape{40000}}),
        globalNormCase({Shape{0}, Shape{7}, Shape{65536}, Shape{0}, Shape{32769}, Shape{2}, Shape{0}}),
    };
    cases.push_back(adamWCase({8192, 1024}, 10, 0.1F));
    cases.back().isBenchmark = true;
    cases.push_back(globalNormCase({Shape{8192, 1024}}));
    cases.back().isBenchmark = true;
    return cases;
}

}  // namespace wb::kernels::testing
