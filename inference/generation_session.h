// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core/model/language_model.h"
#include "core/text/tokenizer.h"
#include "inference/decode_strategy.h"
#include "inference/generation.h"
#include "inference/recorded_decoding.h"

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

namespace wb::inference {

// Generates for any number of requests at once on one loaded model. All running outputs of all requests - base and
// adapters, beams and samples - advance as one batch per token (twin decode): the base weights are read once, each row
// gets its own adapter. Row results do not depend on what else is in the batch. Engine thread only.
class GenerationSession {
public:
    // The model's adapters must be attached under the indices that the requests name. Borrows model and tokenizer.
    // Throws InvalidArgument if a prompt is empty, or prompt and new tokens exceed the model's positions (each on its
    // own side of an encoder-decoder).
    GenerationSession(const kernels::Context& context, core::LanguageModel& model, const core::Tokenizer& tokenizer,
                      std::vector<GenerationRequest> requests, GenerationObserver* observer = nullptr);

    // Prefills one waiting request, or decodes one token of all running outputs. False when everything is finished.
    bool step();
    // Ends a request within the current token.
    void cancel(size_t request);
    // Steps until finished; `isCancelled` is polled between tokens.
    void run(const std::function<bool()>& isCancelled = {});

    const std::vector<GenerationRequest>& requests() const { return m_requests; }
    GenerationResult result(size_t request) const;
    // Of decoding passes; for tests and measurements.
    RecordedDecoding& recordings() { return *m_decoding; }

private:
    using Clock = std::chrono::steady_clock;
    struct Progress {
        std::unique_ptr<DecodeStrategy> strategy;
        std::optional<core::EncoderMemory> memory;  // encoder-decoders: from its prefill to its last token
        bool isStarted = false;
        bool isReported = false;
        Clock::time_point start;
        Clock::time_point firstToken;
        Clock::time_point end;
    };

    // Rows of one pass through the model and the cache, built row group by row group.
    struct PassRows {
        std::vector<core::TokenId> ids;
        std::vector<int32_t> positions;
        std::vector<int32_t> bounds{0};
        std::vector<core::KvCache::Growth> growths;
        std::vector<core::AdapterRows> adapterRows;
        std::vector<core::MemoryRows> memories;
    };
    // The next ids of one sequence of a request.
    void addRows(PassRows& pass, size_t request, core::KvCache::SequenceId sequence,
                 std::span<const core::TokenId> ids) const;
    // Hidden states [rows, C].
    core::Tensor runRows(const PassRows& pass);
    // Logits [rows, V] of one new token of each row.
    core::Tensor decodePass(const kernels::Context& context, const DecodeInputs& inputs);
    core::EncoderMemory encode(const GenerationRequest& asked);
    void prefill(size_t request);
    void decode();
    // Appends the logits [rows, V] after one more token of each; at most kernels::kIndependentRows rows.
    struct PendingRow {
        size_t request = 0;
        DecodeRow row;
    };
    void decodeRows(std::span<const PendingRow> rows);
    void reportIfFinished(size_t request);
    std::vector<float> lastLogits(const core::Tensor& hidden, int32_t adapter);

    const kernels::Context& m_context;
    core::LanguageModel& m_model;
    GenerationObserver* m_observer;
    std::vector<GenerationRequest> m_requests;
    std::vector<Progress> m_progress;
    std::unique_ptr<core::KvCache> m_cache;
    std::unique_ptr<RecordedDecoding> m_decoding;
    std::vector<float> m_logits;  // of the token being decoded; kept, for its memory would go back to the system
};

}  // namespace wb::inference
