// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "training/data/dataset.h"
#include "training/data/row_value.h"

namespace wb::training {

// Takes what a format makes of a row: usually one example or one refusal; nested rows give several.
class RowSink {
public:
    virtual ~RowSink() = default;
    virtual void accept(Example example) = 0;  // sourceLine is filled in by the sink
    virtual void reject(std::string reason) = 0;
    virtual void warn(std::string reason) = 0;
};

// Reads rows of one format. prepare() is called once, before read().
class FormatReader {
public:
    virtual ~FormatReader() = default;

    // Looks at sampled rows to settle what is the same for the whole file, such as which column is the response.
    virtual void prepare(std::span<const RowValue* const> sample, const LoadOptions& options);
    // Calls the sink at least once.
    virtual void read(const RowValue& row, RowSink& sink) const = 0;

    const ColumnMapping& mapping() const { return m_mapping; }
    const std::vector<std::string>& notes() const { return m_notes; }

protected:
    ColumnMapping m_mapping;
    std::vector<std::string> m_notes;
};

struct DatasetFormat {
    std::string_view name;
    std::string_view title;
    std::string_view rowsHave;  // completes "20 of 20 sampled rows have ..."
    DatasetKind kind;
    std::unique_ptr<FormatReader> (*makeReader)();
};

// All formats; of two that fit equally well the earlier wins.
std::span<const DatasetFormat> datasetFormats();

// Throws NotFound naming the formats there are.
const DatasetFormat& findDatasetFormat(std::string_view name);

struct Detection {
    const DatasetFormat* format = nullptr;  // null: no format fits a single row
    FormatGuess guess;
    std::vector<FormatGuess> alternatives;  // best first
};

// Tries every format on the sampled rows.
Detection detectFormat(std::span<const RowValue* const> sample, const LoadOptions& options);

// ---- For the files in formats/ ----

enum class EmptyText { Allowed, Refused };

// Why the column cannot be used as text, or nothing.
std::optional<std::string> columnProblem(const RowValue& row, std::string_view name, EmptyText empty);

// All top-level text fields of a row.
core::PromptColumns textColumns(const RowValue& row);

// Part of the rows in which the column is text, 0..1.
double shareWithText(std::span<const RowValue* const> sample, std::string_view column);

// "messages" as OpenAI writes them: a list of role and content. Returns a reason, or fills `messages`.
std::optional<std::string> readChatMessages(const RowValue& list, std::vector<core::ChatMessage>& messages,
                                            RowSink& sink);
// Checks what every conversation needs: at least one assistant message with text that is trained.
std::optional<std::string> conversationProblem(const std::vector<core::ChatMessage>& messages);
// Takes off the messages after the last answer, with a warning.
void endWithAnswer(std::vector<core::ChatMessage>& messages, RowSink& sink);
// Tool definitions given as a list or as JSON text. Returns a reason, or fills `toolsJson`.
std::optional<std::string> readTools(const RowValue& row, std::string& toolsJson);

std::unique_ptr<FormatReader> makeMessagesReader();
std::unique_ptr<FormatReader> makeShareGptReader();
std::unique_ptr<FormatReader> makeAlpacaReader();
std::unique_ptr<FormatReader> makePromptResponseReader();
std::unique_ptr<FormatReader> makeSquadReader();
std::unique_ptr<FormatReader> makeTriplesReader();
std::unique_ptr<FormatReader> makeSelfInstructReader();
std::unique_ptr<FormatReader> makeTextReader();
std::unique_ptr<FormatReader> makeColumnsReader();

}  // namespace wb::training
