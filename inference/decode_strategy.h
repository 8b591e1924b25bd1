// SPDX-License-Identifier: Apache-2.0
// How one request turns logits into tokens. The session runs the model; a strategy owns the request's cache sequences.
// Strategies read GenerationRequest::decoderPrompt, which the session has filled in.
#pragma once

#include "core/model/kv_cache.h"
#include "core/text/tokenizer.h"
#include "inference/generation.h"

#include <memory>
#include <span>
#include <vector>

namespace wb::inference {

// A row of the next decode batch.
struct DecodeRow {
    core::KvCache::SequenceId sequence = 0;
    core::TokenId token = 0;
};

class DecodeStrategy {
public:
    virtual ~DecodeStrategy() = default;

    // Takes over the prefilled sequence. logits [V] follow the last prompt token.
    virtual void start(core::KvCache& cache, core::KvCache::SequenceId prompt, std::span<const float> logits) = 0;
    // Tokens chosen but not yet run through the model; empty when finished.
    virtual std::vector<DecodeRow> rows() const = 0;
    // logits [rows, V] in the order of rows().
    virtual void advance(core::KvCache& cache, std::span<const float> logits) = 0;
    // Ends now, with what there is.
    virtual void cancel(core::KvCache& cache) = 0;
    virtual std::vector<GenerationOutput> outputs() const = 0;

    bool isFinished() const { return rows().empty(); }
};

// What the decoder has read and written so far, and the place behind it. `history` must outlive the place.
std::vector<core::TokenId> historyOf(const GenerationRequest& request, const std::vector<core::TokenId>& output);
TokenPlace placeOf(const GenerationRequest& request, const std::vector<core::TokenId>& history);

// Tells the observer of one request, with the request's number filled in.
struct ObservedRequest {
    GenerationObserver* observer = nullptr;
    size_t request = 0;
};

std::unique_ptr<DecodeStrategy> makeSampledDecoding(const GenerationRequest& request, const core::Tokenizer& tokenizer,
                                                    ObservedRequest observed);
std::unique_ptr<DecodeStrategy> makeBeamDecoding(const GenerationRequest& request, const core::Tokenizer& tokenizer,
                                                 ObservedRequest observed);

}  // namespace wb::inference
