// SPDX-License-Identifier: Apache-2.0
// Beam search with the rules of the transformers library, so that the same model gives the same beams:
//  - each step ranks the 2 * numBeams best continuations (more with several end tokens) of all beams by their sum of
//    log-probs, in which a forced token counts 0;
//  - a continuation that ends (EOS) among the first numBeams becomes a hypothesis, a later one is dropped;
//  - a hypothesis scores sum / length^lengthPenalty, with EOS counted; the numBeams best are kept;
//  - the search ends when numBeams hypotheses exist and (unless it stops early) the best running beam cannot beat the
//    worst of them.
#include "inference/decode_strategy.h"
#include "inference/output_text.h"

#include <algorithm>
#include <cmath>
#include <set>

namespace wb::inference {
namespace {

using core::KvCache;
using core::TokenId;

struct Beam {
    KvCache::SequenceId sequence = 0;
    GenerationOutput output;
    double sum = 0;  // of log-probs
};

struct Continuation {
    size_t beam = 0;
    TokenId id = 0;
    double sum = 0;
};

bool isBetter(const Continuation& a, const Continuation& b) {
    if (a.sum != b.sum) return a.sum > b.sum;
    return a.beam != b.beam ? a.beam < b.beam : a.id < b.id;
}

class BeamDecoding final : public DecodeStrategy {
public:
    BeamDecoding(const GenerationRequest& request, const core::Tokenizer& tokenizer, ObservedRequest observed)
        : m_request(request), m_tokenizer(tokenizer), m_observed(observed) {}

    void start(KvCache& cache, KvCache::SequenceId prompt, std::span<const float> logits) override {
        m_beams.push_back({prompt, {}, 0});
        advance(cache, logits);
    }

    std::vector<DecodeRow> rows() const override {
        std::vector<DecodeRow> rows;
        for (const Beam& beam : m_beams) rows.push_back({beam.sequence, beam.output.ids.back()});
        return rows;
    }

    void advance(KvCache& cache, std::span<const float> logits) override {
        const size_t vocabulary = logits.size() / m_beams.size();
        const std::vector<Continuation> ranked = rank(logits, vocabulary);
        std::vector<Continuation> survivors;
        for (size_t i = 0; i < ranked.size() && survivors.size() < width(); ++i) {
            if (!isEnd(ranked[i].id)) {
                survivors.push_back(ranked[i]);
            } else if (i < width()) {
                addHypothesis(extended(ranked[i], logits, vocabulary), ranked[i].sum, FinishReason::Stop);
            }
        }
        ++m_length;
        replaceBeams(cache, survivors, logits, vocabulary);
        if (m_length >= m_request.options.maxNewTokens) {
            finish(cache, FinishReason::Length);
        } else if (isDecided()) {
            finish(cache, FinishReason::None);
        }
        if (m_observed.observer != nullptr) m_observed.observer->onBeams(m_observed.request, m_length, ranking());
    }

    void cancel(KvCache& cache) override { finish(cache, FinishReason::Cancelled); }

    std::vector<GenerationOutput> outputs() const override {
        std::vector<GenerationOutput> outputs = ranking();
        outputs.resize(std::min(outputs.size(), static_cast<size_t>(m_request.options.numReturn)));
        return outputs;
    }

private:
    size_t width() const { return static_cast<size_t>(m_request.options.numBeams); }
    bool isEnd(TokenId id) const {
        return std::ranges::find(m_request.options.eosIds, id) != m_request.options.eosIds.end();
    }
    double scoreOf(double sum, int64_t length) const {
        return sum / std::pow(static_cast<double>(length), m_request.options.lengthPenalty);
    }

    // Enough that numBeams go on even if every beam could also end.
    size_t candidates() const { return std::max<size_t>(2, 1 + m_request.options.eosIds.size()) * width(); }

    std::vector<Continuation> rank(std::span<const float> logits, size_t vocabulary) const {
        std::vector<Continuation> best;
        for (size_t beam = 0; beam < m_beams.size(); ++beam) {
            // No beam can contribute more than all candidates.
            const auto row = logits.subspan(vocabulary * beam, vocabulary);
            for (const TokenAlternative& token : continuationsOf(m_beams[beam], row)) {
                if (std::isfinite(token.logprob)) best.push_back({beam, token.id, m_beams[beam].sum + token.logprob});
            }
        }
        std::ranges::sort(best, isBetter);
        best.resize(std::min(best.size(), candidates()));
        return best;
    }

