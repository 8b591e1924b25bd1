// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core/text/tokenizer/models/token_model.h"
#include "core/text/tokenizer/models/token_table.h"

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace wb::core {

// What a byte-pair vocabulary file says beside its tokens.
struct BpeSettings {
    std::vector<std::pair<std::string, std::string>> merges;  // in order of rank
    bool readsBytes = false;       // tokens are written in the byte alphabet and words come as plain bytes
    bool hasByteFallback = false;  // characters without a token become "<0xHH>" tokens
    bool fusesUnknown = false;     // neighbouring unknown characters become one unknown token
    bool ignoresMerges = false;    // a word that is a token is that token, whatever the merges say
    std::optional<TokenId> unkId;  // absent: unknown characters are left out
    std::string continuingPrefix;  // written before every character of a word but the first ("##")
    std::string endSuffix;         // written behind the last character of a word ("</w>")
};

// Byte-pair encoding of one word: starts from characters (or bytes) and merges, again and again, the neighbours whose
// pair has the lowest rank, the leftmost first.
class BpeModel : public TokenModel {
public:
    // `tokens` by id, empty where no token has the id. Throws CorruptFile naming a merge whose parts or result are no
    // tokens.
    BpeModel(const std::vector<std::string>& tokens, const BpeSettings& settings, std::string_view sourceName);

    void encode(std::string_view word, size_t offset, std::vector<ModelToken>& tokens) const override;

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
    struct Pending;
    // Whether the merges make a token of its own characters; found out when a word first asks.
    enum class Wholeness : uint8_t { NotTried, Whole, InParts };

    void readMerges(const std::vector<std::string>& tokens, const BpeSettings& settings, std::string_view sourceName);
    void startSymbols(std::string_view word, std::vector<Symbol>& symbols) const;
    void startBytes(std::string_view word, std::vector<Symbol>& symbols) const;
    void startCharacters(std::string_view word, std::vector<Symbol>& symbols) const;
    void addUnknown(std::string_view name, uint32_t begin, uint32_t end, Pending& pending,
                    std::vector<Symbol>& symbols) const;
    void mergeFew(std::vector<Symbol>& symbols) const;
    void mergeMany(std::vector<Symbol>& symbols) const;

    TokenTable m_ids;                       // of all tokens, as a word that is the token reads
    std::array<TokenId, 256> m_byteIds{};   // readsBytes: of each byte; kNone if there is no token
    std::array<TokenId, 256> m_fallback{};  // "<0xHH>"
    MergeTable m_merges;
    bool m_readsBytes;
    bool m_hasByteFallback;
    bool m_fusesUnknown;
    bool m_ignoresMerges;
    std::optional<TokenId> m_unkId;
    std::string m_continuingPrefix;
    std::string m_endSuffix;
    std::unique_ptr<std::atomic<Wholeness>[]> m_wholeness;  // by id
};

}  // namespace wb::core
