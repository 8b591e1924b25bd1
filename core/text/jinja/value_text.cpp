// SPDX-License-Identifier: Apache-2.0
// Values as text: what printing gives (str), literals (repr) and JSON, byte for byte as Python writes them.
#include <fmt/format.h>
#include <unicode/uchar.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "core/text/jinja/unicode.h"
#include "core/text/jinja/value.h"

namespace wb::core::jinja {
namespace {

bool isPrintable(int32_t codePoint) {
    if (codePoint == ' ') return true;
    switch (u_charType(codePoint)) {
        case U_CONTROL_CHAR:
        case U_FORMAT_CHAR:
        case U_SURROGATE:
        case U_PRIVATE_USE_CHAR:
        case U_UNASSIGNED:
        case U_LINE_SEPARATOR:
        case U_PARAGRAPH_SEPARATOR:
        case U_SPACE_SEPARATOR: return false;
        default: return true;
    }
}

std::string escapeForLiteral(int32_t codePoint, char quote) {
    if (codePoint == '\n') return "\\n";
    if (codePoint == '\r') return "\\r";
    if (codePoint == '\t') return "\\t";
    if (codePoint == '\\' || codePoint == quote) return {'\\', static_cast<char>(codePoint)};
    if (isPrintable(codePoint)) return {};
    if (codePoint < 0x100) return fmt::format("\\x{:02x}", codePoint);
    if (codePoint < 0x10000) return fmt::format("\\u{:04x}", codePoint);
    return fmt::format("\\U{:08x}", codePoint);
}

void appendLiteral(Runtime& runtime, Text& out, const Text& text) {
    const std::string& bytes = text.bytes();
    const bool useDouble = bytes.find('\'') != std::string::npos && bytes.find('"') == std::string::npos;
    const char quote = useDouble ? '"' : '\'';
    runtime.checkTextSize(out.size() + bytes.size());
    out.append({&quote, 1});
    for (size_t position = 0; position < bytes.size();) {
        const CodePoint point = codePointAt(bytes, position);
        const std::string escaped = point.value < 0 ? std::string{} : escapeForLiteral(point.value, quote);
        if (escaped.empty()) {
            out.append(text, position, position + point.length);
        } else {
            out.append(escaped, text.originAt(position));
        }
        position += point.length;
    }
    out.append({&quote, 1});
}

void appendValue(Runtime& runtime, Text& out, const Value& value, bool asLiteral);

void appendList(Runtime& runtime, Text& out, const List& list, const char* typeName) {
    if (list.kind == ListKind::Range) {
        const auto& [start, stop, step] = list.range;
        const std::string last = step == 1 ? std::string{} : fmt::format(", {}", step);
        return out.append(fmt::format("range({}, {}{})", start, stop, last));
    }
    if (!list.isSequence()) out.append(fmt::format("{}(", typeName));
    out.append(list.isTuple() ? "(" : "[");
    for (size_t i = 0; i < list.items.size(); ++i) {
        if (i > 0) out.append(", ");
        appendValue(runtime, out, list.items[i], true);
    }
    if (list.isTuple() && list.items.size() == 1) out.append(",");
    out.append(list.isTuple() ? ")" : "]");
    if (!list.isSequence()) out.append(")");
}

void appendMap(Runtime& runtime, Text& out, const Map& map) {
    out.append("{");
    for (size_t i = 0; i < map.entries.size(); ++i) {
        if (i > 0) out.append(", ");
        appendValue(runtime, out, map.entries[i].first, true);
        out.append(": ");
        appendValue(runtime, out, map.entries[i].second, true);
    }
    out.append("}");
}

void appendNamespace(Runtime& runtime, Text& out, const Namespace& space) {
    std::vector<std::pair<Value, Value>> entries;
    for (const auto& [name, value] : space.attributes) entries.emplace_back(Value::text(name), value);
    out.append("<Namespace ");
    appendMap(runtime, out, *Value::map(std::move(entries)).asMap());
    out.append(">");
}

void appendValue(Runtime& runtime, Text& out, const Value& value, bool asLiteral) {
    runtime.spendSteps(1);
    // Shared sub-lists can print far larger than they are stored, so the text is checked while it grows.
    runtime.checkTextSize(out.size());
    if (const Text* text = value.asText()) {
        if (asLiteral) {
            appendLiteral(runtime, out, *text);
        } else {
            out.append(*text);
        }
    } else if (const List* list = value.asList()) {
        appendList(runtime, out, *list, value.typeName());
    } else if (const Map* map = value.asMap()) {
        appendMap(runtime, out, *map);
    } else if (const auto* boolean = value.as<bool>()) {
        out.append(*boolean ? "True" : "False");
    } else if (const auto* integer = value.as<int64_t>()) {
        out.append(fmt::format("{}", *integer));
    } else if (const auto* number = value.as<double>()) {
        out.append(formatFloat(*number));
    } else if (value.isNone()) {
        out.append("None");
    } else if (value.isUndefined()) {
        if (asLiteral) out.append("Undefined");
    } else if (const auto* space = value.as<NamespacePtr>()) {
        appendNamespace(runtime, out, **space);
    } else if (const auto* loop = value.as<LoopPtr>()) {
        out.append(fmt::format("<LoopContext {}/{}>", (*loop)->index + 1, (*loop)->items.size()));
    } else {
        out.append(fmt::format("<{}>", value.typeName()));
    }
}

class JsonWriter {
public:
    JsonWriter(Runtime& runtime, const JsonStyle& style) : m_runtime(runtime), m_style(style) {}

    Text take() { return std::move(m_out); }

