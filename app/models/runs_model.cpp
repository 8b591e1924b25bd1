// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/models/runs_model.h"

#include <QFileInfo>
#include <algorithm>
#include <cmath>
#include <deque>
#include <map>
#include <mutex>

#include "app/models/run_model.h"
#include "app/models/units.h"
#include "core/run/events.h"
#include "core/run/recipe_fields.h"
#include "kernels/base/error.h"

namespace wb::app {

namespace {

constexpr int kLiveMs = 1000;
constexpr int kIdleMs = 3000;

// Follows one run across looks.
struct FollowedRun {
    explicit FollowedRun(const core::RunFolder& run) : reader(run.eventsPath()) {}

    core::EventReader reader;
    RunSummary summary;
    std::deque<std::pair<double, qint64>> pace;
    bool hasRecipe = false;
};

void take(FollowedRun& run, const core::Event& event) {
    RunSummary& out = run.summary;
    if (out.startedAt == 0) out.startedAt = event.time;
    out.lastEventAt = event.time;
    if (const auto* started = std::get_if<core::RunStarted>(&event.body)) {
        if (!started->title.empty()) out.title = QString::fromStdString(started->title);
        out.totalSteps = started->totalSteps;
        run.pace.clear();
    } else if (const auto* step = std::get_if<core::StepDone>(&event.body)) {
        out.steps = step->step;
        out.tokensPerSecond = step->tokensPerSecond;
        run.pace.emplace_back(event.time, step->step);
        if (run.pace.size() > 32) run.pace.pop_front();
    } else if (const auto* evaluation = std::get_if<core::Evaluated>(&event.body)) {
        const auto loss = static_cast<double>(evaluation->loss);
        out.validationLosses.append(loss);
        out.validationSteps.append(evaluation->step);
        if (!out.bestLoss || loss < *out.bestLoss) out.bestLoss = loss, out.bestStep = evaluation->step;
    } else if (const auto* error = std::get_if<core::ErrorRaised>(&event.body)) {
        out.problem = QString::fromStdString(error->message);
    }
}

std::optional<double> secondsLeft(const FollowedRun& run) {
    if (run.pace.size() < 3 || run.summary.totalSteps <= 0) return std::nullopt;
    const double seconds = run.pace.back().first - run.pace.front().first;
    const auto steps = static_cast<double>(run.pace.back().second - run.pace.front().second);
    if (seconds <= 0 || steps <= 0) return std::nullopt;
    return seconds / steps * static_cast<double>(std::max<qint64>(0, run.summary.totalSteps - run.summary.steps));
}

void look(FollowedRun& run, const core::RunFolder& folder) {
    run.summary.state = folder.state();
    try {
        if (!run.hasRecipe) {
            run.summary.recipe = folder.recipe();
            run.summary.title = QString::fromStdString(core::recipeTitle(run.summary.recipe));
            run.hasRecipe = true;
        }
        for (const core::Event& event : run.reader.poll()) take(run, event);
    } catch (const Error& error) {
        run.summary.problem = QString::fromUtf8(error.what());
    }
    run.summary.secondsLeft = run.summary.state == core::RunState::Running ? secondsLeft(run) : std::nullopt;
}

}  // namespace

// The worker's memory; the mutex guards against an abandoned look that is still under way.
struct RunsModel::Scanner {
    std::mutex mutex;
    std::map<std::string, FollowedRun> runs;

