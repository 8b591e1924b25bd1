// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/cpu_features.h"
#include "kernels/lm_head_loss.h"
#include "tests/kernels/op_case.h"

#include <fmt/format.h>
#include <array>

namespace wb::kernels::testing {
namespace {

struct LossVariant {
    const char* name = "full";
    bool hasGradients = true;
    int32_t ignoredPeriod = 3;  // every n-th label is ignored; 0: none, 1: all
    int64_t paddedRows = 0;     // rows of the weight behind the vocabulary
    int64_t maxLogitBytes = 0;
    bool hasBias = false;
    float logitScale = 1.0F;
    float softCap = 0.0F;
    Write weightWrite = Write::Add;
};

OpCase lossCase(int64_t tokens, int64_t vocabulary, int64_t hidden, const LossVariant& v) {
    OpCase c;
    c.name = fmt::format("lm_head_loss_{}_{}x{}x{}", v.name, tokens, vocabulary, hidden);
    std::vector<int32_t> labels;
    for (int32_t t = 0; t < tokens; ++t) {
        const bool isIgnored = v.ignoredPeriod > 0 && t % v.ignoredPeriod == 0;
        labels.push_back(isIgnored ? kIgnoredLabel : static_cast<int32_t>((t * 31 + 5) % vocabulary));
    }
    const int64_t rows = vocabulary + v.paddedRows;
    c.tensors = {
        {"hidden", {tokens, hidden}},
        {"weight", {rows, hidden}},
        {.name = "labels", .shape = {tokens}, .kind = TensorKind::Index, .indices = labels},
        {"losses", {tokens}, TensorKind::Sums, TensorRole::Output},
        {"predictions", {tokens}, TensorKind::Index, TensorRole::Output},
        {"one", {tokens}, TensorKind::Sums, TensorRole::Input, 1, 1},
    };
    if (v.hasBias) c.tensors.push_back({"bias", {rows}});
    if (v.hasGradients) {
        c.tensors.push_back({.name = "dHidden", .shape = {tokens, hidden}, .role = TensorRole::Output});
        const TensorRole role = v.weightWrite == Write::Add ? TensorRole::Accumulated : TensorRole::Output;
        c.tensors.push_back({"dWeight", {rows, hidden}, TensorKind::Sums, role});
        c.outputsAndUpstream = {{"losses", "one"}};
        c.inputsAndGradients = {{"hidden", "dHidden"}, {"weight", "dWeight"}};
        if (v.hasBias) {
            c.tensors.push_back({"dBias", {rows}, TensorKind::Sums, TensorRole::Accumulated});
            c.inputsAndGradients.emplace_back("bias", "dBias");
        }
    }
    c.forward = [vocabulary, v](const Context& context, const TensorBank& t) {
        lmHeadLoss(context, {.hidden = t.at("hidden"),
                             .weight = t.at("weight"),
                             .bias = t.find("bias"),
                             .labels = t.at("labels"),
                             .losses = t.at("losses"),
                             .predictions = t.at("predictions"),
                             .dHidden = t.find("dHidden"),
                             .dWeight = t.find("dWeight"),
                             .dBias = t.find("dBias"),
                             .gradScale = 1.0F,
                             .logitScale = v.logitScale,
                             .softCap = v.softCap,
                             .vocabularySize = v.paddedRows > 0 ? vocabulary : 0,
                             .maxLogitBytes = v.maxLogitBytes,
                             .weightWrite = v.weightWrite});
    };
    c.reductionLength = std::max({vocabulary, hidden, tokens});
    // Logits reach a few units, and a rounding of theirs is an equal error of the loss.
    c.conditioning = 4;
    c.isThreadIndependent = !cpu::cpuFeatures().hasNativeBf16;
    return c;
}

}  // namespace

std::vector<OpCase> lmHeadLossCases() {
    const LossVariant full;
    const LossVariant all{.name = "all_labelled", .ignoredPeriod = 0};
    std::vector<OpCase> cases{
        lossCase(1, 2, 1, all),
        lossCase(5, 7, 3, full),
        lossCase(9, 33, 17, all),
        lossCase(6, 11, 8, {.name = "all_ignored", .ignoredPeriod = 1}),
        lossCase(0, 5, 4, full),
        lossCase(7, 13, 5, {.name = "padded", .paddedRows = 51}),
        lossCase(40, 50, 24, {.name = "evaluation", .hasGradients = false}),
        lossCase(100, 130, 31, {.name = "chunked", .maxLogitBytes = 1}),
        lossCase(67, 300, 40, all),
        lossCase(7, 13, 5, {.name = "bias", .paddedRows = 51, .hasBias = true}),
        lossCase(19, 70, 24, {.name = "bias_chunked", .maxLogitBytes = 1, .hasBias = true}),
        lossCase(67, 300, 40, {.name = "replacing", .weightWrite = Write::Replace}),
        lossCase(6, 11, 8, {.name = "replacing_all_ignored", .ignoredPeriod = 1, .weightWrite = Write::Replace}),
        lossCase(100, 130, 31, {.name = "replacing_chunked", .maxLogitBytes = 1, .weightWrite = Write::Replace}),
        lossCase(9, 33, 17, {.name = "scaled", .logitScale = 0.375F}),
        lossCase(9, 33, 17, {.name = "capped", .softCap = 1.5F}),
        lossCase(1, 2, 1, {.name = "capped", .ignoredPeriod = 0, .softCap = 0.75F}),
        lossCase(7, 13, 5,
                 {.name = "all_settings", .paddedRows = 3, .hasBias = true, .logitScale = 2.5F, .softCap = 2}),
        lossCase(60, 130, 31, {.name = "all_settings", .hasBias = true, .logitScale = 2.5F, .softCap = 3}),
        lossCase(40, 50, 24,
                 {.name = "evaluation_all_settings",
                  .hasGradients = false,
                  .hasBias = true,
                  .logitScale = 0.5F,
                  .softCap = 1}),
    };
    for (const auto& [t, vocabulary, hidden] : {std::array<int64_t, 3>{512, 8192, 512}, {512, 49152, 576}}) {
        cases.push_back(lossCase(t, vocabulary, hidden, all));
        cases.back().isBenchmark = true;
    }
    return cases;
}

}  // namespace wb::kernels::testing