    void write(const Value& value, int level) {
        m_runtime.spendSteps(1);
        m_runtime.checkTextSize(m_out.size());
        if (const Text* text = value.asText()) {
            writeText(*text);
        } else if (const List* list = value.asList(); list && (list->isTuple() || list->kind == ListKind::List)) {
            writeList(*list, level);
        } else if (const Map* map = value.asMap()) {
            writeMap(*map, level);
        } else {
            m_out.append(scalar(value));
        }
    }

private:
    static std::string scalar(const Value& value) {
        if (value.isNone()) return "null";
        if (const auto* boolean = value.as<bool>()) return *boolean ? "true" : "false";
        if (const auto* integer = value.as<int64_t>()) return fmt::format("{}", *integer);
        if (const auto* number = value.as<double>()) {
            if (std::isnan(*number)) return "NaN";
            if (std::isinf(*number)) return *number < 0 ? "-Infinity" : "Infinity";
            return formatFloat(*number);
        }
        if (const auto* undefined = value.as<Undefined>())
            fail(fmt::format("tojson: '{}' is undefined", undefined->name));
        fail(fmt::format("tojson: a value of type {} has no JSON form", value.typeName()));
    }

    void breakLine(int level) {
        if (!m_style.indent) return;
        m_out.append("\n");
        m_runtime.checkTextSize(m_out.size() + m_style.indent->size() * static_cast<size_t>(level));
        for (int i = 0; i < level; ++i) m_out.append(*m_style.indent);
    }

    void writeText(const Text& text) {
        const std::string& bytes = text.bytes();
        m_runtime.checkTextSize(m_out.size() + bytes.size());
        m_out.append("\"");
        for (size_t position = 0; position < bytes.size();) {
            const CodePoint point = codePointAt(bytes, position);
            const std::string escaped = escape(point.value);
            if (escaped.empty()) {
                m_out.append(text, position, position + point.length);
            } else {
                m_out.append(escaped, text.originAt(position));
            }
            position += point.length;
        }
        m_out.append("\"");
    }

    std::string escape(int32_t codePoint) const {
        switch (codePoint) {
            case '"': return "\\\"";
            case '\\': return "\\\\";
            case '\n': return "\\n";
            case '\r': return "\\r";
            case '\t': return "\\t";
            case '\b': return "\\b";
            case '\f': return "\\f";
            default: break;
        }
        if (codePoint >= 0 && codePoint < 0x20) return fmt::format("\\u{:04x}", codePoint);
        if (!m_style.ensureAscii || codePoint < 0x7F) return {};
        if (codePoint < 0x10000) return fmt::format("\\u{:04x}", codePoint);
        const int32_t offset = codePoint - 0x10000;
        return fmt::format("\\u{:04x}\\u{:04x}", 0xD800 + (offset >> 10), 0xDC00 + (offset & 0x3FF));
    }

    void writeList(const List& list, int level) {
        if (list.items.empty()) return m_out.append("[]");
        m_out.append("[");
        for (size_t i = 0; i < list.items.size(); ++i) {
            if (i > 0) m_out.append(m_style.itemSeparator);
            breakLine(level + 1);
            write(list.items[i], level + 1);
        }
        breakLine(level);
        m_out.append("]");
    }

    void writeMap(const Map& map, int level) {
        if (map.entries.empty()) return m_out.append("{}");
        std::vector<std::pair<Text, const Value*>> entries;
        for (const auto& [key, value] : map.entries)
            entries.emplace_back(key.asText() ? *key.asText() : Text{scalar(key)}, &value);
        if (m_style.sortKeys)
            std::stable_sort(entries.begin(), entries.end(),
                             [](const auto& a, const auto& b) { return a.first.bytes() < b.first.bytes(); });
        m_out.append("{");
        for (size_t i = 0; i < entries.size(); ++i) {
            if (i > 0) m_out.append(m_style.itemSeparator);
            breakLine(level + 1);
            writeText(entries[i].first);
            m_out.append(m_style.keySeparator);
            write(*entries[i].second, level + 1);
        }
        breakLine(level);
        m_out.append("}");
    }

    Runtime& m_runtime;
    const JsonStyle& m_style;
    Text m_out;
};

}  // namespace

std::string formatFloat(double value) {
    if (std::isnan(value)) return "nan";
    if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
    char buffer[64];
    const auto end = std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::scientific).ptr;
    const std::string_view shortest{buffer, static_cast<size_t>(end - buffer)};
    const size_t mark = shortest.find('e');
    int exponent = 0;
    const size_t digits = shortest[mark + 1] == '+' ? mark + 2 : mark + 1;
    std::from_chars(buffer + digits, end, exponent);
    // Python's rule: exponent notation below 1e-4 and from 1e16 on.
    if (exponent < -4 || exponent >= 16) return std::string{shortest};
    const auto fixedEnd = std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::fixed).ptr;
    std::string fixed{buffer, static_cast<size_t>(fixedEnd - buffer)};
    return fixed.find('.') == std::string::npos ? fixed + ".0" : fixed;
}

Text toText(Runtime& runtime, const Value& value) {
    Text out;
    appendValue(runtime, out, value, false);
    runtime.chargeText(out.size());
    return out;
}

Text toLiteral(Runtime& runtime, const Value& value) {
    Text out;
    appendValue(runtime, out, value, true);
    runtime.chargeText(out.size());
    return out;
}

Text toJson(Runtime& runtime, const Value& value, const JsonStyle& style) {
    JsonWriter writer{runtime, style};
    writer.write(value, 0);
    Text out = writer.take();
    runtime.chargeText(out.size());
    return out;
}

}  // namespace wb::core::jinja
