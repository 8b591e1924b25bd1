// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>
#include <vector>

#include "core/text/chat_template.h"
#include "core/text/prompt_template.h"
#include "core/text/tokenizer.h"

namespace wb::core {

// Who reads a prompt: a decoder that goes on with it, or the encoder of an encoder-decoder, which is given all special
// tokens that the tokenizer's pipeline puts around a text.
enum class PromptReader { Decoder, Encoder };

// Encodes rendered text so that special tokens are parsed only where the template wrote them: "</s>" inside a message
// stays plain text. Training and generation encode prompts through this one class, so a model is asked exactly what it
// was taught. Borrows the tokenizer. Thread-safe.
class SpanEncoder {
public:
    // Looks the added tokens up once, which costs about a millisecond.
    explicit SpanEncoder(const Tokenizer& tokenizer);

    // The ids a model is given for a prompt, which is what renderPrompt returned. For a decoder they start with BOS if
    // the tokenizer's pipeline adds one and the text does not begin with it. Offsets refer to prompt.text.
    Encoding encodePrompt(const RenderedChat& prompt, PromptReader reader = PromptReader::Decoder) const;

    // The bytes `range` of rendered.text as the continuation of what comes before: no BOS, and not the space that some
    // tokenizers put in front of a text. Offsets refer to rendered.text.
    Encoding encodeContinuation(const RenderedChat& rendered, ByteRange range) const;

    // The bytes `range` of rendered.text as a text of its own, without the pipeline's special tokens: the answer of an
    // encoder-decoder. Offsets refer to rendered.text.
    Encoding encodeAlone(const RenderedChat& rendered, ByteRange range) const;

    // The next part of a long text without a template, no special tokens parsed. Offsets refer to `text`.
    Encoding encodeTextContinuation(std::string_view text) const;

private:
    Encoding encodeRange(const RenderedChat& rendered, ByteRange range, bool isContinuation) const;
    Encoding withSpecials(Encoding encoding, size_t textSize) const;
    Encoding encodePiece(std::string_view text, SpecialTokens special, bool isContinuation) const;
    bool isAdded(TokenId id) const { return m_isAdded[static_cast<size_t>(id)]; }

    const Tokenizer& m_tokenizer;
    std::vector<bool> m_isAdded;     // per id: produced only by SpecialTokens::Parse
    bool m_addsPrefixSpace = false;  // a text is encoded as if a space stood before it
};

}  // namespace wb::core
