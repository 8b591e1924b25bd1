// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/text/chat_template.h"

namespace wb::core {

// One row of data by column name ("prompt", "response", "context" ...), values as text.
using PromptColumns = std::map<std::string, std::string, std::less<>>;

enum class TemplateKind {
    Columns,  // prompt and completion text with {column} marks: plain, raw, alpaca, template.json
    Chat,     // a Jinja chat template: chatml, or the one a model carries
};

// How the rendered text becomes token ids.
struct TemplateEncoding {
    // The template writes the beginning-of-sequence token itself, so the tokenizer must not add another.
    bool writesBos = false;
    // The template has no end marker of its own: the end-of-sequence token follows the answer and is trained with it.
    bool appendsEos = false;
};

// Turns a row (columns or messages) into text for training, and into the prompt for generation. The one rule it keeps:
// the prompt is a byte-exact prefix of the training text of the same row, and the rest of that text up to the end of
// the answer is what is trained (SpanKind::Assistant). Immutable; copies share their state; thread-safe.
class PromptTemplate {
public:
    // "plain"   prompt, one new line, response
    // "raw"     prompt and response with nothing between
    // "alpaca"  the instruction/input/response headings
    // "chatml"  <|im_start|>role ... <|im_end|>
    // Throws NotFound naming the templates there are.
    static PromptTemplate builtin(std::string_view name);
    static std::span<const std::string_view> builtinNames();

    // {"prompt": "... {context}", "completion": "{question}", "stop": ["optional"]}; {{ and }} write a brace.
    // Throws NotFound, or CorruptFile with what is wrong in it.
    static PromptTemplate fromJsonFile(const std::filesystem::path& path);
    static PromptTemplate fromJsonText(std::string_view json, std::string_view sourceName);

    // A Jinja template with the two tokens it may write (empty if the model has none).
    // Throws InvalidArgument if it cannot render a question and an answer.
    static PromptTemplate fromChatTemplate(ChatTemplate chatTemplate, std::string bosToken, std::string eosToken,
                                           std::string name = "model");
    // The template a model folder carries with its bos and eos tokens, or nothing.
    static std::optional<PromptTemplate> fromModelFolder(const std::filesystem::path& modelFolder);

    // The text a row teaches. A row of two columns that mean prompt and response ("prompt"/"response" or "completion",
    // "instruction" + "input"/"output", "question"/"answer") fits every template that asks for no other column.
    // Span messages: of columns 0 for the prompt and 1 for the response, of messages their index; an answer's span also
    // covers the end marker that follows it. Assistant messages of weight 0 are Input.
    // Throws InvalidArgument on a column the row lacks (naming the columns there are), or in the template's own words.
    RenderedChat renderRow(const PromptColumns& columns) const;
    RenderedChat renderRow(const std::vector<ChatMessage>& messages, std::string_view toolsJson = {}) const;

    // The text a model continues. Response columns and a last assistant message are ignored if there are any.
    RenderedChat renderPrompt(const PromptColumns& columns) const;
    RenderedChat renderPrompt(const std::vector<ChatMessage>& messages, std::string_view toolsJson = {}) const;
    // The same for one typed prompt: the user's message, or the only column the prompt asks for.
    RenderedChat renderPrompt(std::string_view prompt) const;

    // Whether renderRow can take such rows; if not, `reason` (may be null) receives why.
    bool accepts(const std::vector<std::string>& columnNames, std::string* reason = nullptr) const;

    TemplateKind kind() const;
    const std::string& name() const;  // "alpaca", "model", "template.json"
    const TemplateEncoding& encoding() const;
    const std::vector<std::string>& stopStrings() const;    // texts that end an answer, e.g. "<|im_end|>"
    const std::vector<std::string>& promptColumns() const;  // columns it cannot do without; empty for chat
    const std::vector<std::string>& responseColumns() const;
    // SHA-256 (hex) over everything that decides the rendered bytes; equal for equal templates on every machine.
    const std::string& hash() const;
    // One or two sentences for people: what the template writes and what is trained.
    std::string describe() const;

    struct State;

private:
    explicit PromptTemplate(std::shared_ptr<const State> state);
    std::shared_ptr<const State> m_state;
};

// What "auto" may look at. Empty fields are unknown.
struct TemplateRequest {
    std::string nameOrPath = "auto";  // "auto", a built-in name, "model", a .json or .jinja file
    std::filesystem::path modelFolder;
    std::filesystem::path dataFile;        // template.json is looked for beside it
    std::vector<std::string> columnNames;  // of the data; empty for rows of messages
    bool hasMessages = false;              // rows are conversations
};

// The template a request means. "auto" takes the first that fits the rows: the model's own chat template; template.json
// beside the data; chatml for conversations; alpaca for rows with an "instruction" column; plain.
// Throws NotFound or InvalidArgument saying what was looked for.
PromptTemplate resolveTemplate(const TemplateRequest& request);

}  // namespace wb::core
