// SPDX-License-Identifier: Apache-2.0
#include "core/text/tokenizer/models/bpe_model.h"

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

// Unknown characters that a token is still to be written for: behind them more may follow.
struct BpeModel::Pending {
    bool isThere = false;
    uint32_t begin = 0;
    uint32_t end = 0;
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

BpeModel::BpeModel(const std::vector<std::string>& tokens, const BpeSettings& settings, std::string_view sourceName)
    : m_ids(tokens.size()),
      m_merges(settings.merges.size()),
      m_readsBytes(settings.readsBytes),
      m_hasByteFallback(settings.hasByteFallback),
      m_fusesUnknown(settings.fusesUnknown),
      m_ignoresMerges(settings.ignoresMerges),
      m_unkId(settings.unkId),
      m_continuingPrefix(settings.continuingPrefix),
      m_endSuffix(settings.endSuffix),
      m_wholeness(std::make_unique<std::atomic<Wholeness>[]>(tokens.size())) {
    m_byteIds.fill(TokenTable::kNone);
    m_fallback.fill(TokenTable::kNone);
    for (size_t i = 0; i < tokens.size(); ++i) {
        const std::string& token = tokens[i];
        if (token.empty()) continue;
        const auto id = static_cast<TokenId>(i);
        if (const auto byte = byteOfName(token)) m_fallback[*byte] = id;
        if (!m_readsBytes) {
            m_ids.insert(token, id);
        } else if (const auto bytes = alphabetBytes(token)) {
            if (bytes->size() == 1) m_byteIds[static_cast<uint8_t>(bytes->front())] = id;
            m_ids.insert(*bytes, id);
        }
    }
    readMerges(tokens, settings, sourceName);
}

void BpeModel::readMerges(const std::vector<std::string>& tokens, const BpeSettings& settings,
                          std::string_view sourceName) {
    TokenTable ids(tokens.size());
    for (size_t i = 0; i < tokens.size(); ++i) {
        if (!tokens[i].empty()) ids.insert(tokens[i], static_cast<TokenId>(i));
    }
    std::string joined;
    for (size_t rank = 0; rank < settings.merges.size(); ++rank) {
        const auto& [left, right] = settings.merges[rank];
        // The right part of a pair is written with its prefix, their union has none inside.
        joined.assign(left).append(right, std::min(right.size(), settings.continuingPrefix.size()));
        const TokenId leftId = ids.find(left);
        const TokenId rightId = ids.find(right);
        const TokenId joinedId = ids.find(joined);
        if (leftId == TokenTable::kNone || rightId == TokenTable::kNone || joinedId == TokenTable::kNone) {
            throw Error{ErrorCode::CorruptFile,
                        fmt::format("{}: merge {} ('{}' and '{}') uses or makes something that is no token", sourceName,
                                    rank, left, right)};
        }
        m_merges.insert(leftId, rightId, {static_cast<uint32_t>(rank), joinedId});
    }
}

void BpeModel::encode(std::string_view word, size_t offset, std::vector<ModelToken>& tokens) const {
    if (word.empty()) return;
    const TokenId whole = m_ids.find(word);
    const bool isToken = whole != TokenTable::kNone;
    const auto isWhole = [&] {
        return m_wholeness[static_cast<size_t>(whole)].load(std::memory_order_relaxed) == Wholeness::Whole;
    };
    if (isToken && (m_ignoresMerges || isWhole())) {
        tokens.push_back({whole, {offset, offset + word.size()}});
        return;
    }
    static thread_local std::vector<Symbol> symbols;
    symbols.clear();
    startSymbols(word, symbols);
    constexpr size_t kFew = 24;  // where trying all pairs each time beats a heap
    if (symbols.size() <= kFew)
        mergeFew(symbols);
    else
        mergeMany(symbols);
    const size_t first = tokens.size();
    for (const Symbol& symbol : symbols) {
        if (symbol.begin < symbol.end) tokens.push_back({symbol.id, {offset + symbol.begin, offset + symbol.end}});
    }
    if (isToken) {
        const bool isOne = tokens.size() == first + 1 && tokens.back().id == whole;
        m_wholeness[static_cast<size_t>(whole)].store(isOne ? Wholeness::Whole : Wholeness::InParts,
                                                      std::memory_order_relaxed);
    }
}

void BpeModel::startSymbols(std::string_view word, std::vector<Symbol>& symbols) const {
    symbols.reserve(word.size());
    if (m_readsBytes)
        startBytes(word, symbols);
    else
        startCharacters(word, symbols);
    for (size_t i = 0; i < symbols.size(); ++i) {
        symbols[i].previous = static_cast<int32_t>(i) - 1;
        symbols[i].next = i + 1 < symbols.size() ? static_cast<int32_t>(i) + 1 : -1;
    }
}

// A character without a token: its bytes, or the unknown token, or nothing. The unknown token is written when the next
// known one is, so that bytes of a fallback in between come first.
void BpeModel::addUnknown(std::string_view name, uint32_t begin, uint32_t end, Pending& pending,
                          std::vector<Symbol>& symbols) const {
    const auto hasByte = [&](char byte) { return m_fallback[static_cast<uint8_t>(byte)] != TokenTable::kNone; };
    if (m_hasByteFallback && std::ranges::all_of(name, hasByte)) {
        for (size_t i = 0; i < name.size(); ++i) {
            // Names may be longer than what they stand for; what is over belongs to the last byte.
            const auto at = std::min(begin + static_cast<uint32_t>(i), end - 1);
            symbols.push_back({.id = m_fallback[static_cast<uint8_t>(name[i])], .begin = at, .end = at + 1});
        }
        return;
    }
    if (!m_unkId) return;
    if (pending.isThere && m_fusesUnknown) {
        pending.end = end;
        return;
    }
    if (pending.isThere) symbols.push_back({.id = *m_unkId, .begin = pending.begin, .end = pending.end});
    pending = {true, begin, end};
}

void BpeModel::startBytes(std::string_view word, std::vector<Symbol>& symbols) const {
    Pending pending;
    const auto flush = [&] {
        if (pending.isThere) symbols.push_back({.id = *m_unkId, .begin = pending.begin, .end = pending.end});
        pending.isThere = false;
    };
    for (size_t i = 0; i < word.size(); ++i) {
        const auto byte = static_cast<uint8_t>(word[i]);
        const auto at = static_cast<uint32_t>(i);
        if (m_byteIds[byte] != TokenTable::kNone) {
            flush();
            symbols.push_back({.id = m_byteIds[byte], .begin = at, .end = at + 1});
        } else {
            std::string character;
            appendUtf8(character, alphabetCharacter(byte));
            addUnknown(character, at, at + 1, pending, symbols);
        }
    }
    flush();
}

void BpeModel::startCharacters(std::string_view word, std::vector<Symbol>& symbols) const {
    Pending pending;
    const auto flush = [&] {
        if (pending.isThere) symbols.push_back({.id = *m_unkId, .begin = pending.begin, .end = pending.end});
        pending.isThere = false;
    };
    std::string affixed;
    const bool hasAffix = !m_continuingPrefix.empty() || !m_endSuffix.empty();
    for (size_t begin = 0; begin < word.size();) {
        const size_t length = decodeUtf8(word.substr(begin)).bytes;
        std::string_view name = word.substr(begin, length);
        const size_t end = begin + length;
        if (hasAffix) {
            affixed.assign(begin > 0 ? m_continuingPrefix : std::string()).append(name);
            if (end == word.size()) affixed += m_endSuffix;
            name = affixed;
        }
        const TokenId id = m_ids.find(name);
        if (id != TokenTable::kNone) {
            flush();
            symbols.push_back({.id = id, .begin = static_cast<uint32_t>(begin), .end = static_cast<uint32_t>(end)});
        } else {
            addUnknown(name, static_cast<uint32_t>(begin), static_cast<uint32_t>(end), pending, symbols);
        }
        begin = end;
    }
    flush();
}

void BpeModel::mergeFew(std::vector<Symbol>& symbols) const {
    constexpr uint32_t kNoMerge = UINT32_MAX;
    std::array<MergeTable::Merge, 32> merges{};  // of each symbol with its right neighbour
    const auto look = [&](size_t left) {
        const auto* merge = left + 1 < symbols.size() ? m_merges.find(symbols[left].id, symbols[left + 1].id) : nullptr;
        merges[left] = merge == nullptr ? MergeTable::Merge{kNoMerge, 0} : *merge;
    };
    for (size_t i = 0; i < symbols.size(); ++i) look(i);
    while (symbols.size() > 1) {
        size_t best = 0;
        for (size_t i = 1; i + 1 < symbols.size(); ++i) {
            if (merges[i].rank < merges[best].rank) best = i;
        }
        if (merges[best].rank == kNoMerge) return;
        symbols[best].id = merges[best].result;
        symbols[best].end = symbols[best + 1].end;
        symbols.erase(symbols.begin() + static_cast<std::ptrdiff_t>(best) + 1);
        for (size_t i = best + 1; i < symbols.size(); ++i) merges[i] = merges[i + 1];
        if (best > 0) look(best - 1);
        look(best);
    }
}

void BpeModel::mergeMany(std::vector<Symbol>& symbols) const {
    struct Candidate {
        uint32_t rank;
        int32_t left;
        TokenId result;
    };
    // A heap whose top is the lowest rank, then the leftmost.
    const auto isWorse = [](const Candidate& a, const Candidate& b) {
        return a.rank != b.rank ? a.rank > b.rank : a.left > b.left;
    };
    static thread_local std::vector<Candidate> heap;
    heap.clear();
    const auto candidateAt = [&](int32_t left) {
        if (left < 0 || symbols[static_cast<size_t>(left)].next < 0) return false;
        const Symbol& symbol = symbols[static_cast<size_t>(left)];
        const auto* merge = m_merges.find(symbol.id, symbols[static_cast<size_t>(symbol.next)].id);
        if (merge != nullptr) heap.push_back({merge->rank, left, merge->result});
        return merge != nullptr;
    };
    const auto consider = [&](int32_t left) {
        if (candidateAt(left)) std::ranges::push_heap(heap, isWorse);
    };
    for (size_t i = 0; i + 1 < symbols.size(); ++i) candidateAt(static_cast<int32_t>(i));
    std::ranges::make_heap(heap, isWorse);
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
