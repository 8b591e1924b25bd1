// SPDX-License-Identifier: Apache-2.0
// The official nested form, one article per row: {"title", "paragraphs": [{"context", "qas": [{"question", "answers":
// [{"text"}], "is_impossible"}]}]}, and the flat form {"context", "question", "answers": {"text": ["..."]}}.
// Every question becomes an example with the columns title, context, question and answer.
#include <fmt/format.h>

#include "training/data/dataset_formats.h"

namespace wb::training {
namespace {

constexpr std::string_view kNoAnswer = "unanswerable";

// The first answer text of either form, or null.
const std::string* firstAnswer(const RowValue& question) {
    const RowValue* answers = question.find("answers");
    if (answers == nullptr) return nullptr;
    if (answers->isList()) return answers->items.empty() ? nullptr : answers->items.front().findText("text");
    const RowValue* texts = answers->find("text");
    if (texts == nullptr || !texts->isList() || texts->items.empty() || !texts->items.front().isText()) return nullptr;
    return &texts->items.front().text;
}

class SquadReader : public FormatReader {
public:
    SquadReader() {
        m_mapping = {{"context", "question"}, "answer"};
        m_notes.push_back(fmt::format(
            "every question is one row; answer is the first of its answers, or '{}' where there is none", kNoAnswer));
    }

    void read(const RowValue& row, RowSink& sink) const override {
        const RowValue* paragraphs = row.find("paragraphs");
        if (paragraphs == nullptr) {
            const RowValue* answers = row.find("answers");
            if (answers == nullptr || (!answers->isList() && !answers->isObject()))
                return sink.reject("there is neither 'paragraphs' nor an 'answers' list");
            return readQuestion(row, row, nullptr, sink);
        }
        if (!paragraphs->isList() || paragraphs->items.empty())
            return sink.reject("'paragraphs' is no list, or an empty one");
        const std::string* title = row.findText("title");
        for (size_t i = 0; i < paragraphs->items.size(); ++i) {
            const RowValue& paragraph = paragraphs->items[i];
            const RowValue* questions = paragraph.find("qas");
            if (questions == nullptr || !questions->isList()) {
                sink.reject(fmt::format("paragraph {} has no list 'qas'", i + 1));
                continue;
            }
            if (questions->items.empty()) sink.reject(fmt::format("paragraph {} has no questions", i + 1));
            for (const RowValue& question : questions->items) readQuestion(paragraph, question, title, sink);
        }
    }

private:
    void readQuestion(const RowValue& paragraph, const RowValue& question, const std::string* title,
                      RowSink& sink) const {
        std::optional<std::string> problem = columnProblem(paragraph, "context", EmptyText::Refused);
        if (!problem) problem = columnProblem(question, "question", EmptyText::Refused);
        if (problem) return sink.reject(*problem);
        Example example;
        example.columns["context"] = *paragraph.findText("context");
        example.columns["question"] = *question.findText("question");
        if (title != nullptr) example.columns["title"] = *title;
        const RowValue* impossible = question.find("is_impossible");
        const bool isImpossible = impossible != nullptr && impossible->number != 0.0;
        const std::string* answer = firstAnswer(question);
        if (!isImpossible && answer != nullptr && answer->empty()) return sink.reject("the first answer is empty");
        example.columns["answer"] = isImpossible || answer == nullptr ? std::string(kNoAnswer) : *answer;
        sink.accept(std::move(example));
    }
};

}  // namespace

std::unique_ptr<FormatReader> makeSquadReader() {
    return std::make_unique<SquadReader>();
}

}  // namespace wb::training