    QVector<RunSummary> look(const std::string& library, const IsStale& isStale) {
        const std::lock_guard lock(mutex);
        QVector<RunSummary> out;
        for (const core::RunFolder& folder : core::RunFolder::list(library)) {
            if (isStale()) return {};
            FollowedRun& run = runs.try_emplace(folder.path().string(), folder).first->second;
            run.summary.id = QString::fromStdString(folder.id());
            run.summary.folder = QString::fromStdString(folder.path().string());
            app::look(run, folder);
            out.append(run.summary);
        }
        return out;
    }
};

RunsModel::RunsModel(QObject* parent) : QAbstractTableModel(parent), m_scanner(std::make_shared<Scanner>()) {
    m_timer.setSingleShot(true);
    connect(&m_timer, &QTimer::timeout, this, &RunsModel::refresh);
}

void RunsModel::setLibrary(const QString& folder) {
    m_library = folder;
    m_scanner = std::make_shared<Scanner>();
    m_hasLoaded = false;
    refresh();
}

void RunsModel::refresh() {
    if (m_library.isEmpty() || m_jobs.isBusy()) return;
    m_jobs.run([scanner = m_scanner,
                library = m_library.toStdString()](const IsStale& isStale) { return scanner->look(library, isStale); },
               [this](QVector<RunSummary> runs) { apply(std::move(runs)); },
               [this](const QString& message) {
                   m_hasLoaded = true;
                   emit failed(message);
                   m_timer.start(kIdleMs);
               });
}

void RunsModel::apply(QVector<RunSummary> runs) {
    const auto isSame = [&] {
        if (runs.size() != m_all.size()) return false;
        for (qsizetype i = 0; i < runs.size(); ++i)
            if (runs[i].folder != m_all[i].folder) return false;
        return true;
    }();
    // The same runs with new figures keep selection and scroll position.
    if (!isSame) beginResetModel();
    m_all = std::move(runs);
    if (!isSame)
        endResetModel();
    else if (!m_all.isEmpty())
        emit dataChanged(index(0, 0), index(rowCount() - 1, ColumnCount - 1));
    m_hasLoaded = true;
    m_timer.start(live().isEmpty() ? kIdleMs : kLiveMs);
    emit refreshed();
}

QVariant RunsModel::sortKey(const RunSummary& run, int column) const {
    switch (column) {
        case Steps: return run.steps;
        case BestLoss: return run.bestLoss.value_or(INFINITY);
        case Started: return run.id;  // begins with the time
        case Duration: return run.lastEventAt - run.startedAt;
        default: return text(run, column);
    }
}

int RunsModel::rowOf(const QString& folder) const {
    for (int row = 0; row < m_all.size(); ++row)
        if (at(row).folder == folder) return row;
    return -1;
}

QVector<RunSummary> RunsModel::live() const {
    QVector<RunSummary> out;
    std::copy_if(m_all.begin(), m_all.end(), std::back_inserter(out),
                 [](const RunSummary& run) { return run.isLive(); });
    return out;
}

int RunsModel::rowCount(const QModelIndex& parent) const {
    return parent.isValid() ? 0 : static_cast<int>(m_all.size());
}

int RunsModel::columnCount(const QModelIndex& parent) const {
    return parent.isValid() ? 0 : ColumnCount;
}

QString RunsModel::text(const RunSummary& run, int column) const {
    switch (column) {
        case State: return runStateText(run.state);
        case Title: return run.title.isEmpty() ? run.id : run.title;
        case Model: {
            const std::string& model = run.recipe.model.empty() ? run.recipe.fromConfig : run.recipe.model;
            return QFileInfo(QString::fromStdString(model)).fileName();
        }
        case Method: {
            const std::string_view name = core::choiceName(run.recipe.method);
            return QString::fromUtf8(name.data(), static_cast<qsizetype>(name.size()));
        }
        case Steps:
            return run.totalSteps > 0 ? tr("%1 of %2").arg(run.steps).arg(run.totalSteps) : QString::number(run.steps);
        case BestLoss: return run.bestLoss ? formatMetric(*run.bestLoss) : QStringLiteral("–");
        case Started:
            return run.startedAt > 0 ? QDateTime::fromSecsSinceEpoch(static_cast<qint64>(run.startedAt))
                                           .toString(QStringLiteral("d MMM yyyy hh:mm"))
                                     : QStringLiteral("–");
        case Duration: return run.startedAt > 0 ? formatDuration(run.lastEventAt - run.startedAt) : QStringLiteral("–");
        default: return {};
    }
}

QVariant RunsModel::data(const QModelIndex& index, int role) const {
    if (!checkIndex(index, CheckIndexOption::IndexIsValid | CheckIndexOption::ParentIsInvalid)) return {};
    const RunSummary& run = at(index.row());
    switch (role) {
        case Qt::DisplayRole: return text(run, index.column());
        case Qt::ToolTipRole: return run.problem.isEmpty() ? run.folder : run.problem + QLatin1Char('\n') + run.folder;
        case Qt::TextAlignmentRole:
            if (index.column() == Steps || index.column() == BestLoss || index.column() == Duration)
                return QVariant::fromValue(Qt::AlignRight | Qt::AlignVCenter);
            return {};
        case FolderRole: return run.folder;
        case StateRole: return static_cast<int>(run.state);
        case SortRole: return sortKey(run, index.column());
        case SearchRole:
            return QStringList{run.id, run.title, text(run, Model), text(run, Method), text(run, State)}.join(
                QLatin1Char(' '));
        case SparklineRole: return QVariant::fromValue(run.validationLosses);
        default: return {};
    }
}

QVariant RunsModel::headerData(int section, Qt::Orientation orientation, int role) const {
    if (orientation != Qt::Horizontal || section < 0 || section >= ColumnCount) return {};
    if (role == Qt::TextAlignmentRole) {
        const bool isNumber = section == Steps || section == BestLoss || section == Duration;
        return QVariant::fromValue((isNumber ? Qt::AlignRight : Qt::AlignLeft) | Qt::AlignVCenter);
    }
    if (role != Qt::DisplayRole) return {};
    const QStringList names{tr("State"),           tr("Run"),     tr("Model"),
                            tr("Method"),          tr("Steps"),   tr("Best validation"),
                            tr("Validation loss"), tr("Started"), tr("Took")};
    return names[section];
}

RunsFilterModel::RunsFilterModel(RunsModel& runs, QObject* parent) : QSortFilterProxyModel(parent) {
    setSourceModel(&runs);
    setSortRole(RunsModel::SortRole);
    setSortLocaleAware(true);
}

void RunsFilterModel::setWords(const QString& text) {
    m_words = text.split(QLatin1Char(' '), Qt::SkipEmptyParts);
    invalidateFilter();
}

int RunsFilterModel::rowOf(const QString& folder) const {
    for (int row = 0; row < rowCount(); ++row)
        if (index(row, 0).data(RunsModel::FolderRole).toString() == folder) return row;
    return -1;
}

bool RunsFilterModel::filterAcceptsRow(int row, const QModelIndex& parent) const {
    const QString text = sourceModel()->index(row, 0, parent).data(RunsModel::SearchRole).toString();
    return std::all_of(m_words.begin(), m_words.end(),
                       [&](const QString& word) { return text.contains(word, Qt::CaseInsensitive); });
}

}  // namespace wb::app
