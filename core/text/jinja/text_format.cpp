// SPDX-License-Identifier: Apache-2.0
// "%s" % values and "{}".format(values), without the field specifications that chat templates have no use for.
#include <fmt/format.h>

#include "core/text/jinja/builtins.h"
#include "core/text/jinja/text_ops.h"

namespace wb::core::jinja {
namespace {

// The values of a % operation: a tuple in order, a map by name, or one value.
class PercentValues {
public:
    PercentValues(Runtime& runtime, const Value& values) : m_runtime(runtime), m_values(values) {
        const List* list = values.asList();
        m_tuple = list && list->isTuple ? list : nullptr;
    }

    Value next() {
        const size_t count = m_tuple ? m_tuple->items.size() : 1;
        if (m_used >= count) fail("%: not enough values for the pattern");
        return m_tuple ? m_tuple->items[m_used++] : (++m_used, m_values);
    }

    Value named(std::string_view name) {
        if (!m_values.asMap()) fail("%: a name in the pattern needs a map of values");
        m_used = 1;
        return getItem(m_runtime, m_values, Value::text(std::string{name}));
    }

    void expectAllUsed() const {
        if (m_tuple ? m_used < m_tuple->items.size() : m_used == 0 && !m_values.asMap())
            fail("%: more values than the pattern has places");
    }

private:
    Runtime& m_runtime;
    const Value& m_values;
    const List* m_tuple = nullptr;
    size_t m_used = 0;
};

Text convertPercent(Runtime& runtime, char conversion, const Value& value) {
    if (conversion == 's') return toText(runtime, value);
    if (conversion == 'r') return toLiteral(runtime, value);
    if (conversion != 'd' && conversion != 'i')
        failUnsupported(fmt::format("%: the conversion '{}' is not supported; use %s, %r or %d", conversion));
    if (const auto integer = value.asInteger()) return Text{fmt::format("{}", *integer)};
    const auto number = value.asNumber();
    if (!number || !(*number > -9e18 && *number < 9e18))
        fail(fmt::format("%d needs a number, not {}", value.typeName()));
    return Text{fmt::format("{}", static_cast<int64_t>(*number))};
}

// "name.attribute[0]" of a replacement field.
Value resolveField(Runtime& runtime, std::string_view field, const Arguments& arguments, size_t& nextIndex) {
    const size_t end = std::min(field.find('.'), field.find('['));
    const std::string_view head = field.substr(0, end);
    Value value;
    if (head.empty() || head.find_first_not_of("0123456789") == std::string_view::npos) {
        size_t index = 0;
        for (const char digit : head.substr(0, 6)) index = index * 10 + static_cast<size_t>(digit - '0');
        if (head.empty()) index = nextIndex++;
        if (index >= arguments.positional.size()) fail(fmt::format("format: there is no value number {}", index));
        value = arguments.positional[index];
    } else {
        value = arguments.require("format", SIZE_MAX, head);
    }
    if (end == std::string_view::npos) return value;
    if (field[end] == '.') return getPath(runtime, value, Value::text(std::string{field.substr(end + 1)}));
    failUnsupported("format: indexes in a field are not supported");
}

}  // namespace

Text formatPercent(Runtime& runtime, const Text& pattern, const Value& values) {
    PercentValues source{runtime, values};
    const std::string& bytes = pattern.bytes();
    Text out;
    for (size_t i = 0; i < bytes.size(); ++i) {
        const size_t mark = std::min(bytes.find('%', i), bytes.size());
        out.append(pattern, i, mark);
        i = mark;
        if (i >= bytes.size()) break;
        runtime.spendSteps(1);
        if (++i >= bytes.size()) fail("%: the pattern ends inside a place");
        if (bytes[i] == '%') {
            out.append(pattern, i, i + 1);
            continue;
        }
        Value value;
        if (bytes[i] == '(') {
            const size_t close = bytes.find(')', i);
            if (close == std::string::npos || close + 1 >= bytes.size()) fail("%: a name in the pattern is not closed");
            value = source.named(std::string_view{bytes}.substr(i + 1, close - i - 1));
            i = close + 1;
        } else {
            value = source.next();
        }
        out.append(convertPercent(runtime, bytes[i], value));
        runtime.checkTextSize(out.size());
    }
    source.expectAllUsed();
    runtime.chargeText(out.size());
    return out;
}

Text formatBraces(Runtime& runtime, const Text& pattern, const Arguments& arguments) {
    const std::string& bytes = pattern.bytes();
    Text out;
    size_t nextIndex = 0;
    for (size_t i = 0; i < bytes.size(); ++i) {
        const size_t mark = std::min(bytes.find_first_of("{}", i), bytes.size());
        out.append(pattern, i, mark);
        i = mark;
        if (i >= bytes.size()) break;
        runtime.spendSteps(1);
        if (i + 1 < bytes.size() && bytes[i + 1] == bytes[i]) {
            out.append(pattern, i, i + 1);
            ++i;
            continue;
        }
        if (bytes[i] == '}') fail("format: a single '}' in the pattern");
        const size_t close = bytes.find('}', i);
        if (close == std::string::npos) fail("format: a '{' in the pattern is not closed");
        const std::string_view field = std::string_view{bytes}.substr(i + 1, close - i - 1);
        if (field.find_first_of(":!{") != std::string_view::npos)
            failUnsupported(
                fmt::format("format: the field '{{{}}}' has a specification; only names are supported", field));
        out.append(toText(runtime, resolveField(runtime, field, arguments, nextIndex)));
        runtime.checkTextSize(out.size());
        i = close;
    }
    runtime.chargeText(out.size());
    return out;
}

}  // namespace wb::core::jinja
