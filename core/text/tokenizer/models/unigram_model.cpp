// SPDX-License-Identifier: Apache-2.0
#include "core/text/tokenizer/models/unigram_model.h"

#include "core/text/tokenizer/byte_alphabet.h"
#include "core/text/utf8.h"
#include "kernels/base/error.h"

#include <fmt/format.h>
#include <algorithm>
#include <cmath>
#include <limits>

namespace wb::core {
namespace {

constexpr double kUnknownPenalty = 10.0;
constexpr uint32_t kUnreached = UINT32_MAX;

}  // namespace

// The best way to reach a position of the word.
struct UnigramModel::Node {
    double score = 0.0;
    uint32_t begin = kUnreached;  // of its last piece
    TokenId id = 0;

    void offer(double candidate, size_t from, TokenId piece) {
        if (begin != kUnreached && candidate <= score) return;
        score = candidate;
        begin = static_cast<uint32_t>(from);
        id = piece;
    }
};

UnigramModel::UnigramModel(const UnigramVocabulary& vocabulary, std::string_view sourceName)
    : m_ids(vocabulary.pieces.size()),
      m_scores(vocabulary.scores),
      m_unkId(vocabulary.unkId),
      m_hasByteFallback(vocabulary.hasByteFallback),
      m_sourceName(sourceName) {
    WB_CHECK(vocabulary.pieces.size() == vocabulary.scores.size(), "one score for each piece");
    if (m_unkId && static_cast<size_t>(*m_unkId) >= vocabulary.pieces.size()) {
        throw Error{ErrorCode::CorruptFile, fmt::format("{}: the unknown id {} lies outside the {} pieces", sourceName,
                                                        *m_unkId, vocabulary.pieces.size())};
    }
    m_byteIds.fill(TokenTable::kNone);
    double lowest = std::numeric_limits<double>::infinity();
    for (size_t i = 0; i < vocabulary.pieces.size(); ++i) {
        const auto id = static_cast<TokenId>(i);
        if (!std::isfinite(m_scores[i]))
            throw Error{ErrorCode::CorruptFile, fmt::format("{}: the score of piece {} is no number", sourceName, i)};
        lowest = std::min(lowest, m_scores[i]);
        m_ids.insert(vocabulary.pieces[i], id);
        if (const auto byte = byteOfName(vocabulary.pieces[i])) m_byteIds[*byte] = id;
    }
    m_unknownScore = lowest - kUnknownPenalty;
    m_trie = PieceTrie(vocabulary.pieces);
}

void UnigramModel::findBestPath(std::string_view word, std::vector<Node>& nodes) const {
    nodes.assign(word.size() + 1, Node{});
    for (size_t begin = 0; begin < word.size();) {
        const double score = nodes[begin].score;
        const size_t characterBytes = decodeUtf8(word.substr(begin)).bytes;
        bool hasCharacter = false;
        m_trie.forEachPrefix(word.substr(begin), [&](size_t bytes, TokenId id) {
            nodes[begin + bytes].offer(score + m_scores[static_cast<size_t>(id)], begin, id);
            hasCharacter = hasCharacter || bytes == characterBytes;
        });
        if (!hasCharacter) {
            if (!m_unkId) {
                throw Error{ErrorCode::InvalidArgument,
                            fmt::format("{}: '{}' is no piece, and the vocabulary has no unknown token", m_sourceName,
                                        word.substr(begin, characterBytes))};
            }
            nodes[begin + characterBytes].offer(score + m_unknownScore, begin, *m_unkId);
        }
        begin += characterBytes;
    }
}

void UnigramModel::encode(std::string_view word, size_t offset, std::vector<ModelToken>& tokens) const {
    if (word.empty()) return;
    static thread_local std::vector<Node> nodes;
    static thread_local std::vector<ModelToken> backwards;
    findBestPath(word, nodes);
    backwards.clear();
    for (size_t end = word.size(); end > 0; end = nodes[end].begin) {
        const Node& node = nodes[end];
        const bool isUnknown = m_unkId && node.id == *m_unkId;
        const bool isFused = isUnknown && !backwards.empty() && backwards.back().id == *m_unkId;
        if (isFused)
            backwards.back().range.begin = node.begin;
        else
            backwards.push_back({node.id, {node.begin, end}});
    }
    for (auto token = backwards.rbegin(); token != backwards.rend(); ++token)
        appendToken(word, token->range, token->id, offset, tokens);
}

void UnigramModel::appendToken(std::string_view word, ByteRange range, TokenId id, size_t offset,
                               std::vector<ModelToken>& tokens) const {
    if (m_unkId && id == *m_unkId) {
        // What was put together from unknown characters may happen to be a piece, or the name of the unknown one.
        const std::string_view text = word.substr(range.begin, range.end - range.begin);
        const TokenId named = m_ids.find(text);
        const auto hasByte = [&](char byte) { return m_byteIds[static_cast<uint8_t>(byte)] != TokenTable::kNone; };
        if (named != TokenTable::kNone) {
            id = named;
        } else if (m_hasByteFallback && std::ranges::all_of(text, hasByte)) {
            for (size_t at = range.begin; at < range.end; ++at)
                tokens.push_back({m_byteIds[static_cast<uint8_t>(word[at])], {offset + at, offset + at + 1}});
            return;
        }
    }
    tokens.push_back({id, {offset + range.begin, offset + range.end}});
}

}  // namespace wb::core
