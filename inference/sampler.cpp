// SPDX-License-Identifier: Apache-2.0
#include "inference/sampler.h"

#include "kernels/base/philox.h"

#include <fmt/format.h>
#include <algorithm>
#include <cmath>
#include <numeric>
#include <unordered_set>

namespace wb::inference {
namespace {

using core::TokenId;

struct Candidate {
    TokenId id = 0;
    double weight = 0;  // logit, then probability
};

// More likely first; the lower id on ties, so that the order never depends on the sorting algorithm.
bool isBetter(const Candidate& a, const Candidate& b) {
    return a.weight != b.weight ? a.weight > b.weight : a.id < b.id;
}

std::vector<Candidate> penalised(std::span<const float> logits, std::span<const TokenId> history, double penalty) {
    std::vector<Candidate> candidates(logits.size());
    for (size_t i = 0; i < logits.size(); ++i) candidates[i] = {static_cast<TokenId>(i), logits[i]};
    if (penalty == 1.0) return candidates;
    for (const TokenId id : std::unordered_set<TokenId>(history.begin(), history.end())) {
        double& logit = candidates[static_cast<size_t>(id)].weight;
        logit = logit > 0 ? logit / penalty : logit * penalty;
    }
    return candidates;
}

// Softmax of the kept candidates, in place.
void toProbabilities(std::vector<Candidate>& candidates, double temperature) {
    const double best = candidates.front().weight;
    double sum = 0;
    for (Candidate& candidate : candidates) {
        candidate.weight = std::exp((candidate.weight - best) / temperature);
        sum += candidate.weight;
    }
    for (Candidate& candidate : candidates) candidate.weight /= sum;
}

void keepNucleus(std::vector<Candidate>& candidates, const SamplerOptions& options) {
    size_t kept = candidates.size();
    if (options.minP > 0) {
        const double floor = options.minP * candidates.front().weight;
        const auto below = std::ranges::find_if(candidates, [floor](const Candidate& c) { return c.weight < floor; });
        kept = static_cast<size_t>(below - candidates.begin());
    }
    if (options.topP < 1) {
        double mass = 0;
        for (size_t i = 0; i < kept; ++i) {
            mass += candidates[i].weight;
            if (mass >= options.topP) kept = i + 1;
        }
    }
    candidates.resize(std::max<size_t>(kept, 1));
}

}  // namespace

std::string SamplerOptions::describe() const {
    std::string text = temperature > 0 ? fmt::format("temperature {:g}", temperature) : std::string("greedy");
    if (temperature > 0 && topK > 0) text += fmt::format(", top-k {}", topK);
    if (temperature > 0 && topP < 1) text += fmt::format(", top-p {:g}", topP);
    if (temperature > 0 && minP > 0) text += fmt::format(", min-p {:g}", minP);
    if (repetitionPenalty != 1) text += fmt::format(", repetition penalty {:g}", repetitionPenalty);
    return text;
}

TokenId sampleToken(std::span<const float> logits, std::span<const TokenId> history, const SamplerOptions& options,
                    uint64_t stream, uint64_t index) {
    if (options.temperature <= 0 && options.repetitionPenalty == 1.0) {
        return static_cast<TokenId>(kernels::highestIndex(logits));
    }
    std::vector<Candidate> candidates = penalised(logits, history, options.repetitionPenalty);
    if (options.temperature <= 0) return std::ranges::min_element(candidates, isBetter)->id;

    if (options.topK > 0 && static_cast<size_t>(options.topK) < candidates.size()) {
        std::ranges::nth_element(candidates, candidates.begin() + options.topK - 1, isBetter);
        candidates.resize(static_cast<size_t>(options.topK));
    }
    std::ranges::sort(candidates, isBetter);
    toProbabilities(candidates, options.temperature);
    keepNucleus(candidates, options);

    const double total = std::accumulate(candidates.begin(), candidates.end(), 0.0,
                                         [](double sum, const Candidate& c) { return sum + c.weight; });
    double remaining = total * (static_cast<double>(philoxWord(options.seed, index, stream)) * 0x1p-32);
    for (const Candidate& candidate : candidates) {
        remaining -= candidate.weight;
        if (remaining < 0) return candidate.id;
    }
    return candidates.back().id;
}

std::vector<TokenAlternative> topAlternatives(std::span<const float> logits, int64_t count) {
    return topAlternatives(logits, count, count > 0 ? logSumExp(logits) : 0);
}

std::vector<TokenAlternative> topAlternatives(std::span<const float> scores, int64_t count, double normaliser) {
    std::vector<Candidate> candidates = penalised(scores, {}, 1.0);
    const auto kept = std::min<size_t>(static_cast<size_t>(count), candidates.size());
    std::ranges::partial_sort(candidates, candidates.begin() + static_cast<std::ptrdiff_t>(kept), isBetter);
    std::vector<TokenAlternative> top;
    for (size_t i = 0; i < kept; ++i) top.push_back({candidates[i].id, candidates[i].weight - normaliser});
    return top;
}

}  // namespace wb::inference
