// SPDX-License-Identifier: Apache-2.0
#include "kernels/embedding.h"
#include "tests/kernels/op_case.h"

#include <fmt/format.h>

namespace wb::kernels::testing {
namespace {

OpCase embeddingCase(int64_t tokens, int64_t vocabulary, int64_t columns, float scale) {
    OpCase c;
    c.name = fmt::format("embedding_{}x{}x{}_scale_{}", tokens, vocabulary, columns, scale == 1.0F ? "one" : "other");
    std::vector<int32_t> ids;  // repeats, first and last row included
    for (int64_t t = 0; t < tokens; ++t) ids.push_back(static_cast<int32_t>((t * 7 + t / 3) % vocabulary));
    if (!ids.empty()) ids.back() = static_cast<int32_t>(vocabulary - 1);
    c.tensors = {
        {"table", {vocabulary, columns}},
        {.name = "ids", .shape = {tokens}, .kind = TensorKind::Index, .indices = ids},
        {.name = "out", .shape = {tokens, columns}, .role = TensorRole::Output},
        {"dOut", {tokens, columns}},
        {"dTable", {vocabulary, columns}, TensorKind::Sums, TensorRole::Accumulated},
    };
    c.forward = [scale](const Context& context, const TensorBank& t) {
        embeddingForward(context, {t.at("table"), t.at("ids"), t.at("out"), scale});
    };
    c.backward = [scale](const Context& context, const TensorBank& t) {
        embeddingBackward(context, {t.at("dOut"), t.at("ids"), t.at("dTable"), scale});
    };
    c.outputsAndUpstream = {{"out", "dOut"}};
    c.inputsAndGradients = {{"table", "dTable"}};
    c.reductionLength = tokens;
    return c;
}

// Lookups of id 2 give no gradient, which central differences would miss: compared with the oracle alone.
OpCase untrainedCase(int64_t tokens) {
    OpCase c = embeddingCase(tokens, 7, 19, 1.5F);
    c.name += "_untrained_id";
    c.backward = [](const Context& context, const TensorBank& t) {
        embeddingBackward(context, {t.at("dOut"), t.at("ids"), t.at("dTable"), 1.5F, 2});
    };
    c.inputsAndGradients.clear();
    return c;
}

}  // namespace

std::vector<OpCase> embeddingCases() {
    std::vector<OpCase> cases{untrainedCase(40),
                              untrainedCase(3000),
                              embeddingCase(1, 1, 1, 1.0F),
                              embeddingCase(5, 3, 7, 1.0F),
                              embeddingCase(9, 4, 33, 2.5F),
                              embeddingCase(0, 4, 8, 1.0F),
                              embeddingCase(70, 11, 130, 0.5F),
                              embeddingCase(300, 40, 257, 1.0F),
                              embeddingCase(3000, 50, 16, 1.0F),  // rows that many tokens share
                              embeddingCase(2500, 9000, 24, 1.5F)};
    cases.push_back(embeddingCase(2048, 8192, 512, 1.0F));
    cases.back().isBenchmark = true;
    return cases;
}

}  // namespace wb::kernels::testing
