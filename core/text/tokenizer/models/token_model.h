// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core/text/tokenizer.h"

#include <string_view>
#include <vector>

namespace wb::core {

// A token of a word and the bytes of the word it stands for.
struct ModelToken {
    TokenId id = 0;
    ByteRange range;
};

// What a vocabulary makes of one word. Thread-safe.
class TokenModel {
public:
    virtual ~TokenModel() = default;

    // Appends the tokens of `word`, valid UTF-8, whose first byte stands at `offset`.
    virtual void encode(std::string_view word, size_t offset, std::vector<ModelToken>& tokens) const = 0;
};

}  // namespace wb::core
