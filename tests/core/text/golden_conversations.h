// SPDX-License-Identifier: Apache-2.0
// The conversations that make_template_goldens.py rendered, for the tests of templates.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/text/chat_template.h"
#include "tests/support/temporary_folder.h"

namespace wb::test {

struct Conversation {
    std::vector<core::ChatMessage> messages;
    core::RenderOptions options;
};

inline std::filesystem::path goldenFolder() {
    return std::filesystem::path{WHETBENCH_SOURCE_DIR} / "tests/golden";
}

inline nlohmann::ordered_json readGolden(const char* name) {
    return nlohmann::ordered_json::parse(readText(goldenFolder() / name));
}

// A message with every key that its JSON has.
inline core::ChatMessage messageOf(const nlohmann::ordered_json& json) {
    core::ChatMessage message{.role = json.at("role"), .content = {}};
    const auto& content = json.at("content");
    if (content.is_string()) {
        message.content = content.get<std::string>();
    } else {
        message.contentJson = content.dump();
    }
    if (json.contains("tool_calls")) message.toolCallsJson = json.at("tool_calls").dump();
    message.extraJson = json.dump();
    return message;
}

inline std::map<std::string, Conversation> goldenConversations() {
    std::map<std::string, Conversation> conversations;
    const auto golden = readGolden("chat_templates.json");
    for (const auto& [name, json] : golden.at("conversations").items()) {
        Conversation conversation;
        for (const auto& message : json.at("messages")) conversation.messages.push_back(messageOf(message));
        conversation.options = {.addGenerationPrompt = json.value("add_generation_prompt", false),
                                .bosToken = "<s>",
                                .eosToken = "</s>",
                                .toolsJson = json.contains("tools") ? json.at("tools").dump() : "",
                                .variablesJson = json.contains("variables") ? json.at("variables").dump() : "",
                                .unixTime = 1721952000};
        conversations[name] = std::move(conversation);
    }
    return conversations;
}

inline std::vector<std::filesystem::path> templateFiles() {
    std::vector<std::filesystem::path> files;
    for (const auto& entry : std::filesystem::directory_iterator{goldenFolder() / "templates"})
        if (entry.path().extension() == ".jinja") files.push_back(entry.path());
    std::sort(files.begin(), files.end());
    return files;
}

// Spans are sorted, do not overlap and cover the text.
inline void expectSpansCover(const core::RenderedChat& chat) {
    size_t position = 0;
    for (const core::TextSpan& span : chat.spans) {
        EXPECT_EQ(span.begin, position);
        EXPECT_LT(span.begin, span.end);
        position = span.end;
    }
    EXPECT_EQ(position, chat.text.size());
}

// The text of all spans that are trained.
inline std::string trainedText(const core::RenderedChat& chat) {
    std::string text;
    for (const core::TextSpan& span : chat.spans)
        if (span.kind == core::SpanKind::Assistant) text.append(chat.text, span.begin, span.end - span.begin);
    return text;
}

}  // namespace wb::test
