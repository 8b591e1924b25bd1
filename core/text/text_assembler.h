// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <string_view>

namespace wb::core {

class Tokenizer;
class TextStream;

// How the bytes of tokens become the text of a sequence: where the reference implementations differ.
struct DecodeRules {
    enum class FirstSpace {
        Keep,
        DropOne,          // the space that encoding put in front of the text
        DropOfEachToken,  // one of every token until there is text (models that remove extra white space)
    };
    enum class InvalidBytes {
        OnePerSequence,  // U+FFFD for each cut-short character (byte-level vocabularies)
        OnePerByte,      // U+FFFD for each byte of it (SentencePiece)
        WholeRun,        // a run of byte tokens that is not valid as a whole becomes U+FFFD for each of its bytes
    };

    FirstSpace firstSpace = FirstSpace::Keep;
    InvalidBytes invalidBytes = InvalidBytes::OnePerSequence;
};

// Joins the bytes of one token after another to text whose pieces end at whole characters: what could still become a
// character is held back. The pieces and flush() together are the text of the whole sequence. Not thread-safe.
class TextAssembler {
public:
    explicit TextAssembler(DecodeRules rules) : m_rules(rules) {}

    enum class TokenKind { Text, Byte };
    // The text that is certain after this token, maybe empty.
    std::string push(std::string_view bytes, TokenKind kind);
    // The rest; bytes that never became a character are U+FFFD. Afterwards a new sequence may begin.
    std::string flush();

private:
    std::string takeRun();
    std::string takeCharacters(bool isEnd);
    void dropFirstSpace(std::string& text);

    DecodeRules m_rules;
    std::string m_pending;
    bool m_hasText = false;
};

// The text of one sequence as the bytes of its tokens, joined by these rules. Borrows the tokenizer.
std::unique_ptr<TextStream> joinBytes(const Tokenizer& tokenizer, DecodeRules rules);

}  // namespace wb::core
