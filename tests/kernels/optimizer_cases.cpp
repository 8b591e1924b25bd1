// SPDX-License-Identifier: Apache-2.0
#include "kernels/adamw8bit.h"
#include "kernels/optimizer.h"
#include "kernels/step_summary.h"
#include "tests/kernels/op_case.h"

#include <fmt/format.h>
#include <array>

namespace wb::kernels::testing {
namespace {

// Tensors "parameter0", "m0" ... of one sweep.
std::vector<TensorSpec> sweptTensors(const std::vector<Shape>& shapes, bool haveMasters) {
    std::vector<TensorSpec> specs;
    for (size_t i = 0; i < shapes.size(); ++i) {
        const auto name = [i](const char* what) { return fmt::format("{}{}", what, i); };
        const TensorRole role = haveMasters ? TensorRole::Output : TensorRole::Accumulated;
        specs.push_back({.name = name("parameter"), .shape = shapes[i], .role = role});
        if (haveMasters) specs.push_back({name("master"), shapes[i], TensorKind::Float, TensorRole::Accumulated});
        specs.push_back({name("gradient"), shapes[i], TensorKind::Sums});
        specs.push_back({name("m"), shapes[i], TensorKind::Sums, TensorRole::Accumulated, -0.1, 0.1});
        specs.push_back({name("v"), shapes[i], TensorKind::Sums, TensorRole::Accumulated, 0.01, 0.1});
    }
    return specs;
}

std::vector<AdamWTensor> sweptViews(const TensorBank& t, size_t count, float weightDecay) {
    std::vector<AdamWTensor> tensors;
    for (size_t i = 0; i < count; ++i) {
        const auto name = [i](const char* what) { return fmt::format("{}{}", what, i); };
        tensors.push_back({.parameter = t.at(name("parameter")),
                           .master = t.find(name("master")),
                           .gradient = t.at(name("gradient")),
                           .m = t.at(name("m")),
                           .v = t.at(name("v")),
                           .weightDecay = i % 2 == 0 ? weightDecay : 0.0F});
    }
    return tensors;
}

OpCase adamWCase(const std::vector<Shape>& shapes, int64_t step, float weightDecay) {
    OpCase c;
    c.name = fmt::format("adamw_step_{}", step);
    for (const Shape& shape : shapes) c.name += fmt::format("_{}", shape.count());
    c.tensors = sweptTensors(shapes, false);
    c.tensors.push_back({"gradientScale", {1}, TensorKind::Float, TensorRole::Input, 0.5, 0.5});
    c.forward = [step, weightDecay, count = shapes.size()](const Context& context, const TensorBank& t) {
        adamW(context, {.tensors = sweptViews(t, count, weightDecay),
                        .gradientScale = t.at("gradientScale"),
                        .learningRate = 0.01F,
                        .step = step});
    };
    c.storages = {DType::F32};
    c.conditioning = 4;
    return c;
}

// The master copy holds the values; the parameter is its rounding.
OpCase adamWMasterCase(const std::vector<Shape>& shapes) {
    OpCase c;
    c.name = "adamw_master";
    for (const Shape& shape : shapes) c.name += fmt::format("_{}", shape.count());
    c.tensors = sweptTensors(shapes, true);
    c.forward = [count = shapes.size()](const Context& context, const TensorBank& t) {
        adamW(context, {.tensors = sweptViews(t, count, 0.1F), .learningRate = 0.01F, .step = 3});
    };
    c.storages = {DType::BF16};
    c.hasOracle = false;  // a BF16 parameter is the only one with a master
    return c;
}

// The oracle keeps no bytes: tests/kernels/adamw8bit_test.cpp compares with the formula.
OpCase adamW8bitCase(const Shape& shape, DType storage, int64_t step) {
    OpCase c;
    c.name = fmt::format("adamw8bit_{}_{}_step_{}", dtypeName(storage), shape.count(), step);
    const bool hasMaster = storage == DType::BF16;
    const Shape blocks{momentBlocks(shape)};
    c.tensors = {
        {.name = "parameter", .shape = shape, .role = hasMaster ? TensorRole::Output : TensorRole::Accumulated},
        {"gradient", shape, TensorKind::Sums},
        {"m", shape, TensorKind::SignedBytes, TensorRole::Accumulated, -127, 128},
        {"v", shape, TensorKind::UnsignedBytes, TensorRole::Accumulated, 0, 255},
        {"mScales", blocks, TensorKind::Float, TensorRole::Accumulated, 0.01, 0.1},
        {"vScales", blocks, TensorKind::Float, TensorRole::Accumulated, 0.01, 0.1},
        {"gradientScale", {1}, TensorKind::Float, TensorRole::Input, 0.5, 0.5},
    };
    if (hasMaster) c.tensors.push_back({"master", shape, TensorKind::Float, TensorRole::Accumulated});
    c.forward = [step](const Context& context, const TensorBank& t) {
        adamW8bit(context, {.parameter = t.at("parameter"),
                            .master = t.find("master"),
                            .gradient = t.at("gradient"),
                            .m = t.at("m"),
                            .v = t.at("v"),
                            .mScales = t.at("mScales"),
                            .vScales = t.at("vScales"),
                            .gradientScale = t.at("gradientScale"),
                            .learningRate = 0.01F,
                            .weightDecay = 0.1F,
                            .step = step});
    };
    c.storages = {storage};
    c.hasOracle = false;
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

OpCase lossSumCase(int64_t tokens, bool accumulates) {
    OpCase c;
    c.name = fmt::format("loss_sum_{}{}", tokens, accumulates ? "_more" : "");
    c.tensors = {{"losses", {tokens}, TensorKind::Sums, TensorRole::Input, 0, 12},
                 {"sum", {1}, TensorKind::Double, accumulates ? TensorRole::Accumulated : TensorRole::Output, 0, 100}};
    c.forward = [accumulates](const Context& context, const TensorBank& t) {
        lossSum(context, {.losses = t.at("losses"), .sum = t.at("sum"), .accumulates = accumulates});
    };
    c.storages = {DType::F32};
    c.uncheckedViews = {"losses"};  // any number of tokens has a sum
    return c;
}

OpCase stepSummaryCase(double norm, float clipNorm) {
    OpCase c;
    c.name = fmt::format("step_summary_{}_clip_{}", norm, clipNorm);
    c.tensors = {{"lossSum", {1}, TensorKind::Double, TensorRole::Input, 0, 100},
                 {"gradientNorm", {1}, TensorKind::Sums, TensorRole::Input, norm, norm},
                 {"out", {kNumStepNumbers}, TensorKind::Float, TensorRole::Output}};
    c.forward = [clipNorm](const Context& context, const TensorBank& t) {
        stepSummary(context, {.lossSum = t.at("lossSum"),
                              .gradientNorm = t.at("gradientNorm"),
                              .labelTokens = 7,
                              .clipNorm = clipNorm,
                              .out = t.at("out")});
    };
    c.storages = {DType::F32};
    return c;
}

}  // namespace

std::vector<OpCase> optimizerCases() {
    std::vector<OpCase> cases{
        adamWCase({{1}}, 1, 0.0F),
        adamWCase({{3, 11}}, 2, 0.1F),
        adamWCase({{70, 130}}, 1000, 0.01F),
        adamWCase({{0, 4}}, 1, 0.1F),
        adamWCase({}, 1, 0.1F),
        adamWCase({{5}, {64, 70}, {0}, {3, 3}, {20000}, {8}}, 4, 0.1F),
        adamWMasterCase({{1}}),
        adamWMasterCase({{70, 131}, {7}, {4096}}),
        adamW8bitCase({1}, DType::F32, 1),
        adamW8bitCase({16, 16}, DType::F32, 2),
        adamW8bitCase({3, 111}, DType::F32, 2),
        adamW8bitCase({70, 130}, DType::BF16, 1000),
        adamW8bitCase({0, 4}, DType::F32, 1),
        globalNormCase({Shape{1}}),
        globalNormCase({}),
        globalNormCase({Shape{3, 5}, Shape{0}, Shape{33}}),
        globalNormCase({Shape{300, 333}, Shape{40000}}),
        lossSumCase(1, false),
        lossSumCase(0, true),
        lossSumCase(33, true),
        lossSumCase(5000, false),
        stepSummaryCase(3.0, 0.0F),
        stepSummaryCase(3.0, 1.0F),
        stepSummaryCase(3.0, 5.0F),
    };
    cases.push_back(adamWCase({{8192, 1024}}, 10, 0.1F));
    cases.back().isBenchmark = true;
    cases.push_back(adamW8bitCase({8192, 1024}, DType::F32, 10));
    cases.back().isBenchmark = true;
    cases.push_back(globalNormCase({Shape{8192, 1024}}));
    cases.back().isBenchmark = true;
    return cases;
}

}  // namespace wb::kernels::testing
