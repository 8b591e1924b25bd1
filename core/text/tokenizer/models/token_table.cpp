// SPDX-License-Identifier: Apache-2.0
#include "core/text/tokenizer/models/token_table.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace wb::core {
namespace {

uint32_t hashOf(std::string_view name) {
    constexpr uint64_t kFactor = 0x9e3779b97f4a7c15ULL;
    uint64_t hash = name.size() * kFactor;
    while (name.size() >= 8) {
        uint64_t word = 0;
        std::memcpy(&word, name.data(), 8);
        hash = (hash ^ word) * kFactor;
        hash ^= hash >> 29;
        name.remove_prefix(8);
    }
    uint64_t rest = 0;
    std::memcpy(&rest, name.data(), name.size());
    hash = (hash ^ rest) * kFactor;
    return static_cast<uint32_t>(hash >> 32);
}

}  // namespace

TokenTable::TokenTable(size_t expectedSize) : m_slots(std::bit_ceil(std::max<size_t>(16, expectedSize * 2))) {}

size_t TokenTable::slotOf(std::string_view name, uint32_t hash) const {
    const size_t mask = m_slots.size() - 1;
    size_t at = hash & mask;
    while (m_slots[at].id != kNone) {
        const Slot& slot = m_slots[at];
        if (slot.hash == hash && slot.bytes == name.size() &&
            std::memcmp(m_names.data() + slot.begin, name.data(), name.size()) == 0) {
            break;
        }
        at = (at + 1) & mask;
    }
    return at;
}

void TokenTable::insert(std::string_view name, TokenId id) {
    if (m_size * 2 >= m_slots.size()) grow();
    const uint32_t hash = hashOf(name);
    Slot& slot = m_slots[slotOf(name, hash)];
    if (slot.id == kNone) {
        slot = {hash, id, static_cast<uint32_t>(m_names.size()), static_cast<uint32_t>(name.size())};
        m_names += name;
        ++m_size;
        m_longestName = std::max(m_longestName, name.size());
    }
    slot.id = id;
}

TokenId TokenTable::find(std::string_view name) const {
    return name.size() > m_longestName ? kNone : m_slots[slotOf(name, hashOf(name))].id;
}

void TokenTable::grow() {
    std::vector<Slot> old(m_slots.size() * 2);
    old.swap(m_slots);
    const size_t mask = m_slots.size() - 1;
    for (const Slot& slot : old) {
        if (slot.id == kNone) continue;
        size_t at = slot.hash & mask;
        while (m_slots[at].id != kNone) at = (at + 1) & mask;
        m_slots[at] = slot;
    }
}

}  // namespace wb::core
