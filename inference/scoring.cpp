// SPDX-License-Identifier: Apache-2.0
#include "inference/scoring.h"

#include "kernels/base/error.h"
#include "kernels/lm_head_loss.h"

#include <fmt/format.h>
#include <algorithm>
#include <cmath>

namespace wb::inference {
namespace {

using core::Tensor;
using core::TokenId;

// Logits that are on the host at once, in rows.
constexpr int64_t kLogitRows = 64;

// What a teacher-forced pass reads.
struct ForcedIds {
    std::span<const TokenId> source;  // of the encoder; empty without one
    std::vector<TokenId> decoder;
    size_t firstScored = 0;  // place in `decoder` of the first id that has something to be predicted from
};

ForcedIds forcedIds(const core::LanguageModel& model, std::span<const TokenId> prompt,
                    std::span<const TokenId> continuation) {
    ForcedIds ids;
    if (model.isEncoderDecoder()) {
        if (prompt.empty()) throw Error{ErrorCode::InvalidArgument, "the encoder needs a prompt of at least one token"};
        ids.source = prompt;
        ids.decoder = {model.config().decoderStart()};
    } else {
        ids.decoder.assign(prompt.begin(), prompt.end());
    }
    ids.firstScored = std::max<size_t>(ids.decoder.size(), 1);
    ids.decoder.insert(ids.decoder.end(), continuation.begin(), continuation.end());
    return ids;
}

core::PackedInput packOne(const kernels::Context& context, const core::LanguageModel& model,
                          std::span<const TokenId> ids) {
    const auto count = static_cast<int64_t>(ids.size());
    const std::optional<int64_t> limit = model.positionLimit();
    if (limit && count > *limit) {
        throw Error{ErrorCode::InvalidArgument,
                    fmt::format("{} tokens exceed the model's {} positions", count, *limit)};
    }
    const std::vector<int32_t> bounds{0, static_cast<int32_t>(count)};
    return core::packInput(context, ids, core::positionsOf(bounds), bounds);
}

// Hidden states of the decoder [decoder ids, C].
Tensor hiddenOf(const kernels::Context& context, core::LanguageModel& model, const ForcedIds& ids, int32_t adapter) {
    core::PackedInput input = packOne(context, model, ids.decoder);
    std::vector<core::AdapterRows> rows;
    if (adapter >= 0) rows.push_back({0, static_cast<int64_t>(ids.decoder.size()), adapter});
    if (!ids.source.empty()) {
        input.source = std::make_shared<const core::PackedInput>(packOne(context, model, ids.source));
    }
    const core::Context pass{context, nullptr, nullptr, rows};
    return model.forward(pass, input).value;
}

// -log p of each label; 0 where ignored.
std::vector<float> lossesOf(const kernels::Context& context, core::LanguageModel& model, const Tensor& hidden,
                            std::span<const int32_t> labels, int32_t adapter) {
    const Tensor wanted = Tensor::fromInts(context, labels, kernels::MemoryOwner::Activations);
    const core::AdapterRows rows{0, hidden.shape()[0], adapter};
    const core::Context pass{context, nullptr, nullptr, std::span(&rows, 1)};
    return core::toFloats(context, model.loss(pass, {hidden}, wanted, 0.0F).losses.value);
}

}  // namespace

SequenceScore scoreContinuation(const kernels::Context& context, core::LanguageModel& model,
                                std::span<const TokenId> prompt, std::span<const TokenId> continuation,
                                const ScoreOptions& options) {
    const ForcedIds forced = forcedIds(model, prompt, continuation);
    const std::vector<TokenId>& ids = forced.decoder;
    const size_t first = forced.firstScored;
    SequenceScore score;
    if (ids.size() <= first) return score;

    const Tensor hidden = hiddenOf(context, model, forced, options.adapter);
    std::vector<int32_t> labels(ids.size(), kernels::kIgnoredLabel);
    for (size_t i = first; i < ids.size(); ++i) labels[i - 1] = ids[i];
    const std::vector<float> losses = lossesOf(context, model, hidden, labels, options.adapter);
    for (size_t i = first; i < ids.size(); ++i) score.logprobs.push_back(-static_cast<double>(losses[i - 1]));

    if (options.topAlternatives == 0) return score;
    const auto end = static_cast<int64_t>(ids.size()) - 1;
    for (int64_t begin = static_cast<int64_t>(first) - 1; begin < end; begin += kLogitRows) {
        const int64_t stop = std::min(begin + kLogitRows, end);
        const core::AdapterRows rows{0, stop - begin, options.adapter};
        const std::vector<float> logits =
            core::toFloats(context, model.logits(context, hidden.rows(begin, stop), std::span(&rows, 1)));
        const size_t vocabulary = logits.size() / static_cast<size_t>(stop - begin);
        for (size_t row = 0; row < static_cast<size_t>(stop - begin); ++row) {
            score.top.push_back(
                topAlternatives(std::span(logits).subspan(row * vocabulary, vocabulary), options.topAlternatives));
        }
    }
    return score;
}

std::vector<float> lastLogits(const kernels::Context& context, core::LanguageModel& model,
                              std::span<const TokenId> prompt, int32_t adapter) {
    const Tensor hidden = hiddenOf(context, model, forcedIds(model, prompt, {}), adapter);
    const int64_t rows = hidden.shape()[0];
    const core::AdapterRows row{0, 1, adapter};
    return core::toFloats(context, model.logits(context, hidden.rows(rows - 1, rows), std::span(&row, 1)));
}

TextScore scoreText(const kernels::Context& context, core::LanguageModel& model, std::span<const TokenId> ids,
                    int64_t window, int32_t adapter) {
    WB_CHECK(window >= 2, "a window predicts at least one token");
    if (model.isEncoderDecoder()) {
        throw Error{ErrorCode::Unsupported,
                    fmt::format("perplexity of running text is not supported for the encoder-decoder '{}': its decoder "
                                "answers a prompt; evaluate prompt/response data instead",
                                model.config().modelType)};
    }
    TextScore score;
    double sum = 0;
    const auto total = static_cast<int64_t>(ids.size());
    for (int64_t begin = 0; begin + 1 < total; begin += window - 1) {
        const int64_t end = std::min(begin + window, total);
        const auto part = ids.subspan(static_cast<size_t>(begin), static_cast<size_t>(end - begin));
        const SequenceScore scored = scoreContinuation(context, model, {}, part, {.adapter = adapter});
        for (const double logprob : scored.logprobs) sum -= logprob;
        score.tokens += static_cast<int64_t>(scored.logprobs.size());
    }
    score.meanNll = sum / static_cast<double>(std::max<int64_t>(score.tokens, 1));
    score.perplexity = std::exp(score.meanNll);
    return score;
}

}  // namespace wb::inference
