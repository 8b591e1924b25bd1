// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QAbstractTableModel>
#include <QDateTime>
#include <QSortFilterProxyModel>
#include <QStringList>
#include <QTimer>
#include <QVector>
#include <memory>
#include <optional>

#include "app/models/job_tracker.h"
#include "core/run/recipe.h"
#include "core/run/run_folder.h"

namespace wb::app {

// One line of the list, read from the run's folder.
struct RunSummary {
    QString id;
    QString folder;
    QString title;
    core::RunState state = core::RunState::Created;
    core::Recipe recipe;
    QString problem;  // why the recipe or the events could not be read
    qint64 steps = 0;
    qint64 totalSteps = 0;
    std::optional<double> bestLoss;
    qint64 bestStep = 0;
    double tokensPerSecond = 0.0;
    double startedAt = 0.0;  // seconds since 1970
    double lastEventAt = 0.0;
    std::optional<double> secondsLeft;
    QVector<double> validationLosses;  // the sparkline
    QVector<qint64> validationSteps;   // beside each loss

    bool isLive() const { return state == core::RunState::Running || state == core::RunState::Paused; }
    bool canResume() const { return state == core::RunState::Stopped || state == core::RunState::Interrupted; }
};

// All runs of a library, newest first, re-read in the background: each look reads only what the folders gained.
class RunsModel : public QAbstractTableModel {
    Q_OBJECT

public:
    enum Column { State, Title, Model, Method, Steps, BestLoss, Curve, Started, Duration, ColumnCount };
    enum Role { FolderRole = Qt::UserRole + 1, SparklineRole, StateRole, SortRole, SearchRole };

    explicit RunsModel(QObject* parent = nullptr);

    void setLibrary(const QString& folder);
    QString library() const { return m_library; }
    // Looks now instead of at the next tick.
    void refresh();

    bool hasLoaded() const { return m_hasLoaded; }
    int total() const { return static_cast<int>(m_all.size()); }
    const QVector<RunSummary>& all() const { return m_all; }
    const RunSummary& at(int row) const { return m_all[row]; }
    int rowOf(const QString& folder) const;
    QVector<RunSummary> live() const;

    int rowCount(const QModelIndex& parent = {}) const override;
    int columnCount(const QModelIndex& parent = {}) const override;
    QVariant data(const QModelIndex& index, int role) const override;
    QVariant headerData(int section, Qt::Orientation orientation, int role) const override;

signals:
    void refreshed();
    void failed(const QString& message);

private:
    struct Scanner;

    void apply(QVector<RunSummary> runs);
    QVariant sortKey(const RunSummary& run, int column) const;
    QString text(const RunSummary& run, int column) const;

    QString m_library;
    QTimer m_timer;
    JobTracker m_jobs;
    std::shared_ptr<Scanner> m_scanner;
    QVector<RunSummary> m_all;
    bool m_hasLoaded = false;
};

// The runs that contain every word of a search, in the order of a column: what a page shows without touching the list.
class RunsFilterModel : public QSortFilterProxyModel {
    Q_OBJECT

public:
    explicit RunsFilterModel(RunsModel& runs, QObject* parent = nullptr);

    // Words looked for in title, id, model, method and state.
    void setWords(const QString& text);
    // The row that shows the run of this folder, -1 if none does.
    int rowOf(const QString& folder) const;

protected:
    bool filterAcceptsRow(int row, const QModelIndex& parent) const override;

private:
    QStringList m_words;
};

}  // namespace wb::app
