// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/run/recipe.h"
#include "core/text/answer_frame.h"
#include "core/text/prompt_template.h"
#include "core/text/span_encoding.h"
#include "core/text/tokenizer.h"
#include "training/data/dataset.h"

namespace wb::training {

struct TokenizeOptions {
    int64_t maxLength = 0;                            // tokens a row may have; 0: no limit
    core::TrainOn trainOn = core::TrainOn::Response;  // All: every token but the first
    std::optional<core::AnswerFrame> answer{};        // of an encoder-decoder
};

// One row as the model sees it: one sequence for a decoder-only model, a pair for an encoder-decoder, whose encoder
// reads sourceIds while its decoder reads and predicts ids (the start token, the answer, its end). maxLength limits
// each side of a pair.
struct TokenizedExample {
    std::vector<core::TokenId> sourceIds;  // empty for a decoder-only model
    std::vector<core::ByteRange> sourceBytes;
    int64_t sourceTail = 0;              // trailing sourceIds that a cut keeps: what the tokenizer puts behind a text
    std::vector<core::TokenId> ids;      // at most maxLength
    std::vector<uint8_t> trained;        // per id: 1 if the model learns to predict it (never the first)
    std::vector<core::ByteRange> bytes;  // per id: the bytes of text it stands for; empty for BOS and an appended EOS
    int64_t fullLength = 0;              // tokens before the cut; of the longer side of a pair
    int64_t promptLength = 0;            // leading ids that generation would be fed for the last answer
    int64_t inputBegin = 0;              // ids (sourceIds of a pair) [inputBegin, inputEnd): the longest input of the
    int64_t inputEnd = 0;                //   prompt, which shortenExample may shorten; empty if there is none
    bool isShortened = false;            // its longest input lost its end so that the answer stays whole
    bool isTruncated = false;            // the cut lost tokens
    bool losesTarget = false;            // the cut lost tokens that would have been trained
    int64_t labelTokens = 0;             // number of trained ids; 0 teaches nothing
    bool isEmptyResponse = false;        // the answers are nothing but white space
    uint64_t promptHash = 0;             // of the text before the last answer; equal prompts, equal hashes
    uint64_t contentHash = 0;            // of the whole text
    core::RenderedChat rendered;         // kept only by tokenizeExample, for display

    bool isPair() const { return !sourceIds.empty(); }
    int64_t decoderRows() const;  // ids the decoder reads: the last of a pair is only predicted
    int64_t longestSide() const;  // what maxLength limits
    int64_t tokens() const { return static_cast<int64_t>(sourceIds.size()) + decoderRows(); }
};

// The text of a row under a template. Rows of mapped columns are handed over as prompt and response unless the template
// names their own columns; plain text stands for itself unless the template names its column.
// Throws InvalidArgument if the template does not fit the row.
core::RenderedChat renderExample(const Dataset& dataset, const Example& example,
                                 const core::PromptTemplate& promptTemplate);
// The text a model is given to continue for this row; a byte-exact prefix of renderExample. Empty for plain text.
core::RenderedChat renderExamplePrompt(const Dataset& dataset, const Example& example,
                                       const core::PromptTemplate& promptTemplate);
// What the model shall answer: the mapped response, the template's response columns, or the last answer.
std::string responseText(const Dataset& dataset, const Example& example, const core::PromptTemplate& promptTemplate);

// Renders and encodes rows. Borrows all three; thread-safe.
class ExampleTokenizer {
public:
    ExampleTokenizer(const Dataset& dataset, const core::PromptTemplate& promptTemplate,
                     const core::Tokenizer& tokenizer);

    // The prompt's ids are exactly what core::SpanEncoder::encodePrompt gives for it; special tokens are parsed only
    // where the template wrote them. Throws as renderExample.
    TokenizedExample tokenize(const Example& example, const TokenizeOptions& options) const;

private:
    void fillSequence(TokenizedExample& result, const core::RenderedChat& prompt, const Example& example,
                      const TokenizeOptions& options) const;
    void fillPair(TokenizedExample& result, const core::RenderedChat& prompt, const TokenizeOptions& options) const;

    const Dataset& m_dataset;
    const core::PromptTemplate& m_template;
    const core::Tokenizer& m_tokenizer;
    core::SpanEncoder m_encoder;
};

// One row, for display. For many rows make one ExampleTokenizer, which looks at the vocabulary once.
TokenizedExample tokenizeExample(const Dataset& dataset, const Example& example,
                                 const core::PromptTemplate& promptTemplate, const core::Tokenizer& tokenizer,
                                 const TokenizeOptions& options);

// The hash behind promptHash and contentHash (FNV-1a, 64 bit).
uint64_t textHash(std::string_view text);

// Whether a row that is too long can keep its whole answer by giving up the end of its longest input (at least one
// token of it stays).
bool canShorten(const TokenizedExample& example, int64_t maxLength);

// Does so; false, with nothing changed, if it cannot. A row that fits is left as it is.
bool shortenExample(TokenizedExample& example, int64_t maxLength);

// Shortens a row to at most maxLength ids (0: no limit) and sets the flags and counts that follow from it.
void cutExample(TokenizedExample& example, int64_t maxLength);

// All rows in order, on `threads` threads (0: one per core). A row that the template refuses comes back empty, with its
// line and reason in `badLines`. `rendered` and `bytes` are left empty to save memory.
std::vector<TokenizedExample> tokenizeDataset(const Dataset& dataset, const core::PromptTemplate& promptTemplate,
                                              const core::Tokenizer& tokenizer, const TokenizeOptions& options,
                                              int threads, std::vector<BadLine>& badLines);

}  // namespace wb::training
