// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/models/loaded_data.h"

#include <algorithm>
#include <numeric>

#include "app/models/units.h"
#include "kernels/base/error.h"

namespace wb::app {

namespace {

// Running text has no template: every token is trained.
training::TokenizedExample tokenizeDocument(const LoadedData& data, const training::Example& example) {
    training::TokenizedExample row;
    const auto text = example.columns.find("text");
    if (text == example.columns.end()) return row;
    core::Encoding encoding = data.tokenizer->encode(text->second);
    row.ids = std::move(encoding.ids);
    row.bytes = std::move(encoding.offsets);
    row.trained.assign(row.ids.size(), 1);
    if (!row.trained.empty()) row.trained.front() = 0;
    row.fullLength = static_cast<int64_t>(row.ids.size());
    row.labelTokens = std::max<int64_t>(0, row.fullLength - 1);
    row.rendered.text = text->second;
    return row;
}

void tokenize(LoadedData& data, const IsStale& isStale) {
    if (data.promptTemplate) {
        data.rows = training::tokenizeDataset(data.dataset, *data.promptTemplate, *data.tokenizer,
                                              data.tokenizeOptions(), 1, data.templateErrors);
    } else {
        for (const training::Example& example : data.dataset.examples) {
            if (isStale()) return;
            training::TokenizedExample row = tokenizeDocument(data, example);
            row.rendered = {};
            data.rows.push_back(std::move(row));
        }
    }
    std::vector<int32_t> indices;
    std::vector<uint64_t> keys;
    std::vector<int64_t> lengths;
    for (size_t i = 0; i < data.rows.size(); ++i) {
        lengths.push_back(data.rows[i].fullLength);
        if (data.rows[i].ids.empty()) continue;
        indices.push_back(static_cast<int32_t>(i));
        keys.push_back(data.rows[i].promptHash);
    }
    data.length = training::lengthStatistics(lengths);
    if (!data.isRunningText() && indices.size() > 1)
        data.split = training::splitByGroup(indices, keys, training::SplitOptions{});
}

std::string joined(const training::Example& example, const std::vector<std::string>& columns) {
    std::string out;
    for (const std::string& column : columns) {
        const auto found = example.columns.find(column);
        if (found == example.columns.end() || found->second.empty()) continue;
        if (!out.empty()) out += "  ";
        out += found->second;
    }
    return out;
}

QString shortened(const std::string& text, int limit) {
    // Cut before decoding: a cell never needs more, however long the row is. Four bytes hold any character.
    const size_t bytes = std::min(text.size(), static_cast<size_t>(limit) * 4 + 4);
    return firstWords(QString::fromUtf8(text.data(), static_cast<qsizetype>(bytes)), limit);
}

}  // namespace

training::TokenizeOptions LoadedData::tokenizeOptions() const {
    return {.maxLength = 0,
            .trainOn = settings.trainsOnAll ? core::TrainOn::All : core::TrainOn::Response,
            .answer = answer};
}

std::shared_ptr<const LoadedData> loadData(const DataSettings& settings, const IsStale& isStale) {
    auto data = std::make_shared<LoadedData>();
    data->settings = settings;
    training::LoadOptions options;
    options.format = settings.format.toStdString();
    data->dataset = training::loadDataset(settings.file.toStdString(), options);
    if (isStale()) return data;
    if (!data->isRunningText()) {
        training::TemplatedDataset templated = training::loadWithTemplate(
            settings.file.toStdString(), settings.templateName.toStdString(), settings.model.toStdString(), options);
        data->dataset = std::move(templated.dataset);
        data->promptTemplate = std::move(templated.promptTemplate);
    }
    if (isStale() || settings.model.isEmpty()) return data;
    data->tokenizer = core::loadTokenizer(settings.model.toStdString());
    data->answer = core::readAnswerFrame(settings.model.toStdString(), *data->tokenizer);
    tokenize(*data, isStale);
    return data;
}

training::DataAudit auditAt(const LoadedData& data, qint64 maxLength) {
    if (!data.tokenizer) {
        // Nothing can be said about lengths and answers before a model is chosen.
        training::DataAudit audit;
        audit.badLines = data.dataset.badLines;
        return audit;
    }
    std::vector<training::TokenizedExample> rows;
    rows.reserve(data.rows.size());
    for (const training::TokenizedExample& full : data.rows) {
        training::TokenizedExample row = full;
        if (data.settings.shortensInputs && !data.isRunningText()) training::shortenExample(row, maxLength);
        if (!data.isRunningText()) training::cutExample(row, maxLength);
        rows.push_back(std::move(row));
    }
    return training::auditDataset(data.dataset, rows, data.templateErrors, maxLength, &data.split);
}

RowTokens tokensOfRow(const LoadedData& data, int example) {
    const training::Example& source = data.dataset.examples[static_cast<size_t>(example)];
    const training::TokenizedExample row = data.promptTemplate
                                               ? training::tokenizeExample(data.dataset, source, *data.promptTemplate,
                                                                           *data.tokenizer, data.tokenizeOptions())
                                               : tokenizeDocument(data, source);
    RowTokens out{.inputBegin = row.inputBegin, .inputEnd = row.inputEnd};
    out.tokens.reserve(static_cast<qsizetype>(row.sourceIds.size() + row.ids.size()));
    const auto append = [&](core::TokenId id, core::ByteRange bytes, TokenView::Role role) {
        TokenView token;
        token.id = id;
        token.isSpecial = data.tokenizer->isSpecial(token.id);
        token.begin = static_cast<qint64>(bytes.begin);
        token.end = static_cast<qint64>(bytes.end);
        token.text = token.isSpecial ? QString::fromStdString(data.tokenizer->tokenName(token.id))
                                     : QString::fromStdString(data.tokenizer->tokenBytes(token.id));
        token.role = role;
        out.tokens.append(token);
    };
    for (size_t i = 0; i < row.sourceIds.size(); ++i)
        append(row.sourceIds[i], row.sourceBytes[i], TokenView::Role::Context);
    for (size_t i = 0; i < row.ids.size(); ++i)
        append(row.ids[i], row.bytes[i], row.trained[i] ? TokenView::Role::Trained : TokenView::Role::Context);
    return out;
}

QString promptPreview(const training::Dataset& dataset, const training::Example& example, int limit) {
    if (!example.messages.empty()) {
        for (const core::ChatMessage& message : example.messages)
            if (message.role == "user") return shortened(message.content, limit);
        return shortened(example.messages.front().content, limit);
    }
    if (dataset.mapping.isKnown()) return shortened(joined(example, dataset.mapping.prompt), limit);
    return shortened(joined(example, dataset.columnNames), limit);
}

QString responsePreview(const training::Dataset& dataset, const training::Example& example, int limit) {
    for (auto message = example.messages.rbegin(); message != example.messages.rend(); ++message)
        if (message->role == "assistant") return shortened(message->content, limit);
    return shortened(joined(example, {dataset.mapping.response}), limit);
}

}  // namespace wb::app
