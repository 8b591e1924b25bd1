// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/text/jinja/value.h"

// How "{:>8.2f}" and "%08.2f" write a value: Python's format specification.
namespace wb::core::jinja {

struct FormatSpec {
    std::string fill;   // one code point, empty for the default
    char align = '\0';  // '<' left, '>' right, '^' centre, '=' fill between sign and digits; 0 for the default
    char sign = '-';    // '+' or ' ' mark positive numbers
    bool isAlternate = false;
    char grouping = '\0';       // ',' or '_' between groups of digits
    bool isZeroPadded = false;  // a "0" before the width: numbers fill behind the sign, texts at the right
    int64_t width = 0;
    std::optional<int64_t> precision;
    char type = '\0';
};

// "[[fill]align][sign][#][0][width][grouping][.precision][type]". Throws Failure naming what it does not know.
FormatSpec parseFormatSpec(std::string_view text);

// A text, number or other value written that way. Throws Failure if the type does not fit the value.
Text formatValue(Runtime& runtime, const Value& value, const FormatSpec& spec);

}  // namespace wb::core::jinja
