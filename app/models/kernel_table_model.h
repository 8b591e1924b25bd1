// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QAbstractTableModel>
#include <QString>
#include <QVector>
#include <vector>

#include "core/run/events.h"

namespace wb::app {

// Ceilings of this machine as `whet bench peak` measured them; 0 where unknown.
struct MachinePeak {
    double flopsPerSecond = 0.0;  // F32 on all threads
    double bytesPerSecond = 0.0;
    double oneThreadFlopsPerSecond = 0.0;
    double bf16FlopsPerSecond = 0.0;  // 0: no arithmetic of its own, runs as F32
    int threads = 0;
    QString cpu;
    QString isa;

    bool isKnown() const { return flopsPerSecond > 0 && bytesPerSecond > 0; }
};

// Rates of one row against the ceilings.
struct KernelFigures {
    double share = 0.0;  // of the time of all rows
    double flopsPerSecond = 0.0;
    double bytesPerSecond = 0.0;
    double intensity = 0.0;     // FLOP per byte
    double percentOfPeak = -1;  // of what the roofline allows at this intensity, 0..1; -1 unknown
};
// "lm_head_loss" as words.
QString kernelTitle(const std::string& name);
KernelFigures kernelFigures(const core::KernelRow& row, double totalSeconds, const MachinePeak& peak);
// "41 %", or "> 100 %" for work out of the caches, which is faster than the memory the roof was measured with.
QString peakText(const KernelFigures& figures);

// Op, model, backend, calls, time, share, GFLOP/s, GB/s, percent of peak; sorted by time unless the user sorts.
class KernelTableModel : public QAbstractTableModel {
    Q_OBJECT

public:
    enum Column { Op, Model, Backend, Calls, Time, Share, Flops, Bytes, Peak, ColumnCount };

    explicit KernelTableModel(QObject* parent = nullptr) : QAbstractTableModel(parent) {}

    void setRows(std::vector<core::KernelRow> rows, const MachinePeak& peak);
    const std::vector<core::KernelRow>& rows() const { return m_rows; }
    double totalSeconds() const { return m_totalSeconds; }
    const MachinePeak& peak() const { return m_peak; }
    KernelFigures figures(int row) const;

    int rowCount(const QModelIndex& parent = {}) const override;
    int columnCount(const QModelIndex& parent = {}) const override;
    QVariant data(const QModelIndex& index, int role) const override;
    QVariant headerData(int section, Qt::Orientation orientation, int role) const override;
    void sort(int column, Qt::SortOrder order) override;

private:
    QString text(const core::KernelRow& row, const KernelFigures& figures, int column) const;
    double key(const core::KernelRow& row, int column) const;
    void sortRows();

    std::vector<core::KernelRow> m_rows;
    MachinePeak m_peak;
    double m_totalSeconds = 0.0;
    int m_sortColumn = Time;
    Qt::SortOrder m_sortOrder = Qt::DescendingOrder;
};

}  // namespace wb::app
