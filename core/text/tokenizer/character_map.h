// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace wb::core {

// The precompiled character map of SentencePiece: uint32 size of a double-array trie in bytes, the trie (uint32 units),
// then replacements that end with a zero byte; the trie's values are offsets of replacements. In a trie a node's unit
// holds the offset that, combined by exclusive or with its own index and the next byte, gives the child's index.
class CharacterMap {
public:
    // Checks that no walk through the trie leads outside it or the replacements. An empty map replaces nothing.
    // Throws CorruptFile naming `source` and the node.
    CharacterMap(std::span<const std::byte> bytes, const std::string& source);

    // What the shortest key that `text` begins with is replaced by; nothing if there is none.
    std::optional<std::string_view> find(std::string_view text) const;

private:
    uint32_t unitAt(size_t node) const { return m_units[node]; }

    std::vector<uint32_t> m_units;
    std::string m_replacements;
};

}  // namespace wb::core
