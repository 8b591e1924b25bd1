// SPDX-License-Identifier: Apache-2.0
#include "core/text/tokenizer/models/piece_trie.h"

#include <algorithm>
#include <numeric>

namespace wb::core {

PieceTrie::PieceTrie(std::span<const std::string> pieces) {
    std::vector<uint32_t> order(pieces.size());
    std::iota(order.begin(), order.end(), 0U);
    std::ranges::stable_sort(order, [&](uint32_t a, uint32_t b) { return pieces[a] < pieces[b]; });

    // A node still to be given its children: the sorted pieces that share its first `depth` bytes.
    struct Task {
        uint32_t node;
        size_t begin;
        size_t end;
        size_t depth;
    };
    constexpr uint16_t kManyChildren = 6;
    m_nodes.emplace_back();
    std::vector<Task> tasks{{0, 0, order.size(), 0}};
    for (size_t next = 0; next < tasks.size(); ++next) {
        const Task task = tasks[next];
        size_t at = task.begin;
        while (at < task.end && pieces[order[at]].size() == task.depth) {
            if (task.depth > 0) m_nodes[task.node].id = static_cast<TokenId>(order[at]);
            ++at;
        }
        const auto firstChild = static_cast<uint32_t>(m_nodes.size());
        while (at < task.end) {
            const char label = pieces[order[at]][task.depth];
            const size_t begin = at;
            while (at < task.end && pieces[order[at]][task.depth] == label) ++at;
            tasks.push_back({static_cast<uint32_t>(m_nodes.size()), begin, at, task.depth + 1});
            m_nodes.push_back({.label = static_cast<uint8_t>(label)});
        }
        Node& node = m_nodes[task.node];
        node.firstChild = firstChild;
        node.numChildren = static_cast<uint16_t>(m_nodes.size() - firstChild);
        if (node.numChildren < kManyChildren) continue;
        node.table = static_cast<uint32_t>(m_tables.size());
        auto& table = m_tables.emplace_back();
        table.fill(kNoNode);
        for (uint32_t child = firstChild; child < m_nodes.size(); ++child) table[m_nodes[child].label] = child;
    }
}

}  // namespace wb::core
