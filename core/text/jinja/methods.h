// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string_view>

#include "core/text/jinja/builtins.h"
#include "core/text/jinja/text_ops.h"

namespace wb::core::jinja {

// A method call as the method sees it.
struct MethodCall {
    Runtime& runtime;
    const Value& self;
    Arguments& arguments;
    std::string_view name;

    const Text& text() const { return *self.asText(); }
    const Text& textArgument(size_t index, std::string_view argument) const {
        return requireText(arguments.require(name, index, argument), name);
    }
    // Absent and None mean the same for Python's optional text arguments.
    const Text* optionalText(size_t index, std::string_view argument) const {
        const Value* value = arguments.find(index, argument);
        return value && !value->isNone() ? &requireText(*value, name) : nullptr;
    }
    int64_t integerOr(size_t index, std::string_view argument, int64_t absent) const {
        const Value* value = arguments.find(index, argument);
        return value ? requireInteger(*value, name) : absent;
    }
};

struct MethodEntry {
    std::string_view name;
    size_t maxPositional;
    Value (*call)(const MethodCall& call);
    std::string_view named = {};  // arguments that may be named, "sep maxsplit"; "*" for any name
};

std::span<const MethodEntry> textMethods();

}  // namespace wb::core::jinja
