// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core/text/tokenizer.h"
#include "inference/generation.h"

#include <string>
#include <vector>

namespace wb::inference {

// Grows one output token by token: text in whole code points, stop strings, finish reason.
class OutputText {
public:
    // The text continues that of the decoder's prompt: a first word keeps the space that parts it from the last one.
    OutputText(const core::Tokenizer& tokenizer, const GenerationRequest& request);

    // Appends a token chosen from logits [V].
    void append(core::TokenId id, std::span<const float> logits);
    void finish(FinishReason reason);

    bool isFinished() const { return m_output.reason != FinishReason::None; }
    const GenerationOutput& output() const { return m_output; }

private:
    bool cutAtStopString();

    const GenerationOptions& m_options;
    core::StreamDecoder m_decoder;
    GenerationOutput m_output;
};

// The finished form of ids that were chosen elsewhere (beam search): text, pieces and stop strings as OutputText.
void fillText(const core::Tokenizer& tokenizer, const GenerationRequest& request, GenerationOutput& output);

}  // namespace wb::inference
