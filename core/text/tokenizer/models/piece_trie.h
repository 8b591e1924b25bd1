// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core/text/tokenizer.h"

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace wb::core {

// Finds all pieces that a text begins with. A node's children lie side by side; nodes with many have a table.
class PieceTrie {
public:
    PieceTrie() = default;
    // The id of a piece is its index; of equal pieces the last counts, empty ones are never found.
    explicit PieceTrie(std::span<const std::string> pieces);

    // Calls found(bytes, id) for each piece that `text` begins with, the shortest first.
    template <class Found>
    void forEachPrefix(std::string_view text, const Found& found) const {
        if (m_nodes.empty()) return;
        uint32_t node = 0;
        for (size_t i = 0; i < text.size(); ++i) {
            node = childOf(m_nodes[node], static_cast<uint8_t>(text[i]));
            if (node == kNoNode) return;
            if (m_nodes[node].id >= 0) found(i + 1, m_nodes[node].id);
        }
    }

private:
    static constexpr uint32_t kNoNode = 0;  // the root is nobody's child
    static constexpr uint32_t kNoTable = UINT32_MAX;

    struct Node {
        TokenId id = -1;  // of the piece that ends here
        uint32_t firstChild = 0;
        uint32_t table = kNoTable;
        uint16_t numChildren = 0;
        uint8_t label = 0;  // the byte that leads here
    };

    uint32_t childOf(const Node& node, uint8_t byte) const {
        if (node.table != kNoTable) return m_tables[node.table][byte];
        for (uint32_t child = node.firstChild; child < node.firstChild + node.numChildren; ++child) {
            if (m_nodes[child].label == byte) return child;
        }
        return kNoNode;
    }

    std::vector<Node> m_nodes;
    std::vector<std::array<uint32_t, 256>> m_tables;
};

}  // namespace wb::core
