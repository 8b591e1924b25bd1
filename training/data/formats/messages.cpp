// SPDX-License-Identifier: Apache-2.0
// {"messages": [{"role": "user", "content": "..."}, {"role": "assistant", "content": "...", "weight": 1}], "tools":
// [...]} Content may be a list of typed parts; weight (or loss_weight) 0 keeps an answer out of the loss.
#include <fmt/format.h>

#include <algorithm>

#include "training/data/dataset_formats.h"

namespace wb::training {
namespace {

std::optional<std::string> normalRole(std::string_view role) {
    if (role == "system" || role == "developer") return "system";
    if (role == "user" || role == "human") return "user";
    if (role == "assistant" || role == "model") return "assistant";
    if (role == "tool" || role == "function") return "tool";
    return std::nullopt;
}

// Joins the parts of a content list. Returns a reason, or fills `text`.
std::optional<std::string> readContent(const RowValue& content, std::string& text) {
    if (content.isText()) {
        text = content.text;
        return std::nullopt;
    }
    if (content.kind == RowValue::Kind::Null) return std::nullopt;
    if (!content.isList()) return fmt::format("'content' is {}, not text", content.describe());
    for (const RowValue& part : content.items) {
        if (part.isText()) {
            text += part.text;
            continue;
        }
        const std::string* type = part.findText("type");
        if (type == nullptr) return "a part of 'content' has no 'type'";
        if (*type != "text" && *type != "input_text" && *type != "output_text")
            return fmt::format("a part of 'content' is of type '{}': only text can be trained", *type);
        const std::string* value = part.findText("text");
        if (value == nullptr) value = part.findText("value");
        if (value == nullptr) return fmt::format("a part of type '{}' has no text", *type);
        text += *value;
    }
    return std::nullopt;
}

std::optional<std::string> readWeight(const RowValue& entry, core::ChatMessage& message, RowSink& sink) {
    const RowValue* weight = entry.find("weight");
    if (weight == nullptr) weight = entry.find("loss_weight");
    if (weight == nullptr || weight->kind == RowValue::Kind::Null) return std::nullopt;
    const bool isNumber = weight->kind == RowValue::Kind::Number || weight->kind == RowValue::Kind::Bool;
    if (!isNumber || (weight->number != 0.0 && weight->number != 1.0))
        return fmt::format("the weight is {}; it can be 0 (not trained) or 1 (trained)",
                           isNumber ? weight->text : weight->describe());
    if (message.role != "assistant") {
        if (weight->number != 0.0)
            sink.warn(fmt::format("a message of '{}' has weight 1; only messages of the assistant are trained",
                                  message.role));
        return std::nullopt;
    }
    message.weight = static_cast<float>(weight->number);
    return std::nullopt;
}

// What chat templates may ask for beside role and content: "name", "tool_call_id", "reasoning_content" ...
std::string otherKeys(const RowValue& entry) {
    constexpr std::string_view kRead[] = {"role", "content", "weight", "loss_weight", "tool_calls"};
    RowValue others;
    others.kind = RowValue::Kind::Object;
    for (const RowField& field : entry.fields)
        if (field.value.kind != RowValue::Kind::Null &&
            std::find(std::begin(kRead), std::end(kRead), field.name) == std::end(kRead))
            others.fields.push_back(field);
    return others.fields.empty() ? std::string{} : others.toJson();
}

std::optional<std::string> readMessage(const RowValue& entry, core::ChatMessage& message, RowSink& sink) {
    if (!entry.isObject()) return fmt::format("it is {}, not an object with role and content", entry.describe());
    const std::string* role = entry.findText("role");
    if (role == nullptr) return "it has no 'role'";
    const std::optional<std::string> known = normalRole(*role);
    if (!known) return fmt::format("the role '{}' is unknown; use system, user, assistant or tool", *role);
    message.role = *known;
    if (const RowValue* content = entry.find("content")) {
        if (auto problem = readContent(*content, message.content)) return problem;
    }
    const RowValue* calls = entry.find("tool_calls");
    if (calls != nullptr && calls->isList() && !calls->items.empty()) message.toolCallsJson = calls->toJson();
    message.extraJson = otherKeys(entry);
    if (message.content.empty() && message.toolCallsJson.empty() && message.role != "tool")
        return fmt::format("the message of '{}' is empty", message.role);
    return readWeight(entry, message, sink);
}

class MessagesReader : public FormatReader {
public:
    void read(const RowValue& row, RowSink& sink) const override {
        Example example;
        const RowValue* list = row.find("messages");
        std::optional<std::string> problem;
        if (list == nullptr)
            problem = "there is no 'messages'";
        else
            problem = readChatMessages(*list, example.messages, sink);
        if (!problem) problem = readTools(row, example.toolsJson);
        if (problem) return sink.reject(*problem);
        endWithAnswer(example.messages, sink);
        example.columns = textColumns(row);
        sink.accept(std::move(example));
    }
};

}  // namespace

std::optional<std::string> readChatMessages(const RowValue& list, std::vector<core::ChatMessage>& messages,
                                            RowSink& sink) {
    if (!list.isList()) return fmt::format("'messages' is {}, not a list", list.describe());
    for (size_t i = 0; i < list.items.size(); ++i) {
        core::ChatMessage message;
        if (auto problem = readMessage(list.items[i], message, sink))
            return fmt::format("message {}: {}", i + 1, *problem);
        messages.push_back(std::move(message));
    }
    return conversationProblem(messages);
}

std::optional<std::string> conversationProblem(const std::vector<core::ChatMessage>& messages) {
    if (messages.empty()) return "the conversation has no messages";
    bool hasAnswer = false;
    for (const core::ChatMessage& message : messages) {
        if (message.role != "assistant") continue;
        hasAnswer = true;
        if (message.weight > 0.0F) return std::nullopt;
    }
    return hasAnswer ? "every message of the assistant has weight 0: nothing would be trained"
                     : "there is no message of the assistant: nothing would be trained";
}

void endWithAnswer(std::vector<core::ChatMessage>& messages, RowSink& sink) {
    size_t surplus = 0;
    while (!messages.empty() && messages.back().role != "assistant") {
        messages.pop_back();
        ++surplus;
    }
    if (surplus > 0)
        sink.warn(fmt::format("the last {} after the last answer {} left out: there is nothing to learn from {}",
                              surplus == 1 ? "message" : fmt::format("{} messages", surplus),
                              surplus == 1 ? "is" : "are", surplus == 1 ? "it" : "them"));
}

std::optional<std::string> readTools(const RowValue& row, std::string& toolsJson) {
    const RowValue* tools = row.find("tools");
    if (tools == nullptr || tools->kind == RowValue::Kind::Null) return std::nullopt;
    if (tools->isList()) {
        if (!tools->items.empty()) toolsJson = tools->toJson();
        return std::nullopt;
    }
    if (!tools->isText()) return fmt::format("'tools' is {}, not a list", tools->describe());
    if (tools->text.empty()) return std::nullopt;
    JsonRowParser parser;
    const JsonRowParser::Result parsed = parser.parseValue(tools->text);
    if (!parsed.problem.empty()) return fmt::format("the text in 'tools' is no JSON: {}", parsed.problem);
    if (!parsed.row.isList()) return fmt::format("the text in 'tools' is {}, not a list", parsed.row.describe());
    if (!parsed.row.items.empty()) toolsJson = parsed.row.toJson();
    return std::nullopt;
}

std::unique_ptr<FormatReader> makeMessagesReader() {
    return std::make_unique<MessagesReader>();
}

}  // namespace wb::training
