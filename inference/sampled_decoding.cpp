// SPDX-License-Identifier: Apache-2.0
// Greedy decoding and sampling: every output goes its own way from a shared prompt.
#include "inference/decode_strategy.h"
#include "inference/output_text.h"

#include <vector>

namespace wb::inference {
namespace {

using core::KvCache;
using core::TokenId;

class SampledDecoding final : public DecodeStrategy {
public:
    SampledDecoding(const GenerationRequest& request, const core::Tokenizer& tokenizer, ObservedRequest observed)
        : m_request(request), m_observed(observed) {
        for (int64_t i = 0; i < request.options.numReturn; ++i) m_outputs.emplace_back(tokenizer, m_request);
    }

    void start(KvCache& cache, KvCache::SequenceId prompt, std::span<const float> logits) override {
        for (size_t i = 0; i < m_outputs.size(); ++i) {
            m_sequences.push_back(i + 1 < m_outputs.size() ? cache.fork(prompt) : prompt);
        }
        for (size_t i = 0; i < m_outputs.size(); ++i) choose(cache, i, logits);
    }

    std::vector<DecodeRow> rows() const override {
        std::vector<DecodeRow> rows;
        for (size_t i = 0; i < m_outputs.size(); ++i) {
            if (!m_outputs[i].isFinished()) rows.push_back({m_sequences[i], m_outputs[i].output().ids.back()});
        }
        return rows;
    }

    void advance(KvCache& cache, std::span<const float> logits) override {
        size_t active = 0;
        for (const Output& output : m_outputs) active += output.isFinished() ? 0 : 1;
        const size_t vocabulary = logits.size() / active;
        size_t row = 0;
        for (size_t i = 0; i < m_outputs.size(); ++i) {
            if (!m_outputs[i].isFinished()) choose(cache, i, logits.subspan(vocabulary * row++, vocabulary));
        }
    }

    void cancel(KvCache& cache) override {
        for (size_t i = 0; i < m_outputs.size(); ++i) {
            if (m_outputs[i].isFinished()) continue;
            m_outputs[i].finish(FinishReason::Cancelled);
            if (i < m_sequences.size()) cache.release(m_sequences[i]);  // none before the prompt has run
        }
    }

    std::vector<GenerationOutput> outputs() const override {
        std::vector<GenerationOutput> outputs;
        for (const Output& output : m_outputs) outputs.push_back(output.output());
        return outputs;
    }

private:
    using Output = OutputText;

    void choose(KvCache& cache, size_t index, std::span<const float> logits) {
        Output& output = m_outputs[index];
        output.append(nextToken(output.output().ids, index, logits), logits);
        if (output.isFinished()) cache.release(m_sequences[index]);
        if (m_observed.observer != nullptr) m_observed.observer->onToken(m_observed.request, index, output.output());
    }

    TokenId nextToken(const std::vector<TokenId>& ids, size_t index, std::span<const float> logits) const {
        const GenerationOptions& options = m_request.options;
        const SamplerOptions& sampler = options.sampler;
        const bool hasRules = !options.rules.areEmpty();
        std::vector<TokenId> history;
        if (sampler.repetitionPenalty != 1 || hasRules) history = historyOf(m_request, ids);
        if (!hasRules) return sampleToken(logits, history, sampler, index, ids.size());
        const TokenPlace place = placeOf(m_request, history);
        if (const std::optional<TokenId> forced = forcedToken(options.rules, place)) return *forced;
        std::vector<float> scores(logits.begin(), logits.end());
        forbidTokens(options.rules, place, scores);
        return sampleToken(scores, history, sampler, index, ids.size());
    }

    const GenerationRequest& m_request;
    ObservedRequest m_observed;
    std::vector<Output> m_outputs;
    std::vector<KvCache::SequenceId> m_sequences;
};

}  // namespace

std::unique_ptr<DecodeStrategy> makeSampledDecoding(const GenerationRequest& request, const core::Tokenizer& tokenizer,
                                                    ObservedRequest observed) {
    return std::make_unique<SampledDecoding>(request, tokenizer, observed);
}

}  // namespace wb::inference
