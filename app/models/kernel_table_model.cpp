// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/models/kernel_table_model.h"

#include <algorithm>

#include "app/models/units.h"

namespace wb::app {

KernelFigures kernelFigures(const core::KernelRow& row, double totalSeconds, const MachinePeak& peak) {
    KernelFigures out;
    if (row.seconds <= 0) return out;
    out.share = totalSeconds > 0 ? row.seconds / totalSeconds : 0;
    out.flopsPerSecond = row.flops / row.seconds;
    out.bytesPerSecond = row.bytes / row.seconds;
    out.intensity = row.bytes > 0 ? row.flops / row.bytes : 0;
    if (!peak.isKnown()) return out;
    // Above the ridge the arithmetic bounds an op, below it the memory; an op without arithmetic is a copy.
    const double ceiling = std::min(peak.flopsPerSecond, out.intensity * peak.bytesPerSecond);
    if (row.flops > 0 && ceiling > 0)
        out.percentOfPeak = out.flopsPerSecond / ceiling;
    else if (row.bytes > 0)
        out.percentOfPeak = out.bytesPerSecond / peak.bytesPerSecond;
    return out;
}

QString kernelTitle(const std::string& name) {
    return QString::fromStdString(name).replace(QLatin1Char('_'), QLatin1Char(' '));
}

QString peakText(const KernelFigures& figures) {
    if (figures.percentOfPeak < 0) return QStringLiteral("–");
    return figures.percentOfPeak > 1.005 ? QStringLiteral("> 100 %") : formatPercent(figures.percentOfPeak);
}

void KernelTableModel::setRows(std::vector<core::KernelRow> rows, const MachinePeak& peak) {
    // Live updates bring the same ops again: keep selection and scroll position then.
    const bool isSameShape = rows.size() == m_rows.size();
    if (!isSameShape) beginResetModel();
    m_rows = std::move(rows);
    m_peak = peak;
    m_totalSeconds = 0;
    for (const core::KernelRow& row : m_rows) m_totalSeconds += row.seconds;
    sortRows();
    if (!isSameShape)
        endResetModel();
    else if (!m_rows.empty())
        emit dataChanged(index(0, 0), index(rowCount() - 1, ColumnCount - 1));
}

KernelFigures KernelTableModel::figures(int row) const {
    return kernelFigures(m_rows[static_cast<size_t>(row)], m_totalSeconds, m_peak);
}

int KernelTableModel::rowCount(const QModelIndex& parent) const {
    return parent.isValid() ? 0 : static_cast<int>(m_rows.size());
}

int KernelTableModel::columnCount(const QModelIndex& parent) const {
    return parent.isValid() ? 0 : ColumnCount;
}

QString KernelTableModel::text(const core::KernelRow& row, const KernelFigures& figures, int column) const {
    switch (column) {
        case Op: return kernelTitle(row.name);
        case Model: return QString::fromStdString(row.model);
        case Backend: return QString::fromStdString(row.backend);
        case Calls: return formatCount(row.calls);
        case Time: return formatDuration(row.seconds);
        case Share: return formatPercent(figures.share);
        case Flops:
            return row.flops > 0 ? formatRate(figures.flopsPerSecond, QStringLiteral("FLOP")) : QStringLiteral("–");
        case Bytes:
            return row.bytes > 0 ? formatRate(figures.bytesPerSecond, QStringLiteral("B")) : QStringLiteral("–");
        case Peak: return peakText(figures);
        default: return {};
    }
}

double KernelTableModel::key(const core::KernelRow& row, int column) const {
    const KernelFigures out = kernelFigures(row, m_totalSeconds, m_peak);
    switch (column) {
        case Calls: return static_cast<double>(row.calls);
        case Flops: return out.flopsPerSecond;
        case Bytes: return out.bytesPerSecond;
        case Peak: return out.percentOfPeak;
        default: return row.seconds;
    }
}

QVariant KernelTableModel::data(const QModelIndex& index, int role) const {
    if (!checkIndex(index, CheckIndexOption::IndexIsValid | CheckIndexOption::ParentIsInvalid)) return {};
    const core::KernelRow& row = m_rows[static_cast<size_t>(index.row())];
    if (role == Qt::DisplayRole) return text(row, figures(index.row()), index.column());
    if (role == Qt::TextAlignmentRole && index.column() >= Calls)
        return QVariant::fromValue(Qt::AlignRight | Qt::AlignVCenter);
    if (role == Qt::ToolTipRole && index.column() == Backend && !row.reason.empty())
        return QString::fromStdString(row.reason);
    return {};
}

QVariant KernelTableModel::headerData(int section, Qt::Orientation orientation, int role) const {
    if (orientation != Qt::Horizontal || section < 0 || section >= ColumnCount) return {};
    if (role == Qt::TextAlignmentRole)
        return QVariant::fromValue((section >= Calls ? Qt::AlignRight : Qt::AlignLeft) | Qt::AlignVCenter);
    if (role != Qt::DisplayRole) return {};
    const QStringList names{tr("Op"),    tr("Model"),      tr("Backend"), tr("Calls"),  tr("Time"),
                            tr("Share"), tr("Arithmetic"), tr("Memory"),  tr("Of peak")};
    return names[section];
}

void KernelTableModel::sort(int column, Qt::SortOrder order) {
    m_sortColumn = column;
    m_sortOrder = order;
    emit layoutAboutToBeChanged();
    sortRows();
    emit layoutChanged();
}

void KernelTableModel::sortRows() {
    const auto isLess = [this](const core::KernelRow& a, const core::KernelRow& b) {
        if (m_sortColumn == Op && a.name != b.name) return a.name < b.name;
        if (m_sortColumn == Model && a.model != b.model) return a.model < b.model;
        if (m_sortColumn == Backend && a.backend != b.backend) return a.backend < b.backend;
        return key(a, m_sortColumn) < key(b, m_sortColumn);
    };
    std::stable_sort(m_rows.begin(), m_rows.end(), [&](const core::KernelRow& a, const core::KernelRow& b) {
        return m_sortOrder == Qt::AscendingOrder ? isLess(a, b) : isLess(b, a);
    });
}

}  // namespace wb::app
