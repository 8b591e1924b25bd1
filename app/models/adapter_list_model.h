// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QAbstractTableModel>
#include <QVector>

#include "app/models/job_tracker.h"
#include "app/models/runs_model.h"

namespace wb::app {

struct AdapterVersion {
    qint64 step = 0;
    qint64 bytes = 0;
    std::optional<double> loss;  // validation loss at that step, if it was evaluated there
};

// What a run that made at least one checkpoint left behind.
struct AdapterEntry {
    QString folder;
    QString title;
    QString base;
    bool isLora = true;
    qint64 rank = 0;
    core::RunState state = core::RunState::Created;
    std::optional<double> bestLoss;
    qint64 bestStep = 0;
    QVector<AdapterVersion> versions;
};

// Runs with checkpoints, read in the background.
class AdapterListModel : public QAbstractTableModel {
    Q_OBJECT

public:
    enum Column { Title, Base, Kind, BestLoss, Versions, Size, ColumnCount };

    explicit AdapterListModel(QObject* parent = nullptr) : QAbstractTableModel(parent) {}

    void refresh(const QVector<RunSummary>& runs);
    bool hasLoaded() const { return m_hasLoaded; }
    const AdapterEntry& at(int row) const { return m_entries[row]; }

    int rowCount(const QModelIndex& parent = {}) const override;
    int columnCount(const QModelIndex& parent = {}) const override;
    QVariant data(const QModelIndex& index, int role) const override;
    QVariant headerData(int section, Qt::Orientation orientation, int role) const override;

signals:
    void refreshed();

private:
    void apply(QVector<AdapterEntry> entries);

    JobTracker m_jobs;
    QVector<AdapterEntry> m_entries;
    bool m_hasLoaded = false;
};

}  // namespace wb::app
