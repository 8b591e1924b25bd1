// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core/text/tokenizer/models/piece_trie.h"
#include "core/text/tokenizer/models/token_model.h"
#include "core/text/tokenizer/models/token_table.h"

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace wb::core {

struct UnigramVocabulary {
    std::vector<std::string> pieces;  // by id
    std::vector<double> scores;       // log probabilities, one for each piece
    std::optional<TokenId> unkId;
    bool hasByteFallback = false;  // what has no piece becomes "<0xHH>" pieces
};

// The unigram language model of Kudo (2018): of all ways to cut a word into pieces, the one with the greatest sum of
// scores. A character that is no piece scores 10 less than the worst piece; neighbouring ones are one unknown token.
class UnigramModel : public TokenModel {
public:
    // Throws CorruptFile naming sourceName and what contradicts.
    UnigramModel(const UnigramVocabulary& vocabulary, std::string_view sourceName);

    // Throws InvalidArgument for an unknown character if the vocabulary has no unknown token.
    void encode(std::string_view word, size_t offset, std::vector<ModelToken>& tokens) const override;

private:
    struct Node;
    void findBestPath(std::string_view word, std::vector<Node>& nodes) const;
    void appendToken(std::string_view word, ByteRange range, TokenId id, size_t offset,
                     std::vector<ModelToken>& tokens) const;

    PieceTrie m_trie;
    TokenTable m_ids;
    std::vector<double> m_scores;
    double m_unknownScore = 0.0;
    std::optional<TokenId> m_unkId;
    bool m_hasByteFallback;
    std::array<TokenId, 256> m_byteIds{};
    std::string m_sourceName;
};

}  // namespace wb::core
