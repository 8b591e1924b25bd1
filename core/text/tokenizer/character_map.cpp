// SPDX-License-Identifier: Apache-2.0
#include "core/text/tokenizer/character_map.h"

#include "kernels/base/byte_reader.h"

#include <fmt/format.h>
#include <cstring>

namespace wb::core {
namespace {

constexpr uint32_t kLeafBit = 1U << 31;

size_t offsetOf(uint32_t unit) {
    return static_cast<size_t>(unit >> 10) << ((unit & (1U << 9)) >> 6);
}

bool hasValue(uint32_t unit) {
    return (unit & (1U << 8)) != 0;
}

}  // namespace

CharacterMap::CharacterMap(std::span<const std::byte> bytes, const std::string& source) {
    if (bytes.empty()) return;
    ByteReader reader(bytes, source + ": character map");
    const auto trieBytes = reader.read<uint32_t>();
    if (trieBytes > reader.remaining() || trieBytes % 4 != 0 || trieBytes == 0) {
        reader.fail(fmt::format("a trie of {} bytes, {} are left", trieBytes, reader.remaining()));
    }
    m_units.resize(trieBytes / 4);
    std::memcpy(m_units.data(), reader.take(trieBytes).data(), trieBytes);
    const auto replacements = reader.take(reader.remaining());
    m_replacements.assign(reinterpret_cast<const char*>(replacements.data()), replacements.size());
    if (m_replacements.empty() || m_replacements.back() != '\0')
        reader.fail("the replacements do not end with a zero byte");
    for (size_t node = 0; node < m_units.size(); ++node) {
        const uint32_t unit = m_units[node];
        if ((unit & kLeafBit) != 0) continue;
        const size_t base = node ^ offsetOf(unit);
        if ((base | 0xffU) >= m_units.size())
            reader.fail(fmt::format("trie node {} leads to {} of {}", node, base, m_units.size()));
        if (hasValue(unit) && (m_units[base] & ~kLeafBit) >= m_replacements.size()) {
            reader.fail(fmt::format("trie node {} points to replacement {} of {}", node, m_units[base] & ~kLeafBit,
                                    m_replacements.size()));
        }
    }
}

std::optional<std::string_view> CharacterMap::find(std::string_view text) const {
    if (m_units.empty()) return std::nullopt;
    size_t node = offsetOf(unitAt(0));
    for (const char c : text) {
        const auto byte = static_cast<uint8_t>(c);
        if (byte == 0) break;
        node ^= byte;
        const uint32_t unit = unitAt(node);
        if ((unit & (kLeafBit | 0xffU)) != byte) break;
        node ^= offsetOf(unit);
        if (hasValue(unit)) return std::string_view(m_replacements.c_str() + (unitAt(node) & ~kLeafBit));
    }
    return std::nullopt;
}

}  // namespace wb::core
