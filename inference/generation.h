// SPDX-License-Identifier: Apache-2.0
// What is asked of the generation session and what it gives back.
#pragma once

#include "inference/sampler.h"
#include "inference/token_rules.h"

#include <cstdint>
#include <string>
#include <vector>

namespace wb::inference {

struct GenerationOptions {
    static constexpr int64_t kMaxRows = 256;  // beams or outputs: the cache holds a sequence for each

    int64_t maxNewTokens = 128;
    SamplerOptions sampler;
    int64_t numBeams = 1;               // above 1: beam search, and the sampler is not used
    int64_t numReturn = 1;              // outputs; with beams the best ones, with sampling independent draws
    double lengthPenalty = 1;           // beams: score = sum of log-probs / length^penalty
    bool stopsEarly = false;            // beams: end with the first numBeams ended ones, whatever the others promise
    std::vector<std::string> stop;      // texts that end an output; cut from it
    std::vector<core::TokenId> eosIds;  // end an output; kept in its ids
    int64_t topAlternatives = 0;        // per token
    TokenRules rules;                   // of the model's generation config

    // "greedy", "beam 10": what a provenance stamp says.
    std::string describeSampler() const;
};

// One prompt for one model: the base, or the adapter attached under an index.
struct GenerationRequest {
    static constexpr int32_t kBase = -1;

    std::vector<core::TokenId> promptIds;  // at least one; an encoder-decoder's encoder reads them
    int32_t adapter = kBase;
    GenerationOptions options;
    // What the decoder reads before its first new token. Empty: promptIds, or the start token of an encoder-decoder.
    std::vector<core::TokenId> decoderPrompt{};
};

enum class FinishReason { None, Stop, Length, StopString, Cancelled };

// "stop", "length", "stop_string", "cancelled".
const char* finishReasonName(FinishReason reason);

struct GenerationOutput {
    std::string text;
    std::vector<core::TokenId> ids;
    std::vector<double> logprobs;                    // of each id under the model, before temperature and penalties
    std::vector<std::string> pieces;                 // whole code points each id completed; joined: text before cuts
    std::vector<std::vector<TokenAlternative>> top;  // per id, with topAlternatives
    double score = 0;  // sum of logprobs; with beams length-normalised, and forced tokens count nothing
    FinishReason reason = FinishReason::None;
};

struct GenerationResult {
    std::vector<GenerationOutput> outputs;  // best first with beams
    double firstTokenSeconds = 0;           // from the start of its prefill
    double seconds = 0;                     // until its last token
    int64_t tokens = 0;                     // generated over all outputs
};

// Is told what happens while a session runs; all calls come from the session's thread.
class GenerationObserver {
public:
    virtual ~GenerationObserver() = default;
    // A new token of an output that will not be revised (no beams).
    virtual void onToken(size_t /*request*/, size_t /*output*/, const GenerationOutput& /*soFar*/) {}
    // The live ranking of a beam search, best first.
    virtual void onBeams(size_t /*request*/, int64_t /*step*/, const std::vector<GenerationOutput>& /*beams*/) {}
    virtual void onRequestFinished(size_t /*request*/, const GenerationResult& /*result*/) {}
};

}  // namespace wb::inference
