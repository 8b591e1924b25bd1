// SPDX-License-Identifier: Apache-2.0
// Ops with a weight in tiles of quantised blocks. The oracle multiplies with the widened weight and x as it is: what
// the fast path loses is the rounding of x.
#include "kernels/embedding.h"
#include "kernels/linear.h"
#include "kernels/lm_head_loss.h"
#include "tests/kernels/op_case.h"

#include <fmt/format.h>
#include <array>

namespace wb::kernels::testing {
namespace {

// Of the largest output, for noise in [-1, 1): rounding x to 127 steps of a block's largest value leaves about 0.5 % of
// the length of the outputs, the largest of which is some three times the average.
constexpr double kRoundingOfX = 0.01;

constexpr std::array kKinds{TensorKind::Q8Tiles, TensorKind::Q4Tiles, TensorKind::Nf4Tiles};

const char* nameOf(TensorKind kind) {
    return kind == TensorKind::Q8Tiles ? "q8" : kind == TensorKind::Q4Tiles ? "q4" : "nf4";
}

OpCase forwardCase(TensorKind kind, int64_t tokens, int64_t outputs, int64_t inputs, bool isRich) {
    OpCase c;
    c.name = fmt::format("linear_{}{}_{}x{}x{}", nameOf(kind), isRich ? "_rich" : "", tokens, outputs, inputs);
    c.tensors = {
        {"x", {tokens, inputs}},
        {"weight", {outputs, inputs}, kind},
        {"out",
         {tokens, outputs},
         isRich ? TensorKind::Sums : TensorKind::Data,
         isRich ? TensorRole::Accumulated : TensorRole::Output},
    };
    if (isRich) c.tensors.push_back({"bias", {outputs}});
    c.forward = [isRich](const Context& context, const TensorBank& t) {
        linearForward(context, {.x = t.at("x"),
                                .weight = t.at("weight"),
                                .bias = t.find("bias"),
                                .out = t.at("out"),
                                .alpha = isRich ? -0.5F : 1.0F,
                                .write = isRich ? Write::Add : Write::Replace});
    };
    c.reductionLength = inputs;
    c.inexactness = kRoundingOfX;
    return c;
}

OpCase backwardCase(TensorKind kind, int64_t tokens, int64_t outputs, int64_t inputs, Write write) {
    OpCase c;
    c.name = fmt::format("linear_{}_backward_{}x{}x{}", nameOf(kind), tokens, outputs, inputs);
    const TensorRole role = write == Write::Add ? TensorRole::Accumulated : TensorRole::Output;
    c.tensors = {{"dOut", {tokens, outputs}},
                 {"weight", {outputs, inputs}, kind},
                 {"dX", {tokens, inputs}, TensorKind::Data, role}};
    c.forward = [write](const Context& context, const TensorBank& t) {
        linearBackwardInput(
            context, {.dOut = t.at("dOut"), .weight = t.at("weight"), .dX = t.at("dX"), .alpha = 0.5F, .write = write});
    };
    c.reductionLength = outputs;
    c.isThreadIndependent = false;
    return c;
}

OpCase lookupCase(TensorKind kind, int64_t tokens, int64_t vocabulary, int64_t columns) {
    OpCase c;
    c.name = fmt::format("embedding_{}_{}x{}x{}", nameOf(kind), tokens, vocabulary, columns);
    std::vector<int32_t> ids;
    for (int64_t t = 0; t < tokens; ++t) ids.push_back(static_cast<int32_t>((t * 7 + t / 3) % vocabulary));
    ids.back() = static_cast<int32_t>(vocabulary - 1);
    c.tensors = {{"table", {vocabulary, columns}, kind},
                 {.name = "ids", .shape = {tokens}, .kind = TensorKind::Index, .indices = ids},
                 {.name = "out", .shape = {tokens, columns}, .role = TensorRole::Output}};
    c.forward = [](const Context& context, const TensorBank& t) {
        embeddingForward(context, {t.at("table"), t.at("ids"), t.at("out"), 1.5F});
    };
    return c;
}

OpCase lossCase(TensorKind kind, int64_t tokens, int64_t vocabulary, int64_t paddedVocabulary, int64_t hidden) {
    OpCase c;
    c.name = fmt::format("lm_head_loss_{}_{}x{}x{}", nameOf(kind), tokens, vocabulary, hidden);
    std::vector<int32_t> labels;
    for (int32_t t = 0; t < tokens; ++t) {
        labels.push_back(t % 5 == 0 ? kIgnoredLabel : static_cast<int32_t>((t * 31 + 5) % vocabulary));
    }
    c.tensors = {{.name = "hidden", .shape = {tokens, hidden}, .low = -0.5, .high = 0.5},
                 {"weight", {paddedVocabulary, hidden}, kind},
                 {.name = "labels", .shape = {tokens}, .kind = TensorKind::Index, .indices = labels},
                 {"losses", {tokens}, TensorKind::Sums, TensorRole::Output},
                 {"dHidden", {tokens, hidden}, TensorKind::Data, TensorRole::Output}};
    c.forward = [vocabulary](const Context& context, const TensorBank& t) {
        lmHeadLoss(context, {.hidden = t.at("hidden"),
                             .weight = t.at("weight"),
                             .labels = t.at("labels"),
                             .losses = t.at("losses"),
                             .dHidden = t.at("dHidden"),
                             .vocabularySize = vocabulary});
    };
    c.reductionLength = vocabulary;
    c.inexactness = 2 * kRoundingOfX;
    c.isThreadIndependent = false;
    return c;
}

}  // namespace

std::vector<OpCase> quantizedCases() {
    std::vector<OpCase> cases;
    for (const TensorKind kind : kKinds) {
        const int64_t block = kind == TensorKind::Nf4Tiles ? 64 : 32;
        for (const bool isRich : {false, true}) {
            cases.push_back(forwardCase(kind, 1, 37, 2 * block, isRich));
            cases.push_back(forwardCase(kind, 3, 48, 3 * block, isRich));
            cases.push_back(forwardCase(kind, 16, 33, 5 * block, isRich));
            cases.push_back(forwardCase(kind, 101, 70, 9 * block, isRich));  // more than one chunk of rows
        }
        cases.push_back(forwardCase(kind, 0, 16, block, false));
        cases.push_back(backwardCase(kind, 1, 17, block, Write::Replace));
        cases.push_back(backwardCase(kind, 20, 70, 3 * block, Write::Add));
        cases.push_back(backwardCase(kind, 9, 5000, 10 * block, Write::Replace));  // more than one panel of columns
        cases.push_back(lookupCase(kind, 9, 37, 2 * block));
        cases.push_back(lookupCase(kind, 70, 16, 3 * block));
        cases.push_back(lossCase(kind, 21, 37, 64, 64));
    }
    for (const auto& [t, o, i] : {std::array<int64_t, 3>{1, 576, 576},
                                  {1, 2048, 2048},
                                  {4, 2048, 2048},
                                  {512, 512, 512},
                                  {512, 1408, 512},
                                  {512, 2048, 2048}}) {
        for (const TensorKind kind : kKinds) {
            cases.push_back(forwardCase(kind, t, o, i, false));
            cases.back().isBenchmark = true;
        }
    }
    return cases;
}

}  // namespace wb::kernels::testing
