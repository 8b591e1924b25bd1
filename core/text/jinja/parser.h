// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "core/text/jinja/ast.h"

namespace wb::core::jinja {

struct ParsedTemplate {
    std::string sourceName;
    Body body;
    bool usesGeneration = false;  // has a {% generation %} block
};

// Throws InvalidArgument with line and column on a syntax error, Unsupported naming a construct it does not know.
ParsedTemplate parseTemplate(std::string_view source, std::string_view sourceName);

}  // namespace wb::core::jinja
