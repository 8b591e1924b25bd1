// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core/text/tokenizer.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace wb::core {

// Names to ids by open addressing; it is looked into for every word of a text. Names are at most 4 GiB together.
class TokenTable {
public:
    static constexpr TokenId kNone = -1;

    explicit TokenTable(size_t expectedSize = 0);

    // A name that is there already gets the new id.
    void insert(std::string_view name, TokenId id);
    TokenId find(std::string_view name) const;  // kNone if it is not there

    size_t longestName() const { return m_longestName; }

private:
    struct Slot {
        uint32_t hash = 0;
        TokenId id = kNone;
        uint32_t begin = 0;  // of the name in m_names
        uint32_t bytes = 0;
    };
    size_t slotOf(std::string_view name, uint32_t hash) const;
    void grow();

    std::vector<Slot> m_slots;
    std::string m_names;
    size_t m_size = 0;
    size_t m_longestName = 0;
};

}  // namespace wb::core
