// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core/text/tokenizer.h"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace wb::core {

// What a byte-pair vocabulary file says.
struct BpeVocabulary {
    std::vector<std::string> tokens;                          // by id; empty where no token has the id
    std::vector<std::pair<std::string, std::string>> merges;  // in order of rank
    bool isByteLevel = false;      // tokens are written in the byte alphabet, texts are cut into bytes
    bool hasByteFallback = false;  // characters without a token become "<0xHH>" tokens
    bool fusesUnknown = false;     // neighbouring unknown characters become one unknown token
    bool ignoresMerges = false;    // a word that is a token is that token, whatever the merges say
    std::optional<TokenId> unkId;  // absent: unknown characters are left out
};

struct BpeToken {
    TokenId id = 0;
    ByteRange range;  // within the word's text
};

// Byte-pair encoding of one word: starts from characters (or bytes) and merges, again and again, the neighbours whose
// pair has the lowest rank, the leftmost first. Thread-safe.
class BpeModel {
public:
    // Throws CorruptFile naming a merge whose parts or result are no tokens.
    BpeModel(const BpeVocabulary& vocabulary, std::string_view sourceName);

    // Appends the tokens of `word`, valid UTF-8, whose first byte stands at `offset`.
    void encode(std::string_view word, size_t offset, std::vector<BpeToken>& tokens) const;

private:
    // Open addressing: a pair of ids to its rank and result.
    class MergeTable {
    public:
        struct Merge {
            uint32_t rank = 0;
            TokenId result = 0;
        };
        explicit MergeTable(size_t count);
        void insert(TokenId left, TokenId right, Merge merge);  // replaces
        const Merge* find(TokenId left, TokenId right) const;

    private:
        struct Slot {
            uint64_t pair = UINT64_MAX;
            Merge merge;
        };
        size_t slotOf(uint64_t pair) const;
        std::vector<Slot> m_slots;
    };
    struct Symbol;

    void startSymbols(std::string_view word, std::vector<Symbol>& symbols) const;
    void startBytes(std::string_view word, std::vector<Symbol>& symbols) const;
    void startCharacters(std::string_view word, std::vector<Symbol>& symbols) const;
    bool appendByteFallback(std::string_view character, size_t begin, std::vector<Symbol>& symbols) const;
    void mergeSymbols(std::vector<Symbol>& symbols) const;

    std::unordered_map<std::string, TokenId> m_ids;  // of characters, or of whole words if merges are ignored
    std::array<TokenId, 256> m_byteIds{};            // -1: no token
    MergeTable m_merges;
    bool m_isByteLevel;
    bool m_hasByteFallback;
    bool m_fusesUnknown;
    bool m_ignoresMerges;
    std::optional<TokenId> m_unkId;
};

}  // namespace wb::core
