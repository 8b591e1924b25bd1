// SPDX-License-Identifier: Apache-2.0
#include "core/text/prompt_template.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "core/run/sha256.h"
#include "core/text/chat_prompt.h"
#include "core/text/column_template.h"
#include "core/text/template_files.h"
#include "kernels/base/error.h"

namespace wb::core {
namespace {

constexpr std::array<std::string_view, 4> kBuiltinNames = {"plain", "raw", "alpaca", "chatml"};

constexpr std::string_view kAlpacaWithInput =
    "Below is an instruction that describes a task, together with an input that gives more context. Write a response "
    "that completes the request.\n\n### Instruction:\n{instruction}\n\n### Input:\n{input}\n\n### Response:\n";
constexpr std::string_view kAlpacaWithoutInput =
    "Below is an instruction that describes a task. Write a response that completes the request.\n\n"
    "### Instruction:\n{instruction}\n\n### Response:\n";
constexpr std::string_view kAlpacaStop = "### Instruction:";

constexpr std::string_view kChatml =
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";

// Fields with their lengths in front, so that no two lists of fields hash alike.
std::string hashFields(const std::vector<std::string>& fields) {
    Sha256 hash;
    for (const std::string& field : fields) {
        hash.update(fmt::format("{}:", field.size()));
        hash.update(field);
    }
    return hash.finish();
}

}  // namespace

struct PromptTemplate::State {
    TemplateKind kind = TemplateKind::Columns;
    std::string name;
    TemplateEncoding encoding;
    std::vector<std::string> stops;
    std::vector<std::string> promptColumns;
    std::vector<std::string> responseColumns;
    std::string hash;
    ColumnTemplate columns;
    std::optional<ChatPrompt> chat;
};

namespace {

PromptTemplate::State columnState(std::string_view name, std::string_view prompt, std::string_view response,
                                  std::vector<std::string> stops) {
    PromptTemplate::State state;
    state.name = std::string{name};
    state.columns.prompt = ColumnPattern{prompt, fmt::format("{}: 'prompt'", name)};
    state.columns.response = ColumnPattern{response, fmt::format("{}: 'completion'", name)};
    state.promptColumns = state.columns.prompt.columns();
    state.responseColumns = state.columns.response.columns();
    state.encoding = {.writesBos = false, .appendsEos = true};
    std::vector<std::string> fields{"columns", std::string{prompt}, std::string{response}};
    fields.insert(fields.end(), stops.begin(), stops.end());
    state.hash = hashFields(fields);
    state.stops = std::move(stops);
    return state;
}

PromptTemplate::State alpacaState() {
    auto state = columnState("alpaca", kAlpacaWithInput, "{output}", {std::string{kAlpacaStop}});
    state.columns.promptWithoutInput = ColumnPattern{kAlpacaWithoutInput, "alpaca"};
    state.columns.isAlpaca = true;
    state.promptColumns = {"instruction"};
    state.hash = hashFields({"alpaca", std::string{kAlpacaWithInput}, std::string{kAlpacaWithoutInput}});
    return state;
}

// Rows of columns as the conversation they mean.
std::vector<ChatMessage> messagesOf(const PromptColumns& columns, std::string_view templateName, bool needsResponse) {
    const RowMeaning meaning = readMeaning(columns);
    if (!meaning.hasPrompt || (needsResponse && !meaning.hasResponse)) {
        std::vector<std::string> names;
        for (const auto& [name, value] : columns) names.push_back(name);
        throw Error{
            ErrorCode::InvalidArgument,
            fmt::format("chat template '{}' needs messages, or the columns 'prompt' and 'response'; the row has "
                        "{}; name the columns in a template.json",
                        templateName, listNames(names))};
    }
    const std::string question = meaning.input.empty() ? meaning.prompt : meaning.prompt + "\n\n" + meaning.input;
    std::vector<ChatMessage> messages;
    if (const auto system = columns.find("system"); system != columns.end() && !system->second.empty())
        messages.push_back({"system", system->second});
    messages.push_back({"user", question});
    if (needsResponse) messages.push_back({"assistant", meaning.response});
    return messages;
}

std::string stringField(const nlohmann::json& json, const char* key, std::string_view sourceName) {
    const auto field = json.find(key);
    if (field == json.end() || !field->is_string())
        throw Error{ErrorCode::CorruptFile, fmt::format("{}: needs a text '{}'", sourceName, key)};
    return field->get<std::string>();
}

std::vector<std::string> stopField(const nlohmann::json& json, std::string_view sourceName) {
    const auto field = json.find("stop");
    if (field == json.end()) return {};
    std::vector<std::string> stops;
    const nlohmann::json list = field->is_string() ? nlohmann::json::array({*field}) : *field;
    for (const auto& stop : list) {
        if (!stop.is_string() || stop.get_ref<const std::string&>().empty())
            throw Error{ErrorCode::CorruptFile, fmt::format("{}: 'stop' must be a list of texts", sourceName)};
        stops.push_back(stop.get<std::string>());
    }
    return stops;
}

}  // namespace

PromptTemplate::PromptTemplate(std::shared_ptr<const State> state) : m_state(std::move(state)) {}

std::span<const std::string_view> PromptTemplate::builtinNames() {
    return kBuiltinNames;
}

PromptTemplate PromptTemplate::builtin(std::string_view name) {
    State state;
    if (name == "plain") {
        state = columnState(name, "{prompt}\n", "{response}", {});
    } else if (name == "raw") {
        state = columnState(name, "{prompt}", "{response}", {});
    } else if (name == "alpaca") {
        state = alpacaState();
    } else if (name == "chatml") {
        return fromChatTemplate(ChatTemplate::parse(kChatml, "chatml"), "", "", "chatml");
    } else {
        std::vector<std::string> names{kBuiltinNames.begin(), kBuiltinNames.end()};
        throw Error{ErrorCode::NotFound, fmt::format("there is no template '{}'; choose {}, or a .json or .jinja file",
                                                     name, listNames(names))};
    }
    state.columns.isBuiltin = true;
    return PromptTemplate{std::make_shared<const State>(std::move(state))};
}

PromptTemplate PromptTemplate::fromJsonText(std::string_view json, std::string_view sourceName) {
    const auto parsed = nlohmann::json::parse(json, nullptr, false);
    if (!parsed.is_object())
        throw Error{ErrorCode::CorruptFile,
                    fmt::format("{}: not a JSON object like {{\"prompt\": \"... {{context}}\", \"completion\": "
                                "\"{{question}}\"}}",
                                sourceName)};
    for (const auto& [key, value] : parsed.items())
        if (key != "prompt" && key != "completion" && key != "stop")
            throw Error{ErrorCode::CorruptFile,
                        fmt::format("{}: unknown key '{}'; a template has 'prompt', 'completion' and, if wanted, "
                                    "'stop'",
                                    sourceName, key)};
    try {
        State state = columnState(sourceName, stringField(parsed, "prompt", sourceName),
                                  stringField(parsed, "completion", sourceName), stopField(parsed, sourceName));
        if (state.responseColumns.empty())
            throw Error{ErrorCode::CorruptFile,
                        fmt::format("{}: 'completion' names no {{column}}, so every row would teach the same text",
                                    sourceName)};
        return PromptTemplate{std::make_shared<const State>(std::move(state))};
    } catch (const Error& error) {
        throw Error{ErrorCode::CorruptFile, error.what()};
    }
}

PromptTemplate PromptTemplate::fromJsonFile(const std::filesystem::path& path) {
    return fromJsonText(readTemplateFile(path), path.filename().string());
}

PromptTemplate PromptTemplate::fromChatTemplate(ChatTemplate chatTemplate, std::string bosToken, std::string eosToken,
                                                std::string name) {
    State state;
    state.kind = TemplateKind::Chat;
    state.chat.emplace(std::move(chatTemplate), std::move(bosToken), std::move(eosToken), name);
    state.name = std::move(name);
    state.hash = hashFields({"chat", state.chat->source(), state.chat->bosToken(), state.chat->eosToken()});
    state.encoding = {.writesBos = state.chat->writesBos(), .appendsEos = state.chat->endMarker().empty()};
    if (!state.chat->endMarker().empty()) state.stops.push_back(state.chat->endMarker());
    return PromptTemplate{std::make_shared<const State>(std::move(state))};
}

std::optional<PromptTemplate> PromptTemplate::fromModelFolder(const std::filesystem::path& modelFolder) {
    auto chatTemplate = loadChatTemplate(modelFolder);
    if (!chatTemplate) return std::nullopt;
    TemplateTokens tokens = readTemplateTokens(modelFolder);
    return fromChatTemplate(std::move(*chatTemplate), std::move(tokens.bos), std::move(tokens.eos));
}

RenderedChat PromptTemplate::renderRow(const PromptColumns& columns) const {
    if (m_state->chat) return m_state->chat->renderRow(messagesOf(columns, m_state->name, true), {});
    return m_state->columns.renderRow(columns, m_state->name);
}

RenderedChat PromptTemplate::renderRow(const std::vector<ChatMessage>& messages, std::string_view toolsJson) const {
    if (m_state->chat) return m_state->chat->renderRow(messages, toolsJson);
    return m_state->columns.renderMessages(messages, m_state->name);
}

RenderedChat PromptTemplate::renderPrompt(const PromptColumns& columns) const {
    if (m_state->chat) return m_state->chat->renderPrompt(messagesOf(columns, m_state->name, false), {});
    return m_state->columns.renderPrompt(columns, m_state->name);
}

RenderedChat PromptTemplate::renderPrompt(const std::vector<ChatMessage>& messages, std::string_view toolsJson) const {
    if (m_state->chat) return m_state->chat->renderPrompt(messages, toolsJson);
    std::vector<ChatMessage> head = messages;
    if (!head.empty() && head.back().role == "assistant") head.pop_back();
    return m_state->columns.renderMessages(head, m_state->name);
}

RenderedChat PromptTemplate::renderPrompt(std::string_view prompt) const {
    std::string column = "prompt";
    if (!m_state->chat && !m_state->columns.isBuiltin) {
        if (m_state->promptColumns.size() != 1)
            throw Error{ErrorCode::InvalidArgument,
                        fmt::format("template '{}' asks for the columns {}; one typed prompt cannot fill them; give a "
                                    "file of rows instead",
                                    m_state->name, listNames(m_state->promptColumns))};
        column = m_state->promptColumns.front();
    }
    return renderPrompt(PromptColumns{{column, std::string{prompt}}});
}

bool PromptTemplate::accepts(const std::vector<std::string>& columnNames, std::string* reason) const {
    PromptColumns columns;
    for (const std::string& name : columnNames) columns.emplace(name, "x");
    std::string why;
    if (m_state->chat || m_state->columns.isBuiltin) {
        const RowMeaning meaning = readMeaning(columns);
        if (!meaning.hasPrompt || !meaning.hasResponse)
            why = fmt::format("template '{}' needs the columns 'prompt' and 'response', the data has {}", m_state->name,
                              listNames(columnNames));
    } else {
        for (const auto* wanted : {&m_state->promptColumns, &m_state->responseColumns})
            for (const std::string& name : *wanted)
                if (why.empty() && !columns.contains(name))
                    why = fmt::format("template '{}' asks for the column '{}', the data has {}", m_state->name, name,
                                      listNames(columnNames));
    }
    if (reason) *reason = why;
    return why.empty();
}

TemplateKind PromptTemplate::kind() const {
    return m_state->kind;
}
const std::string& PromptTemplate::name() const {
    return m_state->name;
}
const TemplateEncoding& PromptTemplate::encoding() const {
    return m_state->encoding;
}
const std::vector<std::string>& PromptTemplate::stopStrings() const {
    return m_state->stops;
}
const std::vector<std::string>& PromptTemplate::promptColumns() const {
    return m_state->promptColumns;
}
const std::vector<std::string>& PromptTemplate::responseColumns() const {
    return m_state->responseColumns;
}
const std::string& PromptTemplate::hash() const {
    return m_state->hash;
}

std::string PromptTemplate::describe() const {
    const std::string& name = m_state->name;
    if (m_state->chat) {
        const std::string end = m_state->stops.empty() ? "the end-of-sequence token" : "'" + m_state->stops[0] + "'";
        const std::string what = name == "model"    ? "The chat template that the model carries."
                                 : name == "chatml" ? "Turns between <|im_start|>role and <|im_end|>."
                                                    : fmt::format("The chat template of {}.", name);
        return fmt::format("{} What the assistant says is trained, with {} after it.", what, end);
    }
    constexpr std::string_view kTrained = "The response is trained, with the end-of-sequence token after it.";
    if (name == "plain") return fmt::format("The prompt, a new line, the response. {}", kTrained);
    if (name == "raw") return fmt::format("The prompt and the response with nothing between them. {}", kTrained);
    if (name == "alpaca")
        return fmt::format("Headings for instruction, input (if there is one) and response. {}", kTrained);
    return fmt::format("{}: the prompt is made of {}, the response of {}. {}", name, listNames(m_state->promptColumns),
                       listNames(m_state->responseColumns), kTrained);
}

}  // namespace wb::core
