// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace wb::core {

using TokenId = int32_t;

// Which tokens that the vocabulary marks as special encode() may produce from their names in the text. Text that came
// from a user is encoded with None, so that a row which contains "</s>" cannot end a sequence.
enum class SpecialTokens {
    None,   // special tokens stay plain text; other added tokens (runs of spaces, say) are part of any encoding
    Parse,  // every added token in the text becomes its id
};

// A half-open range of bytes of the encoded text.
struct ByteRange {
    size_t begin = 0;
    size_t end = 0;

    bool operator==(const ByteRange&) const = default;
};

struct Encoding {
    std::vector<TokenId> ids;
    std::vector<ByteRange> offsets;  // per id: the bytes of the input it covers (empty for tokens that stand for none)
};

// Ids with a fixed role; absent where the model has none.
struct SpecialIds {
    std::optional<TokenId> bos;
    std::optional<TokenId> eos;
    std::optional<TokenId> pad;
    std::optional<TokenId> unk;
    bool addBos = false;  // the model's own pipeline puts BOS in front of a prompt
    bool addEos = false;
};

// The text of one sequence as it grows. It is given ids of the vocabulary that are not special.
class TextStream {
public:
    virtual ~TextStream() = default;
    virtual std::string push(TokenId id) = 0;  // whole code points that are certain now, maybe none
    virtual std::string flush() = 0;           // the rest; afterwards a new sequence may begin
};

// Text to ids and back for one model. Thread-safe: all calls are const and share no mutable state.
class Tokenizer {
public:
    virtual ~Tokenizer() = default;

    // Number of ids, including added tokens: every id in [0, vocabularySize()) decodes.
    virtual int32_t vocabularySize() const = 0;
    virtual const SpecialIds& specialIds() const = 0;
    // "sentencepiece-bpe", "bpe", ...: what inspect shows.
    virtual std::string kind() const = 0;

    // Encodes without BOS or EOS. Invalid UTF-8 is replaced by U+FFFD first (offsets then refer to the replaced text).
    virtual Encoding encode(std::string_view text, SpecialTokens special = SpecialTokens::None) const = 0;

    // The ids of a text with the special tokens that the model's own pipeline puts around it (its post-processor: BOS
    // and EOS, "[CLS]" and "[SEP]", a language code).
    virtual std::vector<TokenId> withSpecials(std::vector<TokenId> ids) const;

    // The whole text of a sequence, as the reference implementation decodes it with special tokens skipped (and without
    // its optional clean-up of spaces). Ids at or above vocabularySize() add nothing; throws InvalidArgument on a
    // negative one.
    virtual std::string decode(std::span<const TokenId> ids) const;

    // Begins the text of a sequence. Borrows the tokenizer.
    virtual std::unique_ptr<TextStream> startText() const;

    // The raw bytes one id contributes in the middle of a text ("▁the" gives " the", "<0xE2>" gives one byte).
    virtual std::string tokenBytes(TokenId id) const = 0;
    // The id as the vocabulary file writes it ("▁the", "Ġthe", "<0x0A>").
    virtual std::string tokenName(TokenId id) const = 0;
    virtual std::optional<TokenId> findToken(std::string_view name) const = 0;
    virtual bool isSpecial(TokenId id) const = 0;
};

// encode(), with BOS in front if the model's pipeline adds it. This is what a plain prompt becomes.
std::vector<TokenId> encodePrompt(const Tokenizer& tokenizer, std::string_view text,
                                  SpecialTokens special = SpecialTokens::Parse);

// What the encoder of an encoder-decoder model reads for a text, and what `whet tokenize --add-special` prints:
// encode() and the special tokens of the model's own pipeline around it (T5 appends "</s>", BART writes "<s> ...
// </s>").
std::vector<TokenId> encodeWithSpecials(const Tokenizer& tokenizer, std::string_view text,
                                        SpecialTokens special = SpecialTokens::Parse);

// Opens the tokenizer of a model folder (tokenizer.json, else tokenizer.model, else vocab.json + merges.txt), or of one
// such file, or of a GGUF file. Throws NotFound, CorruptFile or Unsupported, naming the file and the feature.
std::unique_ptr<Tokenizer> loadTokenizer(const std::filesystem::path& modelPath);

// tokenBytes(), or nothing for a row of the model's table that the vocabulary has no token for: many models round the
// table up, and an untrained one may well choose such a row.
std::string tokenBytesOrNone(const Tokenizer& tokenizer, TokenId id);

// Turns a stream of ids into text whose pieces are always whole code points: bytes of an incomplete one are held back.
// Joining all pieces and flush() gives decode() of the same ids. Special tokens give nothing. One instance per stream;
// not thread-safe.
class StreamDecoder {
public:
    explicit StreamDecoder(const Tokenizer& tokenizer) : m_tokenizer(tokenizer), m_text(tokenizer.startText()) {}

    // Ids at or above vocabularySize() add no text (see tokenBytesOrNone).
    std::string push(TokenId id);
    std::string flush();  // what is left at the end, with U+FFFD for bytes that never became a character

private:
    const Tokenizer& m_tokenizer;
    std::unique_ptr<TextStream> m_text;
};

}  // namespace wb::core
