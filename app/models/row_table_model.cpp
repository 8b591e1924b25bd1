// SPDX-License-Identifier: GPL-3.0-or-later
#include <algorithm>

#include "app/models/data_model.h"
#include "app/models/loaded_data.h"
#include "app/models/units.h"

namespace wb::app {

namespace {
constexpr int kPreviewCharacters = 160;
}

void RowTableModel::setData(std::shared_ptr<const LoadedData> data, qint64 maxLength) {
    const bool isOther = data != m_data;
    m_maxLength = maxLength;
    if (!isOther) {
        if (!m_rows.isEmpty()) emit dataChanged(index(0, State), index(rowCount() - 1, State));
        return;
    }
    beginResetModel();
    m_data = std::move(data);
    m_only.clear();
    m_isFiltered = false;
    rebuild();
    endResetModel();
}

void RowTableModel::showOnly(const QVector<qint64>& lines) {
    beginResetModel();
    m_only = lines;
    m_isFiltered = !lines.isEmpty();
    std::sort(m_only.begin(), m_only.end());
    rebuild();
    endResetModel();
}

// Good and bad lines in the order of the file.
void RowTableModel::rebuild() {
    m_rows.clear();
    if (!m_data) return;
    const auto& examples = m_data->dataset.examples;
    const auto& bad = m_data->dataset.badLines;
    const auto isWanted = [this](int64_t line) {
        return !m_isFiltered || std::binary_search(m_only.begin(), m_only.end(), static_cast<qint64>(line));
    };
    size_t nextBad = 0;
    for (size_t i = 0; i <= examples.size(); ++i) {
        const int64_t line = i < examples.size() ? examples[i].sourceLine : INT64_MAX;
        for (; nextBad < bad.size() && bad[nextBad].line < line; ++nextBad)
            if (isWanted(bad[nextBad].line)) m_rows.append(-1 - static_cast<int>(nextBad));
        if (i < examples.size() && isWanted(line)) m_rows.append(static_cast<int>(i));
    }
}

int RowTableModel::exampleAt(int row) const {
    return row >= 0 && row < m_rows.size() && m_rows[row] >= 0 ? m_rows[row] : -1;
}

qint64 RowTableModel::lineAt(int row) const {
    if (row < 0 || row >= m_rows.size()) return 0;
    const int entry = m_rows[row];
    return entry >= 0 ? m_data->dataset.examples[static_cast<size_t>(entry)].sourceLine
                      : m_data->dataset.badLines[static_cast<size_t>(-1 - entry)].line;
}

int RowTableModel::rowCount(const QModelIndex& parent) const {
    return parent.isValid() ? 0 : static_cast<int>(m_rows.size());
}

int RowTableModel::columnCount(const QModelIndex& parent) const {
    return parent.isValid() ? 0 : ColumnCount;
}

QVariant RowTableModel::data(const QModelIndex& index, int role) const {
    if (!checkIndex(index, CheckIndexOption::IndexIsValid | CheckIndexOption::ParentIsInvalid)) return {};
    const bool isNumber = index.column() == Line || index.column() == TokenCount;
    if (role == Qt::TextAlignmentRole && isNumber) return QVariant::fromValue(Qt::AlignRight | Qt::AlignVCenter);
    if (role != Qt::DisplayRole && role != Qt::ToolTipRole) return {};
    const int entry = m_rows[index.row()];
    if (entry < 0) {
        const training::BadLine& bad = m_data->dataset.badLines[static_cast<size_t>(-1 - entry)];
        if (index.column() == Line) return static_cast<qint64>(bad.line);
        if (index.column() == State) return tr("cannot be read");
        if (index.column() == Prompt) return QString::fromStdString(bad.reason);
        return {};
    }
    const training::Example& example = m_data->dataset.examples[static_cast<size_t>(entry)];
    const training::TokenizedExample* tokens =
        m_data->rows.empty() ? nullptr : &m_data->rows[static_cast<size_t>(entry)];
    switch (index.column()) {
        case Line: return static_cast<qint64>(example.sourceLine);
        case Prompt: return promptPreview(m_data->dataset, example, role == Qt::ToolTipRole ? 600 : kPreviewCharacters);
        case Response:
            return responsePreview(m_data->dataset, example, role == Qt::ToolTipRole ? 600 : kPreviewCharacters);
        case TokenCount: return tokens ? QVariant(static_cast<qint64>(tokens->fullLength)) : QVariant();
        case State: {
            if (!tokens) return {};
            if (tokens->ids.empty()) return tr("template refuses it");
            if (tokens->labelTokens == 0) return tr("teaches nothing");
            if (m_maxLength > 0 && tokens->fullLength > m_maxLength && !m_data->isRunningText()) return tr("cut");
            return tr("teaches");
        }
        default: return {};
    }
}

QVariant RowTableModel::headerData(int section, Qt::Orientation orientation, int role) const {
    if (orientation != Qt::Horizontal || section < 0 || section >= ColumnCount) return {};
    if (role == Qt::TextAlignmentRole) {
        const bool isNumber = section == Line || section == TokenCount;
        return QVariant::fromValue((isNumber ? Qt::AlignRight : Qt::AlignLeft) | Qt::AlignVCenter);
    }
    if (role != Qt::DisplayRole) return {};
    const bool isText = m_data && m_data->isRunningText();
    const QStringList names{tr("Line"), isText ? tr("Text") : tr("Prompt"), tr("Response"), tr("Tokens"), tr("State")};
    return names[section];
}

}  // namespace wb::app
