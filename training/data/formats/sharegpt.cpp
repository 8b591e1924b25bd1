// SPDX-License-Identifier: Apache-2.0
// {"conversations": [{"from": "human", "value": "..."}, {"from": "gpt", "value": "..."}], "system": "...", "tools":
// "[...]"} function_call holds the JSON of a call by the assistant, observation what the tool answered.
#include <fmt/format.h>

#include "training/data/dataset_formats.h"

namespace wb::training {
namespace {

std::optional<std::string> normalRole(std::string_view from) {
    if (from == "human" || from == "user") return "user";
    if (from == "gpt" || from == "assistant" || from == "chatgpt" || from == "bot" || from == "model" ||
        from == "function_call")
        return "assistant";
    if (from == "system") return "system";
    if (from == "observation" || from == "tool" || from == "function_response") return "tool";
    return std::nullopt;
}

// {"name", "arguments"} as the list of calls that chat templates expect; nothing if the text is not such a call.
std::optional<std::string> toolCalls(JsonRowParser& parser, const std::string& text) {
    const JsonRowParser::Result parsed = parser.parseValue(text);
    if (!parsed.problem.empty()) return std::nullopt;
    const std::vector<RowValue> calls = parsed.row.isList() ? parsed.row.items : std::vector<RowValue>{parsed.row};
    if (calls.empty()) return std::nullopt;
    std::string json;
    for (const RowValue& call : calls) {
        if (!call.isObject() || call.findText("name") == nullptr || call.find("arguments") == nullptr)
            return std::nullopt;
        json += fmt::format(R"({}{{"type": "function", "function": {}}})", json.empty() ? "[" : ", ", call.toJson());
    }
    return json + "]";
}

std::optional<std::string> readTurn(const RowValue& entry, JsonRowParser& parser, core::ChatMessage& message) {
    if (!entry.isObject()) return fmt::format("it is {}, not an object with from and value", entry.describe());
    const std::string* from = entry.findText("from");
    if (from == nullptr) from = entry.findText("role");
    if (from == nullptr) return "it has no 'from'";
    const std::optional<std::string> role = normalRole(*from);
    if (!role) return fmt::format("'from' is '{}'; known are human, gpt, system, function_call and observation", *from);
    message.role = *role;
    const RowValue* value = entry.find("value");
    if (value == nullptr) value = entry.find("content");
    if (value == nullptr) return "it has no 'value'";
    if (!value->isText()) return fmt::format("'value' is {}, not text", value->describe());
    if (value->text.empty() && message.role != "tool") return fmt::format("the turn of '{}' is empty", *from);
    if (*from == "function_call") {
        if (const auto calls = toolCalls(parser, value->text)) {
            message.toolCallsJson = *calls;
            return std::nullopt;
        }
    }
    message.content = value->text;
    return std::nullopt;
}

class ShareGptReader : public FormatReader {
public:
    void read(const RowValue& row, RowSink& sink) const override {
        Example example;
        if (const auto problem = readRow(row, example)) return sink.reject(*problem);
        endWithAnswer(example.messages, sink);
        example.columns = textColumns(row);
        sink.accept(std::move(example));
    }

private:
    static std::optional<std::string> readRow(const RowValue& row, Example& example) {
        const RowValue* list = row.find("conversations");
        if (list == nullptr) list = row.find("conversation");
        if (list == nullptr) return "there is no 'conversations'";
        if (!list->isList()) return fmt::format("'conversations' is {}, not a list", list->describe());
        if (const std::string* system = row.findText("system"); system != nullptr && !system->empty())
            example.messages.push_back({.role = "system", .content = *system});
        JsonRowParser parser;
        for (size_t i = 0; i < list->items.size(); ++i) {
            core::ChatMessage message;
            if (auto problem = readTurn(list->items[i], parser, message))
                return fmt::format("turn {}: {}", i + 1, *problem);
            example.messages.push_back(std::move(message));
        }
        if (auto problem = conversationProblem(example.messages)) return problem;
        return readTools(row, example.toolsJson);
    }
};

}  // namespace

std::unique_ptr<FormatReader> makeShareGptReader() {
    return std::make_unique<ShareGptReader>();
}

}  // namespace wb::training
