// SPDX-License-Identifier: Apache-2.0
// {"prompt": "...", "response": "..."} and the many other names of these two columns. {"prompt": [messages],
// "completion": [messages]} is a conversation in two parts.
#include <fmt/format.h>

#include <array>

#include "training/data/dataset_formats.h"

namespace wb::training {
namespace {

struct Alias {
    std::string_view context;  // put in front of the prompt where the file has it; "" if none
    std::string_view prompt;
    std::string_view response;
};

// Earlier pairs win where a file has several.
constexpr std::array kAliases{
    Alias{"", "prompt", "response"},
    Alias{"", "prompt", "completion"},
    Alias{"", "prompt", "output"},
    Alias{"context", "instruction", "response"},
    Alias{"", "instruction", "completion"},
    Alias{"context", "question", "answer"},
    Alias{"", "question", "response"},
    Alias{"context", "question", "sql"},
    Alias{"", "question", "query"},
    Alias{"", "input", "output"},
    Alias{"", "input", "target"},
    Alias{"", "input", "response"},
    Alias{"", "source", "target"},
    Alias{"", "query", "response"},
    Alias{"", "query", "answer"},
    Alias{"", "problem", "solution"},
    Alias{"", "dialogue", "summary"},
    Alias{"", "dialogue", "summary1"},
    Alias{"", "article", "highlights"},
    Alias{"", "article", "summary"},
    Alias{"", "document", "summary"},
    Alias{"", "text", "summary"},
    Alias{"", "mr", "text"},
    Alias{"", "meaning_representation", "human_reference"},
    Alias{"", "text", "label"},
};

class PromptResponseReader : public FormatReader {
public:
    void prepare(std::span<const RowValue* const> sample, const LoadOptions&) override {
        double best = 0.0;
        for (const Alias& alias : kAliases) {
            double share = 0.0;
            for (const RowValue* row : sample)
                if (isPair(*row, alias)) share += 1.0 / static_cast<double>(sample.size());
            if (share <= best) continue;
            best = share;
            m_mapping.prompt.clear();
            if (!alias.context.empty() && shareWithText(sample, alias.context) > 0.5)
                m_mapping.prompt.emplace_back(alias.context);
            m_mapping.prompt.emplace_back(alias.prompt);
            m_mapping.response = alias.response;
        }
        if (best == 0.0) m_mapping = {{"prompt"}, "response"};
        noteUnusedColumns(sample);
    }

    void read(const RowValue& row, RowSink& sink) const override {
        const RowValue* prompt = row.find("prompt");
        if (prompt != nullptr && prompt->isList()) return readMessageLists(row, *prompt, sink);
        std::optional<std::string> problem;
        for (const std::string& column : m_mapping.prompt)
            if (!problem) problem = columnProblem(row, column, EmptyText::Allowed);
        if (!problem) problem = columnProblem(row, m_mapping.response, EmptyText::Refused);
        if (problem) return sink.reject(*problem);
        Example example;
        example.columns = textColumns(row);
        sink.accept(std::move(example));
    }

private:
    static bool isPair(const RowValue& row, const Alias& alias) {
        const auto fits = [&](std::string_view name) {
            const RowValue* value = row.find(name);
            return value != nullptr && (value->isText() || (name == "prompt" && value->isList()) ||
                                        (name == "completion" && value->isList()));
        };
        return fits(alias.prompt) && fits(alias.response);
    }

    void readMessageLists(const RowValue& row, const RowValue& prompt, RowSink& sink) const {
        const RowValue* completion = row.find(m_mapping.response);
        if (completion == nullptr || !completion->isList())
            return sink.reject(
                fmt::format("'prompt' is a list of messages, so '{}' must be one too", m_mapping.response));
        RowValue all = prompt;
        all.items.insert(all.items.end(), completion->items.begin(), completion->items.end());
        Example example;
        if (auto problem = readChatMessages(all, example.messages, sink)) return sink.reject(*problem);
        // Only the completion is trained, also where the prompt holds earlier answers.
        for (size_t i = 0; i < prompt.items.size(); ++i) example.messages[i].weight = 0.0F;
        if (auto problem = conversationProblem(example.messages)) return sink.reject(*problem);
        if (auto problem = readTools(row, example.toolsJson)) return sink.reject(*problem);
        endWithAnswer(example.messages, sink);
        sink.accept(std::move(example));
    }

    void noteUnusedColumns(std::span<const RowValue* const> sample) {
        if (sample.empty()) return;
        std::string unused;
        for (const auto& [name, value] : sample.front()->fields) {
            bool isUsed = name == m_mapping.response;
            for (const std::string& column : m_mapping.prompt) isUsed = isUsed || name == column;
            if (!isUsed) unused += (unused.empty() ? "" : ", ") + name;
        }
        if (!unused.empty()) m_notes.push_back("columns not used: " + unused);
    }
};

}  // namespace

std::unique_ptr<FormatReader> makePromptResponseReader() {
    return std::make_unique<PromptResponseReader>();
}

}  // namespace wb::training
