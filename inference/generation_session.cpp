// SPDX-License-Identifier: Apache-2.0
#include "inference/generation_session.h"

#include "kernels/base/error.h"
#include "kernels/linear.h"

#include <fmt/format.h>
#include <algorithm>

namespace wb::inference {
namespace {

using core::KvCache;
using core::TokenId;

// Tokens of a prompt that run at once: bounds the activations of long prompts.
constexpr int64_t kPrefillChunk = 512;

int64_t rowsOf(const GenerationOptions& options) {
    return std::max(options.numBeams, options.numReturn);
}

void check(const GenerationRequest& request, const core::ModelConfig& config) {
    const GenerationOptions& options = request.options;
    if (request.promptIds.empty()) {
        throw Error{ErrorCode::InvalidArgument,
                    "the prompt has no tokens and the model no start token; give it some text"};
    }
    for (const TokenId id : request.promptIds) {
        if (id >= 0 && id < config.vocabularySize) continue;
        throw Error{ErrorCode::InvalidArgument,
                    fmt::format("the prompt holds token {}, the model has 0 to {}", id, config.vocabularySize - 1)};
    }
    if (options.maxNewTokens < 1 || options.numBeams < 1 || options.numReturn < 1) {
        throw Error{ErrorCode::InvalidArgument,
                    fmt::format("{} new tokens, {} beams and {} outputs: each must be at least 1", options.maxNewTokens,
                                options.numBeams, options.numReturn)};
    }
    if (rowsOf(options) > GenerationOptions::kMaxRows) {
        throw Error{ErrorCode::InvalidArgument,
                    fmt::format("{} beams and {} outputs: each may be {} at most", options.numBeams, options.numReturn,
                                GenerationOptions::kMaxRows)};
    }
    if (options.numBeams > 1 && options.numReturn > options.numBeams) {
        throw Error{ErrorCode::InvalidArgument,
                    fmt::format("{} outputs wanted of {} beams; ask for at most as many as beams", options.numReturn,
                                options.numBeams)};
    }
    const auto prompt = static_cast<int64_t>(request.promptIds.size());
    if (options.maxNewTokens > config.maxPositions - prompt) {
        throw Error{
            ErrorCode::InvalidArgument,
            fmt::format("{} prompt tokens and {} new ones exceed the model's {} positions; shorten the prompt or ask "
                        "for at most {} new tokens",
                        prompt, options.maxNewTokens, config.maxPositions,
                        std::max<int64_t>(config.maxPositions - prompt, 0))};
    }
}

}  // namespace

GenerationSession::GenerationSession(const kernels::Context& context, core::LanguageModel& model,
                                     const core::Tokenizer& tokenizer, std::vector<GenerationRequest> requests,
                                     GenerationObserver* observer)
    : m_context(context), m_model(model), m_observer(observer), m_requests(std::move(requests)) {
    int64_t blocks = 0;
    const int32_t blockSize = core::KvCacheConfig{}.blockSize;
    for (size_t i = 0; i < m_requests.size(); ++i) {
        const GenerationRequest& request = m_requests[i];
        check(request, model.config());
        const auto tokens = static_cast<int64_t>(request.promptIds.size()) + request.options.maxNewTokens;
        // Beams are forked before their parents are released, so twice as many sequences may exist for a moment; the
        // second half shares all blocks but the one being written.
        blocks += KvCache::blocksFor(rowsOf(request.options), tokens, blockSize) + rowsOf(request.options);
        const ObservedRequest observed{observer, i};
        m_progress.push_back({request.options.numBeams > 1 ? makeBeamDecoding(request, tokenizer, observed)
                                                           : makeSampledDecoding(request, tokenizer, observed),
                              false,
                              false,
                              {},
                              {},
                              {}});
    }
    m_cache = std::make_unique<KvCache>(context, model.cacheConfig(blocks));
}

core::Tensor GenerationSession::runRows(std::span<const TokenId> ids, std::span<const int32_t> positions,
                                        std::span<const int32_t> bounds, std::span<const KvCache::Growth> growths,
                                        std::span<const core::AdapterRows> adapterRows) {
    const core::CacheStep step = m_cache->grow(growths);
    const core::PackedInput input = core::packInput(m_context, ids, positions, bounds);
    const core::Context pass{m_context, nullptr, nullptr, adapterRows};
    return m_model.forward(pass, input, {m_cache.get(), &step}).value;
}

std::vector<float> GenerationSession::lastLogits(const core::Tensor& hidden) {
    const int64_t rows = hidden.shape()[0];
    return core::toFloats(m_context, m_model.logits(m_context, hidden.rows(rows - 1, rows)));
}

void GenerationSession::prefill(size_t request) {
    const GenerationRequest& asked = m_requests[request];
    Progress& progress = m_progress[request];
    progress.isStarted = true;
    progress.start = Clock::now();
    const KvCache::SequenceId sequence = m_cache->create();
    const auto total = static_cast<int64_t>(asked.promptIds.size());
    core::Tensor hidden;
    for (int64_t begin = 0; begin < total; begin += kPrefillChunk) {
        const int64_t count = std::min(kPrefillChunk, total - begin);
        std::vector<int32_t> positions(static_cast<size_t>(count));
        for (int64_t i = 0; i < count; ++i) positions[static_cast<size_t>(i)] = static_cast<int32_t>(begin + i);
        const auto rows = static_cast<int32_t>(count);
        std::vector<core::AdapterRows> adapterRows;
        if (asked.adapter != GenerationRequest::kBase) adapterRows.push_back({0, count, asked.adapter});
        hidden = runRows(std::span(asked.promptIds).subspan(static_cast<size_t>(begin), static_cast<size_t>(count)),
                         positions, std::vector<int32_t>{0, rows}, std::vector<KvCache::Growth>{{sequence, rows}},
                         adapterRows);
    }
    const std::vector<float> logits = lastLogits(hidden);
    progress.firstToken = Clock::now();
    progress.strategy->start(*m_cache, sequence, logits);
    reportIfFinished(request);
}

std::vector<float> GenerationSession::decodeRows(std::span<const PendingRow> rows) {
    std::vector<TokenId> ids;
    std::vector<int32_t> positions;
    std::vector<int32_t> bounds{0};
    std::vector<KvCache::Growth> growths;
    std::vector<core::AdapterRows> adapterRows;
    for (const PendingRow& pending : rows) {
        const auto row = static_cast<int64_t>(ids.size());
        ids.push_back(pending.row.token);
        positions.push_back(static_cast<int32_t>(m_cache->length(pending.row.sequence)));
        growths.push_back({pending.row.sequence, 1});
        bounds.push_back(static_cast<int32_t>(ids.size()));
        const int32_t adapter = m_requests[pending.request].adapter;
        if (adapter == GenerationRequest::kBase) continue;
        const bool extendsLast =
            !adapterRows.empty() && adapterRows.back().adapter == adapter && adapterRows.back().end == row;
        if (extendsLast) {
            ++adapterRows.back().end;
        } else {
            adapterRows.push_back({row, row + 1, adapter});
        }
    }
    const core::Tensor hidden = runRows(ids, positions, bounds, growths, adapterRows);
    return core::toFloats(m_context, m_model.logits(m_context, hidden));
}

void GenerationSession::decode() {
    std::vector<PendingRow> rows;
    for (size_t request = 0; request < m_requests.size(); ++request) {
        if (!m_progress[request].isStarted) continue;
        for (const DecodeRow& row : m_progress[request].strategy->rows()) rows.push_back({request, row});
    }
    // Slices within which no row can feel another: what a pane shows must not depend on who decodes beside it.
    std::vector<float> logits;
    constexpr auto kSlice = static_cast<size_t>(kernels::kIndependentRows);
    for (size_t begin = 0; begin < rows.size(); begin += kSlice) {
        const std::vector<float> part =
            decodeRows(std::span(rows).subspan(begin, std::min(kSlice, rows.size() - begin)));
        logits.insert(logits.end(), part.begin(), part.end());
    }
    const size_t vocabulary = logits.size() / rows.size();
    for (size_t begin = 0; begin < rows.size();) {
        const size_t request = rows[begin].request;
        size_t end = begin;
        while (end < rows.size() && rows[end].request == request) ++end;
        m_progress[request].strategy->advance(
            *m_cache, std::span(logits).subspan(begin * vocabulary, (end - begin) * vocabulary));
        begin = end;
        reportIfFinished(request);
    }
}

void GenerationSession::reportIfFinished(size_t request) {
    Progress& progress = m_progress[request];
    if (progress.isReported || !progress.strategy->isFinished()) return;
    progress.isReported = true;
    progress.end = Clock::now();
    if (m_observer != nullptr) m_observer->onRequestFinished(request, result(request));
}

bool GenerationSession::step() {
    const auto waiting = std::ranges::find(m_progress, false, &Progress::isStarted);
    if (waiting != m_progress.end()) {
        prefill(static_cast<size_t>(waiting - m_progress.begin()));
        return true;
    }
    if (std::ranges::all_of(m_progress, &Progress::isReported)) return false;
    decode();
    return true;
}

void GenerationSession::cancel(size_t request) {
    Progress& progress = m_progress[request];
    if (progress.isReported) return;
    if (!progress.isStarted) {
        progress.isStarted = true;
        progress.start = progress.firstToken = Clock::now();
    }
    progress.strategy->cancel(*m_cache);
    reportIfFinished(request);
}

void GenerationSession::run(const std::function<bool()>& isCancelled) {
    while (step()) {
        if (!isCancelled || !isCancelled()) continue;
        for (size_t request = 0; request < m_requests.size(); ++request) cancel(request);
    }
}

GenerationResult GenerationSession::result(size_t request) const {
    const Progress& progress = m_progress[request];
    GenerationResult result;
    result.outputs = progress.strategy->outputs();
    const auto seconds = [&](Clock::time_point until) {
        return std::chrono::duration<double>(until - progress.start).count();
    };
    result.firstTokenSeconds = seconds(progress.firstToken);
    result.seconds = seconds(progress.isReported ? progress.end : Clock::now());
    for (const GenerationOutput& output : result.outputs) result.tokens += static_cast<int64_t>(output.ids.size());
    return result;
}

}  // namespace wb::inference
