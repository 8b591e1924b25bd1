// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "kernels/base/error.h"

namespace wb::core::jinja {

struct Position {
    int line = 1;
    int column = 1;  // in bytes, from 1
};

enum class TokenType {
    Data,
    VariableBegin,
    VariableEnd,
    BlockBegin,
    BlockEnd,
    Name,
    String,
    Integer,
    Float,
    Operator,
    End
};

struct Token {
    TokenType type = TokenType::End;
    std::string text;  // of a string: unescaped
    Position at;
};

// "name:line:column: message".
Error makeError(ErrorCode code, std::string_view sourceName, Position at, std::string_view message);

// Splits a template into tokens, with white space control applied as Hugging Face renders chat templates: trim_blocks
// and lstrip_blocks are on, one new line at the end of the source is dropped. The last token is End.
// Throws InvalidArgument with line and column.
std::vector<Token> tokenize(std::string_view source, std::string_view sourceName);

}  // namespace wb::core::jinja
