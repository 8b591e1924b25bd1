// SPDX-License-Identifier: Apache-2.0
#include "app/engine/template_command.h"

#include <fmt/format.h>

#include <ctime>
#include <filesystem>
#include <iostream>
#include <iterator>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "app/engine/model_paths.h"
#include "core/text/chat_template.h"
#include "core/text/template_files.h"

namespace wb::app {
namespace {

using nlohmann::ordered_json;

struct Options {
    std::string model;
    std::string templateFile;
    std::string date;
    bool addGenerationPrompt = false;
};

struct Conversation {
    std::vector<core::ChatMessage> messages;
    std::string toolsJson;
    ordered_json variables = ordered_json::object();
};

[[noreturn]] void failInput(const std::string& message) {
    throw Error{ErrorCode::InvalidArgument, "standard input: " + message};
}

core::ChatMessage readMessage(const ordered_json& entry, size_t index) {
    const auto role = entry.is_object() ? entry.find("role") : entry.end();
    if (!entry.is_object() || role == entry.end() || !role->is_string())
        failInput(fmt::format("message {} is no object with a text under 'role'", index));
    core::ChatMessage message{.role = role->get<std::string>(), .content = {}};
    const auto content = entry.find("content");
    if (content == entry.end()) {
        message.contentJson = "null";
    } else if (content->is_string()) {
        message.content = content->get<std::string>();
    } else {
        message.contentJson = content->dump();
    }
    message.extraJson = entry.dump();
    return message;
}

Conversation readConversation() {
    const std::string input{std::istreambuf_iterator<char>{std::cin}, {}};
    ordered_json json;
    try {
        json = ordered_json::parse(input);
    } catch (const nlohmann::json::exception& error) {
        failInput(fmt::format("not valid JSON: {}", error.what()));
    }
    if (!json.is_object() || !json.contains("messages") || !json["messages"].is_array())
        failInput(R"(expected {"messages": [{"role": "user", "content": "..."}], "tools": [...]})");
    if (json["messages"].empty()) failInput("'messages' is empty; a template needs at least one message");
    Conversation conversation;
    for (const auto& entry : json["messages"])
        conversation.messages.push_back(readMessage(entry, conversation.messages.size() + 1));
    for (const auto& [key, value] : json.items()) {
        if (key == "messages") continue;
        if (key != "tools") {
            conversation.variables[key] = value;
        } else if (value.is_array()) {
            conversation.toolsJson = value.dump();
        } else if (!value.is_null()) {
            failInput("'tools' is no list");
        }
    }
    return conversation;
}

// Midnight of a "2024-07-26", as UTC.
int64_t parseDate(const std::string& date) {
    std::tm parts{};
    const char* end = ::strptime(date.c_str(), "%Y-%m-%d", &parts);
    if (end == nullptr || *end != '\0') throw UsageError(fmt::format("--date {}: write it as 2024-07-26", date));
    return static_cast<int64_t>(::timegm(&parts));
}

// The special tokens a template may write, by the names it knows them under; what standard input gives comes first.
void addSpecialTokens(ordered_json& variables, const core::TemplateTokens& tokens) {
    const auto add = [&](const std::string& name, const std::string& text) {
        if (!text.empty() && !variables.contains(name)) variables[name] = text;
    };
    add("bos_token", tokens.bos);
    add("eos_token", tokens.eos);
    for (const auto& [name, text] : tokens.others) add(name, text);
}

core::ChatTemplate chooseTemplate(const Options& options, const std::filesystem::path& model, bool hasTools) {
    if (!options.templateFile.empty())
        return core::ChatTemplate::parse(core::readTemplateFile(options.templateFile),
                                         std::filesystem::path(options.templateFile).filename().string());
    auto found = core::loadChatTemplate(model, hasTools ? core::ChatTemplateUse::Tools : core::ChatTemplateUse::Plain);
    if (!found)
        throw Error{ErrorCode::NotFound,
                    fmt::format("{}: the model carries no chat template (looked for chat_template.jinja, "
                                "chat_template.json and tokenizer_config.json); give --template FILE",
                                model.string())};
    return std::move(*found);
}

const char* kindName(core::SpanKind kind) {
    switch (kind) {
        case core::SpanKind::Input: return "input";
        case core::SpanKind::Assistant: return "assistant";
        default: return "template";
    }
}

// Neighbours that differ only in what the engine keeps to itself are one span here.
ordered_json spansJson(const std::vector<core::TextSpan>& spans) {
    ordered_json list = ordered_json::array();
    for (const core::TextSpan& span : spans) {
        const ordered_json message = span.message < 0 ? ordered_json(nullptr) : ordered_json(span.message);
        const char* kind = kindName(span.kind);
        if (!list.empty() && list.back()["kind"] == kind && list.back()["message"] == message) {
            list.back()["end"] = span.end;
        } else {
            list.push_back({{"start", span.begin}, {"end", span.end}, {"kind", kind}, {"message", message}});
        }
    }
    return list;
}

void render(const Options& options, CommandContext& context) {
    if (options.model.empty() && options.templateFile.empty())
        throw UsageError("give --model M, --template FILE, or both");
    core::RenderOptions renderOptions;
    if (!options.date.empty()) renderOptions.unixTime = parseDate(options.date);
    Conversation conversation = readConversation();
    std::filesystem::path model;
    if (!options.model.empty()) {
        // A folder of nothing but a tokenizer is enough here, so what exists is taken as it is.
        model =
            std::filesystem::exists(options.model) ? std::filesystem::path(options.model) : resolveModel(options.model);
        addSpecialTokens(conversation.variables, core::readTemplateTokens(model));
    }
    const core::ChatTemplate chatTemplate = chooseTemplate(options, model, !conversation.toolsJson.empty());
    if (options.addGenerationPrompt) conversation.variables["add_generation_prompt"] = true;
    renderOptions.toolsJson = conversation.toolsJson;
    renderOptions.variablesJson = conversation.variables.dump();
    const core::RenderedChat chat = chatTemplate.render(conversation.messages, renderOptions);
    context.print(chat.text);
    context.printJson({{"text", chat.text}, {"spans", spansJson(chat.spans)}});
}

}  // namespace

void defineTemplate(CLI::App& command, CommandContext& context) {
    const auto options = std::make_shared<Options>();
    command
        .add_option("--model", options->model, "Model folder, GGUF file or bundled model: its template and its tokens")
        ->type_name("MODEL");
    command.add_option("--template", options->templateFile, "A Jinja file to render instead of the model's template")
        ->type_name("FILE")
        ->check(CLI::ExistingFile);
    command.add_flag("--add-generation-prompt", options->addGenerationPrompt,
                     "End with the heading of the answer, as a prompt for a model does");
    command.add_option("--date", options->date, "What strftime_now() tells, as 2024-07-26; today if not given")
        ->type_name("DATE");
    command.footer(
        "\nReads one conversation as JSON on standard input:\n"
        "  {\"messages\": [{\"role\": \"user\", \"content\": \"Hi\"}], \"tools\": [...]}\n"
        "Contents are texts, null or lists of typed parts; other keys of a message reach the template as\n"
        "they are, keys whose value is null do not. Keys beside messages and tools are variables of the\n"
        "template, such as enable_thinking, documents or bos_token.\n"
        "\nWith --json: \"text\", and \"spans\" that cover it without gaps: start and end are byte offsets in the\n"
        "UTF-8 text, end exclusive; kind is\n"
        "  assistant  what the assistant says; if the template has {% generation %} blocks, what they wrote\n"
        "  input      came out of another message, the tools or a variable\n"
        "  template   written by the template\n"
        "and message is the index of the message it came from, or null.\n"
        "\nExample:\n"
        "  echo '{\"messages\": [{\"role\": \"user\", \"content\": \"Hi\"}]}' | whet template --template my.jinja "
        "--json");
    command.callback([options, &context] { render(*options, context); });
}

}  // namespace wb::app
