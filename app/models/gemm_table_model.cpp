// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/models/gemm_table_model.h"

#include <algorithm>

#include "app/models/units.h"

namespace wb::app {

namespace {

// The unit stands in the caption: the columns are narrow.
QString percentNumber(double percent) {
    return QString::number(percent, 'f', percent < 9.95 ? 1 : 0);
}

}  // namespace

void GemmTableModel::setMeasurement(const GemmMeasurement& measurement) {
    const bool isShown = measurement.origin.date == m_measurement.origin.date &&
                         measurement.points.size() == m_measurement.points.size();
    if (isShown) return;
    m_measurement = measurement;
    arrange();
}

void GemmTableModel::setChoice(const QString& dtype, LabPass pass) {
    if (m_dtype == dtype && m_pass == pass) return;
    m_dtype = dtype;
    m_pass = pass;
    arrange();
}

void GemmTableModel::arrange() {
    beginResetModel();
    m_layers.clear();
    m_tokens.clear();
    for (const GemmPoint& point : m_measurement.points) {
        if (point.dtype != m_dtype) continue;
        if (const Layer layer{point.outputs, point.inputs}; !m_layers.contains(layer)) m_layers.append(layer);
        if (!m_tokens.contains(point.tokens)) m_tokens.append(point.tokens);
    }
    std::sort(m_tokens.begin(), m_tokens.end());
    endResetModel();
}

int GemmTableModel::rowCount(const QModelIndex& parent) const {
    return parent.isValid() ? 0 : static_cast<int>(m_layers.size());
}

int GemmTableModel::columnCount(const QModelIndex& parent) const {
    return parent.isValid() || m_tokens.isEmpty() ? 0 : 1 + static_cast<int>(m_tokens.size());
}

GemmTableModel::Cell GemmTableModel::cell(int row, int column) const {
    Cell out;
    for (const GemmPoint& point : m_measurement.points) {
        const bool isHere = point.dtype == m_dtype && Layer{point.outputs, point.inputs} == m_layers[row] &&
                            point.tokens == m_tokens[column - 1];
        if (!isHere || (m_pass == LabPass::Forward && point.pass != QLatin1String("forward"))) continue;
        ++out.passes;
        out.seconds += point.seconds;
        out.flops += point.gflops * 1e9 * point.seconds;
        out.bytes += point.gbPerSecond * 1e9 * point.seconds;
        out.secondsAtCeiling += point.percentOfCeiling / 100 * point.seconds;
    }
    // Few rows occur in decoding only and have no gradients: a forward pass is no answer to the question for both.
    return m_pass == LabPass::ForwardBackward && out.passes < 2 ? Cell{} : out;
}

QVariant GemmTableModel::data(const QModelIndex& index, int role) const {
    if (!checkIndex(index, CheckIndexOption::IndexIsValid | CheckIndexOption::ParentIsInvalid)) return {};
    const bool isLayer = index.column() == 0;
    if (role == Qt::TextAlignmentRole)
        return QVariant::fromValue((isLayer ? Qt::AlignLeft : Qt::AlignRight) | Qt::AlignVCenter);
    if (isLayer) {
        const Layer& layer = m_layers[index.row()];
        if (role == Qt::DisplayRole) return QStringLiteral("%1 × %2").arg(layer.outputs).arg(layer.inputs);
        if (role == Qt::ToolTipRole)
            return tr("A linear layer with %1 outputs and %2 inputs").arg(layer.outputs).arg(layer.inputs);
        return {};
    }
    const Cell figures = cell(index.row(), index.column());
    const bool isMeasured = figures.seconds > 0;
    if (role == Qt::DisplayRole)
        return isMeasured ? percentNumber(100 * figures.secondsAtCeiling / figures.seconds) : QStringLiteral("–");
    if (role == Qt::ToolTipRole && isMeasured)
        return tr("%1 in %2; operands and results: %3")
            .arg(formatRate(figures.flops / figures.seconds, QStringLiteral("FLOP")), formatDuration(figures.seconds),
                 formatRate(figures.bytes / figures.seconds, QStringLiteral("B")));
    if (role == Qt::ToolTipRole) return tr("Not measured: so few tokens occur in decoding only");
    return {};
}

QVariant GemmTableModel::headerData(int section, Qt::Orientation orientation, int role) const {
    if (orientation != Qt::Horizontal || section < 0 || section >= columnCount()) return {};
    if (role == Qt::TextAlignmentRole)
        return QVariant::fromValue((section > 0 ? Qt::AlignRight : Qt::AlignLeft) | Qt::AlignVCenter);
    if (role == Qt::ToolTipRole && section > 0) return tr("%1 tokens at once").arg(m_tokens[section - 1]);
    if (role != Qt::DisplayRole) return {};
    if (section == 0) return tr("Layer");
    const qint64 tokens = m_tokens[section - 1];
    return tokens % 1024 == 0 ? QStringLiteral("%1k").arg(tokens / 1024) : QString::number(tokens);
}

}  // namespace wb::app
