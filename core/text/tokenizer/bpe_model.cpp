// SPDX-License-Identifier: Apache-2.0
#include "core/text/tokenizer/bpe_model.h"

#include "core/text/tokenizer/byte_alphabet.h"
#include "core/text/utf8.h"
#include "kernels/base/error.h"

#include <fmt/format.h>
#include <algorithm>
#include <bit>

namespace wb::core {

struct BpeModel::Symbol {
    TokenId id = 0;
    uint32_t begin = 0;
    uint32_t end = 0;  // begin == end: was merged into its left neighbour
    int32_t previous = -1;
    int32_t next = -1;
};

BpeModel::MergeTable::MergeTable(size_t count) : m_slots(std::bit_ceil(std::max<size_t>(16, count * 2))) {}

size_t BpeModel::MergeTable::slotOf(uint64_t pair) const {
    uint64_t hash = pair * 0x9e3779b97f4a7c15ULL;
    hash ^= hash >> 32;
    const size_t mask = m_slots.size() - 1;
    size_t slot = static_cast<size_t>(hash) & mask;
    while (m_slots[slot].pair != pair && m_slots[slot].pair != UINT64_MAX) slot = (slot + 1) & mask;
    return slot;
}

namespace {

uint64_t pairOf(TokenId left, TokenId right) {
    return static_cast<uint64_t>(static_cast<uint32_t>(left)) << 32 | static_cast<uint32_t>(right);
}

}  // namespace

void BpeModel::MergeTable::insert(TokenId left, TokenId right, Merge merge) {
    const uint64_t pair = pairOf(left, right);
    m_slots[slotOf(pair)] = {pair, merge};
}

const BpeModel::MergeTable::Merge* BpeModel::MergeTable::find(TokenId left, TokenId right) const {
    const uint64_t pair = pairOf(left, right);
    const Slot& slot = m_slots[slotOf(pair)];
    return slot.pair == pair ? &slot.merge : nullptr;
}

BpeModel::BpeModel(const BpeVocabulary& vocabulary, std::string_view sourceName)
    : m_merges(vocabulary.merges.size()),
      m_isByteLevel(vocabulary.isByteLevel),
      m_hasByteFallback(vocabulary.hasByteFallback),
      m_fusesUnknown(vocabulary.fusesUnknown),
      m_ignoresMerges(vocabulary.ignoresMerges),
      m_unkId(vocabulary.unkId) {
    std::unordered_map<std::string_view, TokenId> idOfName;
    idOfName.reserve(vocabulary.tokens.size());
    m_byteIds.fill(-1);
    for (size_t i = 0; i < vocabulary.tokens.size(); ++i) {
        const std::string& token = vocabulary.tokens[i];
        if (token.empty()) continue;
        const auto id = static_cast<TokenId>(i);
        idOfName.emplace(token, id);
        if (m_isByteLevel) {
            const auto bytes = alphabetBytes(token);
            if (!bytes) continue;
            if (bytes->size() == 1) m_byteIds[static_cast<uint8_t>(bytes->front())] = id;
            if (m_ignoresMerges) m_ids.emplace(*bytes, id);
        } else {
            if (const auto byte = byteOfName(token); byte && m_hasByteFallback) m_byteIds[*byte] = id;
            if (m_ignoresMerges || decodeUtf8(token).bytes == token.size()) m_ids.emplace(token, id);
        }
    }
    std::string joined;
    for (size_t rank = 0; rank < vocabulary.merges.size(); ++rank) {
        const auto& [left, right] = vocabulary.merges[rank];
        joined.assign(left).append(right);
        const auto leftId = idOfName.find(left);
        const auto rightId = idOfName.find(right);
        const auto joinedId = idOfName.find(joined);
        if (leftId == idOfName.end() || rightId == idOfName.end() || joinedId == idOfName.end()) {
            throw Error{ErrorCode::CorruptFile,
                        fmt::format("{}: merge {} ('{}' and '{}') uses or makes something that is no token", sourceName,
                                    rank, left, right)};
        }
        m_merges.insert(leftId->second, rightId->second, {static_cast<uint32_t>(rank), joinedId->second});
    }
}

void BpeModel::encode(std::string_view word, size_t offset, std::vector<BpeToken>& tokens) const {
    if (word.empty()) return;
    if (m_ignoresMerges) {
        if (const auto whole = m_ids.find(std::string(word)); whole != m_ids.end()) {
            tokens.push_back({whole->second, {offset, offset + word.size()}});
            return;
        }
    }
    std::vector<Symbol> symbols;
    startSymbols(word, symbols);
    mergeSymbols(symbols);
    for (const Symbol& symbol : symbols) {
        if (symbol.begin < symbol.end) tokens.push_back({symbol.id, {offset + symbol.begin, offset + symbol.end}});
    }
}

void BpeModel::startSymbols(std::string_view word, std::vector<Symbol>& symbols) const {
    symbols.reserve(word.size());
    if (m_isByteLevel)
        startBytes(word, symbols);
    else
        startCharacters(word, symbols);
    for (size_t i = 0; i < symbols.size(); ++i) {
        symbols[i].previous = static_cast<int32_t>(i) - 1;
        symbols[i].next = i + 1 < symbols.size() ? static_cast<int32_t>(i) + 1 : -1;
    }
}

void BpeModel::startBytes(std::string_view word, std::vector<Symbol>& symbols) const {
    for (size_t i = 0; i < word.size(); ++i) {
        const auto begin = static_cast<uint32_t>(i);
        const TokenId id = m_byteIds[static_cast<uint8_t>(word[i])];
        const bool wasUnknown = !symbols.empty() && symbols.back().id == m_unkId && symbols.back().end == begin;
        if (id >= 0)
            symbols.push_back({.id = id, .begin = begin, .end = begin + 1});
        else if (m_unkId && m_fusesUnknown && wasUnknown)
            symbols.back().end = begin + 1;
        else if (m_unkId)
            symbols.push_back({.id = *m_unkId, .begin = begin, .end = begin + 1});
    }
}

bool BpeModel::appendByteFallback(std::string_view character, size_t begin, std::vector<Symbol>& symbols) const {
    if (!m_hasByteFallback) return false;
    const auto hasToken = [&](char byte) { return m_byteIds[static_cast<uint8_t>(byte)] >= 0; };
    if (!std::ranges::all_of(character, hasToken)) return false;
    for (const char byte : character) {
        const auto at = static_cast<uint32_t>(begin++);
        symbols.push_back({.id = m_byteIds[static_cast<uint8_t>(byte)], .begin = at, .end = at + 1});
    }
    return true;
}

void BpeModel::startCharacters(std::string_view word, std::vector<Symbol>& symbols) const {
    for (size_t begin = 0; begin < word.size();) {
        const size_t length = decodeUtf8(word.substr(begin)).bytes;
        const std::string_view character = word.substr(begin, length);
        const auto from = static_cast<uint32_t>(begin);
        const auto to = static_cast<uint32_t>(begin + length);
        const auto known = m_ids.find(std::string(character));
        const bool wasUnknown =
            m_unkId && !symbols.empty() && symbols.back().id == *m_unkId && symbols.back().end == from;
        if (known != m_ids.end())
            symbols.push_back({.id = known->second, .begin = from, .end = to});
        else if (appendByteFallback(character, begin, symbols)) {
        } else if (wasUnknown && m_fusesUnknown)
            symbols.back().end = to;
        else if (m_unkId)
            symbols.push_back({.id = *m_unkId, .begin = from, .end = to});
        begin += length;
    }
}

void BpeModel::mergeSymbols(std::vector<Symbol>& symbols) const {
    struct Candidate {
        uint32_t rank;
        int32_t left;
        TokenId result;
    };
    // A heap whose top is the lowest rank, then the leftmost.
    const auto isWorse = [](const Candidate& a, const Candidate& b) {
        return a.rank != b.rank ? a.rank > b.rank : a.left > b.left;
    };
    std::vector<Candidate> heap;
    const auto consider = [&](int32_t left) {
        if (left < 0 || symbols[static_cast<size_t>(left)].next < 0) return;
        const Symbol& symbol = symbols[static_cast<size_t>(left)];
        const auto* merge = m_merges.find(symbol.id, symbols[static_cast<size_t>(symbol.next)].id);
        if (merge == nullptr) return;
        heap.push_back({merge->rank, left, merge->result});
        std::ranges::push_heap(heap, isWorse);
    };
    for (size_t i = 0; i + 1 < symbols.size(); ++i) consider(static_cast<int32_t>(i));
    while (!heap.empty()) {
        const Candidate best = heap.front();
        std::ranges::pop_heap(heap, isWorse);
        heap.pop_back();
        Symbol& left = symbols[static_cast<size_t>(best.left)];
        if (left.begin == left.end || left.next < 0) continue;
        Symbol& right = symbols[static_cast<size_t>(left.next)];
        // An earlier merge may have changed either side since this pair was put into the heap.
        const auto* merge = m_merges.find(left.id, right.id);
        if (merge == nullptr || merge->result != best.result) continue;
        left.id = best.result;
        left.end = right.end;
        left.next = right.next;
        right.begin = right.end;
        if (left.next >= 0) symbols[static_cast<size_t>(left.next)].previous = best.left;
        consider(left.previous);
        consider(best.left);
    }
}

}  // namespace wb::core
