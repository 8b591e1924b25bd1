// SPDX-License-Identifier: Apache-2.0
#include "training/data/json_array.h"

#include <fmt/format.h>

#include <optional>

namespace wb::training {
namespace {

// Walks over JSON text and counts lines.
class Scanner {
public:
    explicit Scanner(std::string_view text) : m_text(text) {}

    bool isAtEnd() const { return m_position >= m_text.size(); }
    char peek() const { return isAtEnd() ? '\0' : m_text[m_position]; }
    size_t position() const { return m_position; }
    int64_t line() const { return m_line; }

    void step() {
        if (m_text[m_position] == '\n') ++m_line;
        ++m_position;
    }
    void skipSpace() {
        while (!isAtEnd() && (peek() == ' ' || peek() == '\t' || peek() == '\n' || peek() == '\r')) step();
    }
    bool skipText() {
        step();
        while (!isAtEnd()) {
            const char c = peek();
            step();
            if (c == '"') return true;
            if (c == '\\' && !isAtEnd()) step();
        }
        return false;
    }
    // To the comma or bracket that ends the value. False if the text ends first.
    bool skipValue() {
        int depth = 0;
        while (!isAtEnd()) {
            const char c = peek();
            if (depth == 0 && (c == ',' || c == ']' || c == '}')) return true;
            if (c == '"') {
                if (!skipText()) return false;
                continue;
            }
            if (c == '{' || c == '[') ++depth;
            if (c == '}' || c == ']') --depth;
            step();
        }
        return false;
    }

private:
    std::string_view m_text;
    size_t m_position = 0;
    int64_t m_line = 1;
};

std::string_view trimmedEnd(std::string_view text) {
    const size_t end = text.find_last_not_of(" \t\r\n");
    return end == std::string_view::npos ? std::string_view{} : text.substr(0, end + 1);
}

// The elements of the array that starts at the scanner's place; leaves it behind the closing bracket.
std::vector<JsonElement> readArray(Scanner& scanner, std::string_view text) {
    std::vector<JsonElement> elements;
    scanner.step();
    scanner.skipSpace();
    if (scanner.peek() == ']') {
        scanner.step();
        return elements;
    }
    while (true) {
        scanner.skipSpace();
        JsonElement element;
        element.line = scanner.line();
        const size_t begin = scanner.position();
        const bool isComplete = scanner.skipValue();
        element.text = trimmedEnd(text.substr(begin, scanner.position() - begin));
        if (!isComplete) {
            element.problem =
                "the JSON array breaks off in the row that starts here (a quote or bracket is not closed): "
                "nothing from here to the end of the file could be read";
        } else if (scanner.peek() == '}') {
            element.problem =
                "a } without its { ends the row that starts here: nothing from here to the end of the "
                "file could be read";
        }
        const bool isLast = !element.problem.empty() || scanner.peek() == ']';
        elements.push_back(std::move(element));
        if (!scanner.isAtEnd()) scanner.step();
        if (isLast) return elements;
    }
}

struct NamedList {
    std::string name;
    std::vector<JsonElement> elements;
};

// The longest list among the fields of the object that starts at the scanner's place.
std::optional<NamedList> longestList(Scanner& scanner, std::string_view text) {
    std::optional<NamedList> best;
    scanner.step();
    while (true) {
        scanner.skipSpace();
        if (scanner.peek() != '"') return best;
        const size_t nameBegin = scanner.position() + 1;
        if (!scanner.skipText()) return best;
        std::string name(text.substr(nameBegin, scanner.position() - nameBegin - 1));
        scanner.skipSpace();
        if (scanner.peek() != ':') return best;
        scanner.step();
        scanner.skipSpace();
        if (scanner.peek() == '[') {
            std::vector<JsonElement> elements = readArray(scanner, text);
            if (!best || elements.size() > best->elements.size())
                best = NamedList{std::move(name), std::move(elements)};
            scanner.skipSpace();
        } else if (!scanner.skipValue()) {
            return best;
        }
        if (scanner.peek() != ',') return best;
        scanner.step();
    }
}

}  // namespace

JsonRows findJsonRows(std::string_view text) {
    JsonRows rows;
    Scanner scanner(text);
    scanner.skipSpace();
    if (scanner.peek() == '[') {
        rows.elements = readArray(scanner, text);
        scanner.skipSpace();
        const bool isBroken = !rows.elements.empty() && !rows.elements.back().problem.empty();
        if (!scanner.isAtEnd() && !isBroken)
            rows.elements.push_back(
                {scanner.line(), text.substr(scanner.position()), "text follows the end of the JSON array"});
    } else if (scanner.peek() == '{') {
        std::optional<NamedList> list = longestList(scanner, text);
        if (list) {
            rows.elements = std::move(list->elements);
            rows.listName = std::move(list->name);
        } else {
            rows.problem =
                "the file is one JSON object without a list of rows: write an array [{...}, {...}] or one "
                "object per line";
        }
    } else {
        rows.problem = scanner.isAtEnd()
                           ? "the file is empty"
                           : fmt::format("line {} starts neither with [ nor with {{: this is not JSON", scanner.line());
    }
    return rows;
}

}  // namespace wb::training
