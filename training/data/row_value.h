// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace wb::training {

struct RowField;

// One value of a row, whatever file it came from. Formats read rows through this alone.
struct RowValue {
    enum class Kind { Null, Bool, Number, Text, List, Object };

    Kind kind = Kind::Null;
    std::string text;              // Text: the text; Number and Bool: as JSON writes it
    double number = 0.0;           // Number; Bool: 0 or 1
    std::vector<RowValue> items;   // List
    std::vector<RowField> fields;  // Object, in the order of the file, names unique

    bool isText() const { return kind == Kind::Text; }
    bool isList() const { return kind == Kind::List; }
    bool isObject() const { return kind == Kind::Object; }
    // The field of that name, or null.
    const RowValue* find(std::string_view name) const;
    // The field's text if it is text, else null.
    const std::string* findText(std::string_view name) const;
    // "a list", "a number (7)", "null": for messages.
    std::string describe() const;
    std::string toJson() const;

    static RowValue ofText(std::string value);
};

struct RowField {
    std::string name;
    RowValue value;
};

// Parses JSON rows strictly. Keeps its buffers between calls; one thread at a time.
class JsonRowParser {
public:
    struct Result {
        RowValue row;
        std::string problem;  // why there is no row; empty if there is one
        std::string warning;  // the row was read, but this is odd
    };

    JsonRowParser();
    ~JsonRowParser();

    // One JSON object. Anything else is a problem, in words for people.
    Result parseObject(std::string_view text);
    // Any JSON value, for JSON inside of text columns.
    Result parseValue(std::string_view text);

private:
    struct Buffers;
    std::unique_ptr<Buffers> m_buffers;
};

}  // namespace wb::training
