// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <optional>
#include <string_view>
#include <vector>

#include "core/text/jinja/value.h"

// Text operations that filters and methods share; origins of bytes are kept by all of them.
namespace wb::core::jinja {

enum class Ends { Both, Left, Right };

// Cuts white space, or the characters of `set`, from the ends.
Text stripText(const Text& text, Ends ends, const Text* set);
// Every match of `from` becomes `to`, the first `most` of them if that is not negative.
Text replaceText(Runtime& runtime, const Text& text, std::string_view from, const Text& to, int64_t most);
// At white space if `separator` is null; at most `most` splits if that is not negative.
std::vector<Value> splitText(Runtime& runtime, const Text& text, const Text* separator, int64_t most);
std::vector<Value> splitTextFromRight(Runtime& runtime, const Text& text, const Text* separator, int64_t most);
std::vector<Text> splitLines(const Text& text, bool keepEnds);
// Fills up to `width` code points with `fill`, which is one: at the left, the right, or both ends as str.center does.
Text padText(Runtime& runtime, const Text& text, int64_t width, const Text& fill, Ends side);
Text joinValues(Runtime& runtime, const std::vector<Value>& items, const Text& separator);

// A required text or integer argument; Failure names the callee otherwise.
const Text& requireText(const Value& value, std::string_view callee);
int64_t requireInteger(const Value& value, std::string_view callee);

}  // namespace wb::core::jinja
