// SPDX-License-Identifier: Apache-2.0
#include "core/text/tokenizer/pipeline_tokenizer.h"

#include "core/text/tokenizer/named_vocabulary.h"
#include "core/text/utf8.h"
#include "kernels/base/error.h"

#include <fmt/format.h>
#include <algorithm>

namespace wb::core {
namespace {

class PipelineTokenizer : public Tokenizer {
public:
    PipelineTokenizer(TokenizerPipeline pipeline, std::string_view sourceName)
        : m_pipeline(std::move(pipeline)), m_vocabulary(std::move(m_pipeline.tokens), sourceName) {
        std::vector<AddedToken> raw;
        std::vector<AddedToken> normalized;
        for (AddedToken& token : m_pipeline.addedTokens) {
            if (token.isSpecial) m_vocabulary.makeSpecial(token.id);
            if (token.isNormalized) {
                token.content = normalize(m_pipeline.normalizer, AlignedText(token.content, 0)).text();
                // The reference gives such a token back as it was looked for; a special one stays what it is called.
                if (!token.isSpecial) m_vocabulary.rename(token.id, token.content);
            }
            (token.isNormalized ? normalized : raw).push_back(token);
        }
        m_rawMatcher = AddedTokenMatcher(std::move(raw));
        m_normalizedMatcher = AddedTokenMatcher(std::move(normalized));
    }

    int32_t vocabularySize() const override { return m_vocabulary.size(); }
    const SpecialIds& specialIds() const override { return m_pipeline.roles; }
    std::string kind() const override { return m_pipeline.kind; }
    std::unique_ptr<TextStream> startText() const override { return decodeWith(*this, m_pipeline.decoder); }

    Encoding encode(std::string_view text, SpecialTokens special) const override {
        constexpr size_t kMaxBytes = size_t{1} << 30;  // positions are 32-bit inside
        if (text.size() > kMaxBytes) {
            throw Error{ErrorCode::InvalidArgument,
                        fmt::format("a text of {} bytes is too long to encode in one piece", text.size())};
        }
        const std::string repaired = isValidUtf8(text) ? std::string() : replaceInvalidUtf8(text);
        const std::string_view input = repaired.empty() ? text : std::string_view(repaired);
        Encoding encoding;
        for (const TextPiece& piece : m_rawMatcher.split(input, special)) {
            if (piece.token) {
                encoding.ids.push_back(*piece.token);
                encoding.offsets.push_back(piece.range);
            } else {
                const auto content = input.substr(piece.range.begin, piece.range.end - piece.range.begin);
                encodeNormalized(normalize(m_pipeline.normalizer, AlignedText(content, piece.range.begin)), special,
                                 encoding);
            }
        }
        return encoding;
    }

    std::vector<TokenId> withSpecials(std::vector<TokenId> ids) const override {
        if (m_pipeline.postProcessor.empty()) return Tokenizer::withSpecials(std::move(ids));
        for (const SpecialTemplate& around : m_pipeline.postProcessor) {
            std::vector<TokenId> result;
            for (const SpecialTemplate::Part& part : around.parts) {
                const std::vector<TokenId>& content = part.isText ? ids : part.ids;
                result.insert(result.end(), content.begin(), content.end());
            }
            ids = std::move(result);
        }
        return ids;
    }

    std::string tokenBytes(TokenId id) const override {
        return bytesInside(m_pipeline.decoder, m_vocabulary.nameOf(id));
    }
    std::string tokenName(TokenId id) const override { return m_vocabulary.nameOf(id); }
    std::optional<TokenId> findToken(std::string_view name) const override { return m_vocabulary.find(name); }
    bool isSpecial(TokenId id) const override { return m_vocabulary.isSpecial(id); }

private:
    void encodeNormalized(const AlignedText& text, SpecialTokens special, Encoding& encoding) const {
        if (m_normalizedMatcher.isEmpty()) return encodePlain(text, encoding);
        for (const TextPiece& piece : m_normalizedMatcher.split(text.text(), special)) {
            if (piece.token) {
                encoding.ids.push_back(*piece.token);
                encoding.offsets.push_back(text.sourceOf(piece.range.begin, piece.range.end));
            } else {
                encodePlain(text.part(piece.range), encoding);
            }
        }
    }

    void encodePlain(AlignedText text, Encoding& encoding) const {
        const Words words = preTokenize(m_pipeline.preTokenizer, std::move(text));
        const std::string_view content = words.text.text();
        std::vector<ModelToken> tokens;
        tokens.reserve(content.size() / 3 + 8);
        for (const ByteRange& word : words.ranges)
            m_pipeline.model->encode(content.substr(word.begin, word.end - word.begin), word.begin, tokens);
        AlignedText::Walk walk(words.text);
        for (const ModelToken& token : tokens) {
            encoding.ids.push_back(token.id);
            encoding.offsets.push_back(walk.sourceOf(token.range.begin, token.range.end));
        }
    }

    TokenizerPipeline m_pipeline;  // its names are in m_vocabulary
    NamedVocabulary m_vocabulary;
    AddedTokenMatcher m_rawMatcher;
    AddedTokenMatcher m_normalizedMatcher;
};

}  // namespace

std::unique_ptr<Tokenizer> makePipelineTokenizer(TokenizerPipeline pipeline, std::string_view sourceName) {
    addNames(pipeline.addedTokens, pipeline.tokens, sourceName);
    return std::make_unique<PipelineTokenizer>(std::move(pipeline), sourceName);
}

std::optional<TokenId> idOfName(const std::vector<std::string>& tokens, std::string_view name) {
    const auto token = std::ranges::find(tokens, name);
    if (name.empty() || token == tokens.end()) return std::nullopt;
    return static_cast<TokenId>(token - tokens.begin());
}

void addNames(const std::vector<AddedToken>& added, std::vector<std::string>& tokens, std::string_view sourceName) {
    for (const AddedToken& token : added) {
        const auto id = static_cast<size_t>(token.id);
        if (id >= tokens.size()) tokens.resize(id + 1);
        if (!tokens[id].empty() && tokens[id] != token.content) {
            throw Error{ErrorCode::CorruptFile, fmt::format("{}: added token {} is '{}', the vocabulary calls it '{}'",
                                                            sourceName, id, token.content, tokens[id])};
        }
        tokens[id] = token.content;
    }
}

}  // namespace wb::core
