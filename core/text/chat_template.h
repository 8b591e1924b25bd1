// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace wb::core {

struct ChatMessage {
    std::string role;           // "system", "user", "assistant", "tool"
    std::string content;        // plain text; typed parts are joined by the reader
    float weight = 1.0F;        // 0 keeps the message as context and out of the loss
    std::string toolCallsJson;  // assistant tool calls as a JSON array, empty if none
    // What a template gets as content where that is no plain text: a JSON array of typed parts, whose text is then in
    // `content` too, or "null" for a message without content. Empty: `content` is it.
    std::string contentJson = {};
    // The message's other keys ("name", "tool_call_id", "reasoning_content" ...) as a JSON object, empty if none. With
    // "role" among them the object gives the order of all keys; the values of role, content and tool_calls are always
    // those of the fields above.
    std::string extraJson = {};

    bool operator==(const ChatMessage&) const = default;
};

enum class SpanKind {
    Template,   // written by the template: markers, role names, new lines
    Input,      // came out of a message's content
    Assistant,  // what is trained: content of an assistant message; if the template has {% generation %} blocks, what
                // is written inside them and nothing else
};

// A half-open byte range of the rendered text; spans are sorted, do not overlap and cover the text.
struct TextSpan {
    size_t begin = 0;
    size_t end = 0;
    SpanKind kind = SpanKind::Template;
    int message = -1;  // index of the message the text came from, -1 if from none
    bool isMarker =
        false;  // Assistant text that the template wrote, such as the end marker: special tokens may be parsed

    bool operator==(const TextSpan&) const = default;
};

struct RenderedChat {
    std::string text;
    std::vector<TextSpan> spans;
};

struct RenderOptions {
    bool addGenerationPrompt = false;
    std::string bosToken;  // undefined in the template if empty, as is eosToken
    std::string eosToken;
    std::string toolsJson;            // JSON array, empty if none
    std::string variablesJson;        // JSON object of further variables ("enable_thinking"), empty if none
    std::optional<int64_t> unixTime;  // what strftime_now() sees, as UTC; the local clock if absent
};

// A Jinja chat template, limited in steps, depth and output size, with no access outside its variables.
// Thread-safe after parsing.
class ChatTemplate {
public:
    // Throws InvalidArgument with line and column on a syntax error, Unsupported naming a construct it does not know.
    static ChatTemplate parse(std::string_view source, std::string_view sourceName);

    ChatTemplate(ChatTemplate&&) noexcept;
    ChatTemplate& operator=(ChatTemplate&&) noexcept;
    ~ChatTemplate();

    // Throws InvalidArgument with the template's own words on raise_exception, and on exceeded limits.
    RenderedChat render(const std::vector<ChatMessage>& messages, const RenderOptions& options) const;

    const std::string& source() const;
    // Whether it has {% generation %} blocks, which then decide what is trained.
    bool marksAnswers() const;

private:
    struct Program;
    explicit ChatTemplate(std::unique_ptr<Program> program);
    std::unique_ptr<Program> m_program;
};

// Some models carry one template for conversations and another for those with tools.
enum class ChatTemplateUse { Plain, Tools };

// The template a model folder carries (chat_template.jinja, chat_template.json, else tokenizer_config.json) or a GGUF
// file holds, or nothing. With Tools, the one named "tool_use" is taken where there is one.
// Throws CorruptFile or Unsupported.
std::optional<ChatTemplate> loadChatTemplate(const std::filesystem::path& modelFolder,
                                             ChatTemplateUse use = ChatTemplateUse::Plain);

}  // namespace wb::core