    std::vector<TokenAlternative> continuationsOf(const Beam& beam, std::span<const float> row) const {
        const GenerationOptions& options = m_request.options;
        const double penalty = options.sampler.repetitionPenalty;
        const auto count = static_cast<int64_t>(candidates());
        if (options.rules.areEmpty() && penalty == 1) return topAlternatives(row, count);
        const std::vector<TokenId> history = historyOf(m_request, beam.output.ids);
        const TokenPlace place = placeOf(m_request, history);
        if (const std::optional<TokenId> forced = forcedToken(options.rules, place)) return {{*forced, 0}};
        const double normaliser = logSumExp(row);
        std::vector<float> scores(row.begin(), row.end());
        if (penalty != 1) {
            for (const TokenId id : std::set<TokenId>(history.begin(), history.end())) {
                float& score = scores[static_cast<size_t>(id)];
                score = static_cast<float>((score - normaliser) * penalty + normaliser);
            }
        }
        forbidTokens(options.rules, place, scores);
        return topAlternatives(scores, count, normaliser);
    }

    GenerationOutput extended(const Continuation& next, std::span<const float> logits, size_t vocabulary) const {
        GenerationOutput output = m_beams[next.beam].output;
        output.ids.push_back(next.id);
        const auto row = logits.subspan(vocabulary * next.beam, vocabulary);
        output.logprobs.push_back(row[static_cast<size_t>(next.id)] - logSumExp(row));
        if (m_request.options.topAlternatives > 0) {
            output.top.push_back(topAlternatives(row, m_request.options.topAlternatives));
        }
        return output;
    }

    void addHypothesis(GenerationOutput output, double sum, FinishReason reason) {
        output.score = scoreOf(sum, static_cast<int64_t>(output.ids.size()));
        output.reason = reason;
        fillText(m_tokenizer, m_request, output);
        m_hypotheses.push_back(std::move(output));
        std::ranges::stable_sort(m_hypotheses, std::ranges::greater{}, &GenerationOutput::score);
        if (m_hypotheses.size() > width()) m_hypotheses.pop_back();
    }

    void replaceBeams(KvCache& cache, const std::vector<Continuation>& survivors, std::span<const float> logits,
                      size_t vocabulary) {
        std::vector<Beam> next;
        for (const Continuation& survivor : survivors) {
            next.push_back(
                {cache.fork(m_beams[survivor.beam].sequence), extended(survivor, logits, vocabulary), survivor.sum});
        }
        releaseBeams(cache);
        m_beams = std::move(next);
    }

    void releaseBeams(KvCache& cache) {
        for (const Beam& beam : m_beams) cache.release(beam.sequence);
        m_beams.clear();
    }

    bool isDecided() const {
        if (m_beams.empty()) return true;
        if (m_hypotheses.size() < width()) return false;
        if (m_request.options.stopsEarly) return true;
        return scoreOf(m_beams.front().sum, m_length) <= m_hypotheses.back().score;
    }

    // Running beams become hypotheses unless the search was decided without them.
    void finish(KvCache& cache, FinishReason reason) {
        if (reason != FinishReason::None) {
            for (const Beam& beam : m_beams) addHypothesis(beam.output, beam.sum, reason);
        }
        releaseBeams(cache);
    }

    // Hypotheses and, while running, beams: best first.
    std::vector<GenerationOutput> ranking() const {
        std::vector<GenerationOutput> ranked = m_hypotheses;
        for (const Beam& beam : m_beams) {
            ranked.push_back(beam.output);
            ranked.back().score = scoreOf(beam.sum, m_length);
            fillText(m_tokenizer, m_request, ranked.back());
        }
        std::ranges::stable_sort(ranked, std::ranges::greater{}, &GenerationOutput::score);
        ranked.resize(std::min(ranked.size(), width()));
        return ranked;
    }

    const GenerationRequest& m_request;
    const core::Tokenizer& m_tokenizer;
    ObservedRequest m_observed;
    std::vector<Beam> m_beams;                   // running, best first
    std::vector<GenerationOutput> m_hypotheses;  // ended, best first
    int64_t m_length = 0;                        // tokens of every running beam
};

}  // namespace

std::unique_ptr<DecodeStrategy> makeBeamDecoding(const GenerationRequest& request, const core::Tokenizer& tokenizer,
                                                 ObservedRequest observed) {
    return std::make_unique<BeamDecoding>(request, tokenizer, observed);
}

}  // namespace wb::inference
