// SPDX-License-Identifier: Apache-2.0
#include "core/text/jinja/text_ops.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/text/jinja/unicode.h"

namespace wb::core::jinja {
namespace {

bool isInSet(std::string_view character, const Text* set) {
    if (!set) return isSpace(codePointAt(character, 0).value);
    for (size_t i = 0; i < set->size();) {
        const size_t length = codePointAt(set->bytes(), i).length;
        if (std::string_view{set->bytes()}.substr(i, length) == character) return true;
        i += length;
    }
    return false;
}

// Words between white space as byte ranges.
std::vector<std::pair<size_t, size_t>> findWords(std::string_view bytes) {
    std::vector<std::pair<size_t, size_t>> words;
    size_t begin = std::string_view::npos;
    for (size_t position = 0; position < bytes.size();) {
        const CodePoint point = codePointAt(bytes, position);
        if (isSpace(point.value)) {
            if (begin != std::string_view::npos) words.emplace_back(begin, position);
            begin = std::string_view::npos;
        } else if (begin == std::string_view::npos) {
            begin = position;
        }
        position += point.length;
    }
    if (begin != std::string_view::npos) words.emplace_back(begin, bytes.size());
    return words;
}

std::vector<Value> toValues(Runtime& runtime, std::vector<Text> parts) {
    runtime.spendBytes(parts.size() * (sizeof(Value) + sizeof(Text)));
    std::vector<Value> values;
    for (Text& part : parts) values.emplace_back(std::move(part));
    return values;
}

std::string_view requireSeparator(const Text& separator) {
    if (separator.empty()) fail("split: the separator must not be empty");
    return separator.bytes();
}

}  // namespace

const Text& requireText(const Value& value, std::string_view callee) {
    if (const Text* text = value.asText()) return *text;
    if (const auto* undefined = value.as<Undefined>())
        fail(fmt::format("{}: '{}' is undefined", callee, undefined->name));
    fail(fmt::format("{} needs a text, not {}", callee, value.typeName()));
}

int64_t requireInteger(const Value& value, std::string_view callee) {
    if (const auto integer = value.asInteger()) return *integer;
    fail(fmt::format("{} needs a whole number, not {}", callee, value.typeName()));
}

Text stripText(const Text& text, Ends ends, const Text* set) {
    const std::vector<size_t> starts = codePointStarts(text.bytes());
    const std::string_view bytes = text.bytes();
    const auto isCut = [&](size_t i) { return isInSet(bytes.substr(starts[i], starts[i + 1] - starts[i]), set); };
    size_t first = 0;
    size_t last = starts.size() - 1;
    if (ends != Ends::Right)
        while (first < last && isCut(first)) ++first;
    if (ends != Ends::Left)
        while (last > first && isCut(last - 1)) --last;
    return text.slice(starts[first], starts[last]);
}

Text replaceText(Runtime& runtime, const Text& text, std::string_view from, const Text& to, int64_t most) {
    Text out;
    const std::string& bytes = text.bytes();
    size_t done = 0;
    size_t search = 0;
    for (int64_t count = 0; most < 0 || count < most; ++count) {
        const size_t match = search <= bytes.size() ? bytes.find(from, search) : std::string::npos;
        if (match == std::string::npos) break;
        runtime.spendSteps(1);
        runtime.checkTextSize(out.size() + match - done + to.size());
        out.append(text, done, match);
        out.append(to);
        done = match + from.size();
        // An empty pattern matches before every character and at the end.
        search = !from.empty() ? done : match < bytes.size() ? match + codePointAt(bytes, match).length : match + 1;
    }
    out.append(text, done, text.size());
    runtime.chargeText(out.size());
    return out;
}

std::vector<Value> splitText(Runtime& runtime, const Text& text, const Text* separator, int64_t most) {
    std::vector<Text> parts;
    if (!separator) {
        const auto words = findWords(text.bytes());
        for (size_t i = 0; i < words.size(); ++i) {
            if (most >= 0 && i == static_cast<size_t>(most)) {
                parts.push_back(stripText(text.slice(words[i].first, text.size()), Ends::Left, nullptr));
                break;
            }
            parts.push_back(text.slice(words[i].first, words[i].second));
        }
        return toValues(runtime, std::move(parts));
    }
    const std::string_view mark = requireSeparator(*separator);
    size_t begin = 0;
    while (most < 0 || parts.size() < static_cast<size_t>(most)) {
        const size_t match = text.bytes().find(mark, begin);
        if (match == std::string::npos) break;
        parts.push_back(text.slice(begin, match));
        begin = match + mark.size();
    }
    parts.push_back(text.slice(begin, text.size()));
    return toValues(runtime, std::move(parts));
}

std::vector<Value> splitTextFromRight(Runtime& runtime, const Text& text, const Text* separator, int64_t most) {
    std::vector<Text> parts;
    size_t end = text.size();
    if (!separator) {
        const auto words = findWords(text.bytes());
        for (size_t i = words.size(); i-- > 0;) {
            if (most >= 0 && parts.size() == static_cast<size_t>(most)) {
                parts.push_back(stripText(text.slice(0, words[i].second), Ends::Right, nullptr));
                break;
            }
            parts.push_back(text.slice(words[i].first, words[i].second));
        }
    } else {
        const std::string_view mark = requireSeparator(*separator);
        while ((most < 0 || parts.size() < static_cast<size_t>(most)) && end >= mark.size()) {
            const size_t match = text.bytes().rfind(mark, end - mark.size());
            if (match == std::string::npos) break;
            parts.push_back(text.slice(match + mark.size(), end));
            end = match;
        }
        parts.push_back(text.slice(0, end));
    }
    std::reverse(parts.begin(), parts.end());
    return toValues(runtime, std::move(parts));
}

std::vector<Text> splitLines(const Text& text, bool keepEnds) {
    std::vector<Text> lines;
    const std::string_view bytes = text.bytes();
    size_t begin = 0;
    for (size_t position = 0; position < bytes.size();) {
        const CodePoint point = codePointAt(bytes, position);
        size_t next = position + point.length;
        const bool isBreak = (point.value >= 0x0A && point.value <= 0x0D) ||
                             (point.value >= 0x1C && point.value <= 0x1E) || point.value == 0x85 ||
                             point.value == 0x2028 || point.value == 0x2029;
        if (isBreak) {
            if (point.value == '\r' && next < bytes.size() && bytes[next] == '\n') ++next;
            lines.push_back(text.slice(begin, keepEnds ? next : position));
            begin = next;
        }
        position = next;
    }
    if (begin < bytes.size()) lines.push_back(text.slice(begin, bytes.size()));
    return lines;
}

Text padText(Runtime& runtime, const Text& text, int64_t width, const Text& fill, Ends side) {
    const int64_t missing = width - static_cast<int64_t>(codePointCount(text.bytes()));
    if (missing <= 0) return text;
    runtime.checkTextSize(static_cast<size_t>(missing));
    runtime.chargeText(static_cast<size_t>(missing) * fill.size() + text.size());
    // The odd one of an odd number goes left if the width is odd, too.
    const int64_t left = side == Ends::Left ? missing : side == Ends::Right ? 0 : missing / 2 + (missing & width & 1);
    Text out;
    for (int64_t i = 0; i < left; ++i) out.append(fill);
    out.append(text);
    for (int64_t i = left; i < missing; ++i) out.append(fill);
    return out;
}

Text joinValues(Runtime& runtime, const std::vector<Value>& items, const Text& separator) {
    Text out;
    for (size_t i = 0; i < items.size(); ++i) {
        if (i > 0) out.append(separator);
        out.append(toText(runtime, items[i]));
        runtime.checkTextSize(out.size());
    }
    runtime.chargeText(out.size());
    return out;
}

}  // namespace wb::core::jinja
