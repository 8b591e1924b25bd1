// SPDX-License-Identifier: Apache-2.0
#include "inference/generation_session.h"

#include "kernels/base/error.h"
#include "kernels/linear.h"

#include <fmt/format.h>
#include <algorithm>
#include <limits>

namespace wb::inference {
namespace {

using core::KvCache;
using core::TokenId;

// Tokens of a prompt that run at once: bounds the activations of long prompts.
constexpr size_t kPrefillChunk = 512;

int64_t rowsOf(const GenerationOptions& options) {
    return std::max(options.numBeams, options.numReturn);
}

void checkIds(const std::vector<TokenId>& ids, const core::ModelConfig& config) {
    for (const TokenId id : ids) {
        if (id >= 0 && id < config.vocabularySize) continue;
        throw Error{ErrorCode::InvalidArgument,
                    fmt::format("the prompt holds token {}, the model has 0 to {}", id, config.vocabularySize - 1)};
    }
}

void checkOptions(const GenerationOptions& options) {
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
}

void checkLength(const GenerationRequest& request, const core::LanguageModel& model) {
    const std::optional<int64_t> limit = model.positionLimit();
    const auto source = static_cast<int64_t>(request.promptIds.size());
    if (limit && model.isEncoderDecoder() && source > *limit) {
        throw Error{ErrorCode::InvalidArgument,
                    fmt::format("{} prompt tokens exceed the {} positions of the model's encoder; shorten the prompt",
                                source, *limit)};
    }
    // Without a limit of its own a sequence still has 32-bit positions.
    const int64_t positions = limit.value_or(std::numeric_limits<int32_t>::max());
    const auto prompt = static_cast<int64_t>(request.decoderPrompt.size());
    if (request.options.maxNewTokens <= positions - prompt) return;
    throw Error{
        ErrorCode::InvalidArgument,
        fmt::format("{} prompt tokens and {} new ones exceed the model's {} positions; shorten the prompt or ask "
                    "for at most {} new tokens",
                    prompt, request.options.maxNewTokens, positions, std::max<int64_t>(positions - prompt, 0))};
}

void check(const GenerationRequest& request, const core::LanguageModel& model) {
    if (request.promptIds.empty()) {
        throw Error{ErrorCode::InvalidArgument,
                    "the prompt has no tokens and the model no start token; give it some text"};
    }
    checkIds(request.promptIds, model.config());
    checkIds(request.decoderPrompt, model.config());
    checkOptions(request.options);
    checkLength(request, model);
}

std::vector<TokenId> decoderPromptOf(const GenerationRequest& request, const core::LanguageModel& model) {
    if (!request.decoderPrompt.empty()) return request.decoderPrompt;
    return model.isEncoderDecoder() ? std::vector<TokenId>{model.config().decoderStart()} : request.promptIds;
}

}  // namespace

GenerationSession::GenerationSession(const kernels::Context& context, core::LanguageModel& model,
                                     const core::Tokenizer& tokenizer, std::vector<GenerationRequest> requests,
                                     GenerationObserver* observer)
    : m_context(context), m_model(model), m_observer(observer), m_requests(std::move(requests)) {
    int64_t blocks = 0;
    const int32_t blockSize = core::KvCacheConfig{}.blockSize;
    for (size_t i = 0; i < m_requests.size(); ++i) {
        GenerationRequest& request = m_requests[i];
        request.decoderPrompt = decoderPromptOf(request, model);
        check(request, model);
        const auto tokens = static_cast<int64_t>(request.decoderPrompt.size()) + request.options.maxNewTokens;
        // Beams are forked before their parents are released, so twice as many sequences may exist for a moment; the
        // second half shares all blocks but the one being written.
        blocks += KvCache::blocksFor(rowsOf(request.options), tokens, blockSize) + rowsOf(request.options);
        const ObservedRequest observed{observer, i};
        m_progress.push_back({request.options.numBeams > 1 ? makeBeamDecoding(request, tokenizer, observed)
                                                           : makeSampledDecoding(request, tokenizer, observed),
                              std::nullopt,
                              false,
                              false,
                              {},
                              {},
                              {}});
    }
    m_cache = std::make_unique<KvCache>(context, model.cacheConfig(blocks));
    m_decoding = std::make_unique<RecordedDecoding>(
        context, m_cache->config(),
        [this](const kernels::Context& inner, const DecodeInputs& inputs) { return decodePass(inner, inputs); });
}

void GenerationSession::addRows(PassRows& pass, size_t request, KvCache::SequenceId sequence,
                                std::span<const TokenId> ids) const {
    const auto begin = static_cast<int64_t>(pass.ids.size());
    const auto end = begin + static_cast<int64_t>(ids.size());
    const int64_t position = m_cache->length(sequence);
    for (size_t i = 0; i < ids.size(); ++i)
        pass.positions.push_back(static_cast<int32_t>(position + static_cast<int64_t>(i)));
    pass.ids.insert(pass.ids.end(), ids.begin(), ids.end());
    pass.bounds.push_back(static_cast<int32_t>(end));
    pass.growths.push_back({sequence, static_cast<int32_t>(ids.size())});
    if (const int32_t adapter = m_requests[request].adapter; adapter != GenerationRequest::kBase) {
        auto& rows = pass.adapterRows;
        const bool extendsLast = !rows.empty() && rows.back().adapter == adapter && rows.back().end == begin;
        if (extendsLast) {
            rows.back().end = end;
        } else {
            rows.push_back({begin, end, adapter});
        }
    }
    if (const auto& memory = m_progress[request].memory) {
        if (!pass.memories.empty() && pass.memories.back().memory == &*memory) {
            pass.memories.back().end = end;
        } else {
            pass.memories.push_back({begin, end, &*memory});
        }
    }
}

core::Tensor GenerationSession::runRows(const PassRows& pass) {
    const core::CacheStep step = m_cache->grow(pass.growths);
    const core::PackedInput input = core::packInput(m_context, pass.ids, pass.positions, pass.bounds);
    const core::Context context{m_context, nullptr, nullptr, pass.adapterRows};
    return m_model.forward(context, input, {m_cache.get(), &step, pass.memories}).value;
}

core::Tensor GenerationSession::decodePass(const kernels::Context& context, const DecodeInputs& inputs) {
    const core::PackedInput input = core::packInput(context, inputs.ids, inputs.positions, *inputs.bounds);
    const core::Context pass{context, nullptr, nullptr, inputs.adapterRows};
    const core::Tensor hidden = m_model.forward(pass, input, {m_cache.get(), &inputs.step, inputs.memories}).value;
    return m_model.logits(context, hidden, inputs.adapterRows);
}

core::EncoderMemory GenerationSession::encode(const GenerationRequest& asked) {
    const std::vector<int32_t> bounds{0, static_cast<int32_t>(asked.promptIds.size())};
    std::vector<core::AdapterRows> rows;
    if (asked.adapter != GenerationRequest::kBase) rows.push_back({0, bounds.back(), asked.adapter});
    const core::Context context{m_context, nullptr, nullptr, rows};
    return m_model.encode(context, core::packInput(m_context, asked.promptIds, core::positionsOf(bounds), bounds));
}

std::vector<float> GenerationSession::lastLogits(const core::Tensor& hidden, int32_t adapter) {
    const int64_t rows = hidden.shape()[0];
    const core::AdapterRows row{0, 1, adapter};
    return core::toFloats(m_context, m_model.logits(m_context, hidden.rows(rows - 1, rows), std::span(&row, 1)));
}

void GenerationSession::prefill(size_t request) {
    const GenerationRequest& asked = m_requests[request];
    Progress& progress = m_progress[request];
    progress.isStarted = true;
    progress.start = Clock::now();
    if (m_model.isEncoderDecoder()) progress.memory = encode(asked);
    const KvCache::SequenceId sequence = m_cache->create();
    const std::span<const TokenId> prompt(asked.decoderPrompt);
    core::Tensor hidden;
    for (size_t begin = 0; begin < prompt.size(); begin += kPrefillChunk) {
        PassRows pass;
        addRows(pass, request, sequence, prompt.subspan(begin, std::min(kPrefillChunk, prompt.size() - begin)));
        hidden = runRows(pass);
    }
    const std::vector<float> logits = lastLogits(hidden, asked.adapter);
    progress.firstToken = Clock::now();
    progress.strategy->start(*m_cache, sequence, logits);
    reportIfFinished(request);
}

void GenerationSession::decodeRows(std::span<const PendingRow> rows) {
    PassRows pass;
    for (const PendingRow& pending : rows) {
        addRows(pass, pending.request, pending.row.sequence, std::span(&pending.row.token, 1));
    }
    core::CacheStep step = m_cache->grow(pass.growths);
    const core::Tensor logits = m_decoding->run(
        {std::move(pass.ids), std::move(pass.positions), std::make_shared<const std::vector<int32_t>>(pass.bounds),
         std::move(step), std::move(pass.adapterRows), std::move(pass.memories)});
    if (logits.dtype() == DType::F32) {
        const size_t before = m_logits.size();
        m_logits.resize(before + static_cast<size_t>(logits.count()));
        core::copyToHost(m_context, logits, m_logits.data() + before, logits.bytes());
    } else {
        const std::vector<float> values = core::toFloats(m_context, logits);
        m_logits.insert(m_logits.end(), values.begin(), values.end());
    }
}

void GenerationSession::decode() {
    std::vector<PendingRow> rows;
    for (size_t request = 0; request < m_requests.size(); ++request) {
        if (!m_progress[request].isStarted) continue;
        for (const DecodeRow& row : m_progress[request].strategy->rows()) rows.push_back({request, row});
    }
    // Slices within which no row can feel another: what a pane shows must not depend on who decodes beside it.
    m_logits.clear();
    constexpr auto kSlice = static_cast<size_t>(kernels::kIndependentRows);
    for (size_t begin = 0; begin < rows.size(); begin += kSlice) {
        decodeRows(std::span(rows).subspan(begin, std::min(kSlice, rows.size() - begin)));
    }
    const std::span<const float> logits(m_logits);
    const size_t vocabulary = logits.size() / rows.size();
    for (size_t begin = 0; begin < rows.size();) {
        const size_t request = rows[begin].request;
        size_t end = begin;
        while (end < rows.size() && rows[end].request == request) ++end;
        m_progress[request].strategy->advance(*m_cache, logits.subspan(begin * vocabulary, (end - begin) * vocabulary));
        begin = end;
        reportIfFinished(request);
    }
}

void GenerationSession::reportIfFinished(size_t request) {
    Progress& progress = m_progress[request];
    if (progress.isReported || !progress.strategy->isFinished()) return;
    progress.isReported = true;
    progress.end = Clock::now();
    progress.memory.reset();
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
