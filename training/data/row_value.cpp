// SPDX-License-Identifier: Apache-2.0
#include "training/data/row_value.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <unordered_map>

#include "training/data/line_source.h"

namespace wb::training {
namespace {

constexpr int kMaxDepth = 64;  // no data set nests deeper; bounds the recursion below

std::string jsonQuoted(std::string_view text) {
    return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

// What a person can do about a parse error. simdjson's DOM does not say where it stopped, so the usual mistakes are
// looked for by hand.
std::string explainSyntaxError(std::string_view text, simdjson::error_code code) {
    switch (code) {
        case simdjson::UNCLOSED_STRING: return "not valid JSON: a text that starts on this line has no closing quote";
        case simdjson::UNESCAPED_CHARS:
            return "not valid JSON: a control character or line break stands inside a text; write it as \\n, \\t or "
                   "\\u00XX";
        case simdjson::STRING_ERROR:
            return "not valid JSON: a text holds a broken escape (a lone \\uD8XX surrogate, or a backslash before the "
                   "wrong letter)";
        case simdjson::NUMBER_ERROR:
            return "a number is malformed or out of range (beyond 64 bits or 1.8e308); write it as text";
        case simdjson::DEPTH_ERROR: return fmt::format("nested deeper than {} levels", kMaxDepth);
        case simdjson::CAPACITY:
        case simdjson::MEMALLOC: return "too large for memory";
        default: break;
    }
    const size_t start = text.find_first_not_of(" \t\r\n");
    const char first = start == std::string_view::npos ? ' ' : text[start];
    if (first != '{' && first != '[' && first != '"') return "not JSON: a row starts with { and ends with }";
    if (text.find("{'") != std::string_view::npos || text.find("': ") != std::string_view::npos)
        return "not valid JSON: texts stand in single quotes (Python notation); JSON needs double quotes";
    if (text.find("NaN") != std::string_view::npos || text.find("Infinity") != std::string_view::npos)
        return "not valid JSON: NaN and Infinity do not exist in JSON; write null or text";
    const size_t end = text.find_last_not_of(" \t\r\n");
    const char last = text[end];
    if (last == '}' || last == ']') {
        const size_t before = text.find_last_not_of(" \t\r\n", end == 0 ? 0 : end - 1);
        if (before != std::string_view::npos && text[before] == ',')
            return "not valid JSON: a comma stands before the closing bracket";
    } else {
        return "not valid JSON: the line ends before the closing bracket";
    }
    return "not valid JSON: a comma, colon, quote or bracket is missing or too many";
}

struct ConvertState {
    std::string problem;
    std::string warning;
};

bool convert(const simdjson::dom::element& from, RowValue& to, int depth, ConvertState& state);

bool convertText(std::string_view from, std::string& to, ConvertState& state) {
    if (findInvalidUtf8(from)) {  // only \u escapes can do this: the line itself has been checked
        state.problem = "a text holds half of a \\u surrogate pair, which stands for no character";
        return false;
    }
    to.assign(from);
    return true;
}

bool convertObject(const simdjson::dom::object& from, RowValue& to, int depth, ConvertState& state) {
    to.kind = RowValue::Kind::Object;
    to.fields.reserve(from.size());
    std::unordered_map<std::string_view, size_t> seen;
    for (const simdjson::dom::key_value_pair field : from) {
        std::string name;
        RowValue value;
        if (!convertText(field.key, name, state) || !convert(field.value, value, depth + 1, state)) return false;
        const auto [place, isNew] = seen.emplace(field.key, to.fields.size());
        if (isNew) {
            to.fields.push_back({std::move(name), std::move(value)});
        } else {
            state.warning = fmt::format("key {} stands twice in the row; the last value counts", jsonQuoted(name));
            to.fields[place->second].value = std::move(value);
        }
    }
    return true;
}

bool convertNumber(const simdjson::dom::element& from, RowValue& to) {
    to.kind = RowValue::Kind::Number;
    to.number = from.get_double().value();
    if (from.is_int64())
        to.text = fmt::format("{}", from.get_int64().value());
    else if (from.is_uint64())
        to.text = fmt::format("{}", from.get_uint64().value());
    else
        to.text = fmt::format("{}", to.number);
    return true;
}

bool convert(const simdjson::dom::element& from, RowValue& to, int depth, ConvertState& state) {
    if (depth > kMaxDepth) {
        state.problem = fmt::format("nested deeper than {} levels", kMaxDepth);
        return false;
    }
    switch (from.type()) {
        case simdjson::dom::element_type::NULL_VALUE: return true;
        case simdjson::dom::element_type::BOOL:
            to.kind = RowValue::Kind::Bool;
            to.number = from.get_bool().value() ? 1.0 : 0.0;
            to.text = from.get_bool().value() ? "true" : "false";
            return true;
        case simdjson::dom::element_type::INT64:
        case simdjson::dom::element_type::UINT64:
        case simdjson::dom::element_type::DOUBLE: return convertNumber(from, to);
        case simdjson::dom::element_type::STRING:
            to.kind = RowValue::Kind::Text;
            return convertText(from.get_string().value(), to.text, state);
        case simdjson::dom::element_type::OBJECT: return convertObject(from.get_object().value(), to, depth, state);
        case simdjson::dom::element_type::ARRAY: {
            const simdjson::dom::array array = from.get_array().value();
            to.kind = RowValue::Kind::List;
            to.items.resize(array.size());
            size_t i = 0;
            // size() saturates at 2^24 - 1, so the list grows when there is more.
            for (const simdjson::dom::element item : array) {
                if (i == to.items.size()) to.items.emplace_back();
                if (!convert(item, to.items[i++], depth + 1, state)) return false;
            }
            return true;
        }
    }
    return false;
}

void writeJson(const RowValue& value, std::string& out) {
    switch (value.kind) {
        case RowValue::Kind::Null: out += "null"; break;
        case RowValue::Kind::Bool:
        case RowValue::Kind::Number: out += value.text; break;
        case RowValue::Kind::Text: out += jsonQuoted(value.text); break;
        case RowValue::Kind::List:
            out += '[';
            for (size_t i = 0; i < value.items.size(); ++i) {
                if (i > 0) out += ", ";
                writeJson(value.items[i], out);
            }
            out += ']';
            break;
        case RowValue::Kind::Object:
            out += '{';
            for (size_t i = 0; i < value.fields.size(); ++i) {
                if (i > 0) out += ", ";
                out += jsonQuoted(value.fields[i].name);
                out += ": ";
                writeJson(value.fields[i].value, out);
            }
            out += '}';
            break;
    }
}

}  // namespace

const RowValue* RowValue::find(std::string_view name) const {
    for (const auto& [key, value] : fields)
        if (key == name) return &value;
    return nullptr;
}

const std::string* RowValue::findText(std::string_view name) const {
    const RowValue* value = find(name);
    return value != nullptr && value->isText() ? &value->text : nullptr;
}

std::string RowValue::describe() const {
    switch (kind) {
        case Kind::Null: return "null";
        case Kind::Bool: return "true or false";
        case Kind::Number: return fmt::format("a number ({})", text);
        case Kind::Text: return "a text";
        case Kind::List: return "a list";
        case Kind::Object: return "an object";
    }
    return {};
}

std::string RowValue::toJson() const {
    std::string out;
    writeJson(*this, out);
    return out;
}

RowValue RowValue::ofText(std::string value) {
    RowValue result;
    result.kind = Kind::Text;
    result.text = std::move(value);
    return result;
}

struct JsonRowParser::Buffers {
    simdjson::dom::parser parser;
    std::string padded;  // simdjson reads past the end
};

JsonRowParser::JsonRowParser() : m_buffers(std::make_unique<Buffers>()) {}
JsonRowParser::~JsonRowParser() = default;

JsonRowParser::Result JsonRowParser::parseValue(std::string_view text) {
    Result result;
    if (const size_t nul = text.find('\0'); nul != std::string_view::npos) {
        result.problem = fmt::format("raw NUL byte at byte {} of the row; write it as \\u0000 or remove it", nul + 1);
        return result;
    }
    if (const auto invalid = findInvalidUtf8(text)) {
        result.problem = fmt::format("not UTF-8: byte {} of the row is 0x{:02X}; save the file as UTF-8", *invalid + 1,
                                     static_cast<unsigned char>(text[*invalid]));
        return result;
    }
    m_buffers->padded.assign(text);
    m_buffers->padded.reserve(text.size() + simdjson::SIMDJSON_PADDING);
    simdjson::dom::element element;
    const simdjson::error_code code =
        m_buffers->parser.parse(m_buffers->padded.data(), text.size(), false).get(element);
    if (code != simdjson::SUCCESS) {
        result.problem = explainSyntaxError(text, code);
        return result;
    }
    ConvertState state;
    if (!convert(element, result.row, 1, state)) result.row = {};
    result.problem = std::move(state.problem);
    result.warning = std::move(state.warning);
    return result;
}

JsonRowParser::Result JsonRowParser::parseObject(std::string_view text) {
    Result result = parseValue(text);
    if (result.problem.empty() && !result.row.isObject()) {
        result.problem = fmt::format("a row must be an object {{...}}; this is {}", result.row.describe());
        result.row = {};
    }
    return result;
}

}  // namespace wb::training
