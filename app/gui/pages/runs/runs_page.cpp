// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/gui/pages/runs/runs_page.h"

#include <QDesktopServices>
#include <QHeaderView>
#include <QLineEdit>
#include <QSplitter>
#include <QTableView>
#include <QTableWidget>
#include <QUrl>

#include "app/gui/widgets/plot_view.h"
#include "app/gui/widgets/sparkline_delegate.h"
#include "app/gui/widgets/state_stack.h"
#include "app/gui/widgets/tables.h"
#include "app/models/units.h"

namespace wb::app {

namespace {

// The first eight runs get a colour each; more in one chart could not be told apart.
constexpr int kMaxCurves = 8;

// Of a path the end tells most.
QString shortPath(const QString& value) {
    return value.startsWith(QLatin1Char('/')) ? value.section(QLatin1Char('/'), -1) : value;
}

}  // namespace

RunsPage::RunsPage(Workbench& workbench, QWidget* parent)
    : Page(workbench, tr("Runs"), parent), m_shown(workbench.runs()) {
    m_search = new QLineEdit;
    m_search->setPlaceholderText(tr("Search by name, model, method or state"));
    m_search->setClearButtonEnabled(true);
    m_search->setAccessibleName(tr("Search runs"));
    m_search->setFixedWidth(320);
    header().addStretch(1);
    header().addWidget(m_search);
    m_states = new StateStack(makeContent());
    m_states->setEmpty(QStringLiteral("runs"), tr("No run yet"),
                       tr("Every training is kept in a folder of its own, with its recipe, its events and its "
                          "checkpoints. They are listed here, also those "
                          "started from the command line."),
                       tr("Open the sample"), [this] { bench().openSample(); });
    body().addWidget(m_states, 1);

    RunsModel& runs = workbench.runs();
    connect(m_search, &QLineEdit::textChanged, &m_shown, &RunsFilterModel::setWords);
    connect(&runs, &RunsModel::refreshed, this, &RunsPage::refresh);
    connect(&runs, &RunsModel::failed, this, [this](const QString& message) {
        m_states->showError({message, tr("Check that the library folder can be read."), bench().library()},
                            tr("Read again"), [this] { bench().runs().refresh(); });
    });
    connect(&m_shown, &QAbstractItemModel::modelAboutToBeReset, this, [this] {
        if (!m_isRestoring) m_kept = selectedFolders();
    });
    connect(&m_shown, &QAbstractItemModel::modelReset, this, &RunsPage::keepSelection);
    connect(&m_curves, &RunCurves::loaded, this, &RunsPage::showCurves);
    refresh();
    selectionChanged();
}

QWidget* RunsPage::makeContent() {
    auto* splitter = new QSplitter(Qt::Vertical);
    splitter->setObjectName(QStringLiteral("runsSplitter"));
    splitter->setChildrenCollapsible(false);
    splitter->setHandleWidth(metrics::kGap);
    splitter->setStyleSheet(QStringLiteral("QSplitter::handle { background: transparent; }"));
    auto* top = new QWidget;
    auto* layout = makeLayout<QVBoxLayout>(top, 0, metrics::kGrid);
    m_table = makeTable(QT_TRANSLATE_NOOP("Tables", "Runs"));
    m_table->setModel(&m_shown);
    m_table->setItemDelegateForColumn(RunsModel::Curve, new SparklineDelegate(m_table));
    m_table->setItemDelegateForColumn(RunsModel::State, new RunStateDelegate(m_table));
    m_table->horizontalHeader()->setSectionResizeMode(RunsModel::Title, QHeaderView::Stretch);
    const QVector<QPair<int, int>> widths{
        {RunsModel::State, 190},    {RunsModel::Model, 96},  {RunsModel::Method, 84},   {RunsModel::Steps, 96},
        {RunsModel::BestLoss, 132}, {RunsModel::Curve, 130}, {RunsModel::Started, 150}, {RunsModel::Duration, 104}};
    for (const auto& [column, width] : widths) m_table->setColumnWidth(column, width);
    m_table->setSortingEnabled(true);
    m_table->sortByColumn(RunsModel::Started, Qt::DescendingOrder);
    layout->addWidget(m_table, 1);
    layout->addWidget(makeButtons());
    splitter->addWidget(top);
    splitter->addWidget(makeDetails());
    splitter->setStretchFactor(0, 1);
    splitter->setStretchFactor(1, 1);
    splitter->setSizes({360, 420});
    connect(m_table->selectionModel(), &QItemSelectionModel::selectionChanged, this, &RunsPage::selectionChanged);
    connect(m_table, &QTableView::activated, this,
            [this](const QModelIndex& index) { bench().openRun(index.data(RunsModel::FolderRole).toString()); });
    return splitter;
}

QWidget* RunsPage::makeButtons() {
    auto* row = new QWidget;
    auto* layout = makeLayout<QHBoxLayout>(row, 0, metrics::kGrid);
    m_open = makeButton(tr("Open"), QStringLiteral("train"), QStringLiteral("primary"));
    m_compare = makeButton(tr("Compare with base"), QStringLiteral("compare"));
    m_resume = makeButton(tr("Resume"), QStringLiteral("resume"));
    m_fork = makeButton(tr("Use its recipe"), QStringLiteral("branch"));
    m_reveal = makeButton(tr("Show folder"), QStringLiteral("folder"));
    m_open->setObjectName(QStringLiteral("openRun"));
    m_resume->setObjectName(QStringLiteral("resumeSelected"));
    for (QPushButton* button : {m_open, m_compare, m_resume, m_fork, m_reveal}) layout->addWidget(button);
    layout->addStretch(1);
    const auto onFirst = [this](QPushButton* button, auto call) {
        connect(button, &QPushButton::clicked, this, [this, call] {
            const QStringList folders = selectedFolders();
            if (!folders.isEmpty()) call(folders.first());
        });
    };
    onFirst(m_open, [this](const QString& folder) { bench().openRun(folder); });
    onFirst(m_compare, [this](const QString& folder) { bench().compareRun(folder); });
    onFirst(m_resume, [this](const QString& folder) { bench().resumeRun(folder); });
    onFirst(m_fork, [this](const QString& folder) { bench().forkRun(folder); });
    onFirst(m_reveal, [](const QString& folder) { QDesktopServices::openUrl(QUrl::fromLocalFile(folder)); });
    return row;
}

QWidget* RunsPage::makeDetails() {
    auto* splitter = new QSplitter(Qt::Horizontal);
    splitter->setObjectName(QStringLiteral("runsDetails"));
    splitter->setChildrenCollapsible(false);
    splitter->setHandleWidth(metrics::kGap);
    splitter->setStyleSheet(QStringLiteral("QSplitter::handle { background: transparent; }"));
    auto* plotCard = makeCard();
    m_plot = new PlotView(tr("Validation loss"));
    m_plot->setAxisTitles(tr("step"), {});
    m_plot->setEmptyText(tr("Select one or several runs."));
    makeLayout<QVBoxLayout>(plotCard, 1, 0)->addWidget(m_plot);
    auto* settings = new QWidget;
    auto* layout = makeLayout<QVBoxLayout>(settings, 0, metrics::kGrid);
    m_settingsTitle = makeLabel(tr("Changed settings"), QStringLiteral("strong"));
    m_settings = new QTableWidget;
    m_settings->setAccessibleName(tr("Settings in which the selected runs differ"));
    m_settings->verticalHeader()->hide();
    m_settings->setShowGrid(false);
    m_settings->setEditTriggers(QAbstractItemView::NoEditTriggers);
    m_settings->setSelectionMode(QAbstractItemView::NoSelection);
    layout->addWidget(m_settingsTitle);
    layout->addWidget(m_settings, 1);
    splitter->addWidget(plotCard);
    splitter->addWidget(settings);
    splitter->setStretchFactor(0, 3);
    splitter->setStretchFactor(1, 2);
    return splitter;
}

void RunsPage::activated() {
    bench().runs().refresh();
}

QStringList RunsPage::selectedFolders() const {
    QStringList out;
    if (m_table && m_table->selectionModel())
        for (const QModelIndex& index : m_table->selectionModel()->selectedRows())
            out << index.data(RunsModel::FolderRole).toString();
    return out;
}

void RunsPage::keepSelection() {
    m_isRestoring = true;
    QItemSelection selection;
    for (const QString& folder : m_kept) {
        const int row = m_shown.rowOf(folder);
        if (row >= 0) selection.select(m_shown.index(row, 0), m_shown.index(row, RunsModel::ColumnCount - 1));
    }
    m_table->selectionModel()->select(selection, QItemSelectionModel::ClearAndSelect);
    m_isRestoring = false;
    if (selection.isEmpty()) selectionChanged();
}

void RunsPage::refresh() {
    RunsModel& runs = bench().runs();
    if (!runs.hasLoaded()) return m_states->showLoading(tr("Reading the runs of %1").arg(runs.library()));
    if (runs.total() == 0) return m_states->showEmpty();
    m_states->showContent();
    if (selectedFolders().isEmpty() && m_shown.rowCount() > 0 && m_search->text().isEmpty()) m_table->selectRow(0);
}

void RunsPage::selectionChanged() {
    const QStringList folders = selectedFolders();
    const QString none = folders.isEmpty() ? tr("Select a run first.") : QString();
    setEnabledOrWhy(m_open, none, tr("Curves, samples and kernels of the run"));
    setEnabledOrWhy(m_fork, none, tr("Puts the recipe of the run into the form"));
    setEnabledOrWhy(m_reveal, none, tr("The folder of the run"));
    const int row = folders.isEmpty() ? -1 : bench().runs().rowOf(folders.first());
    const bool canResume = row >= 0 && bench().runs().at(row).canResume();
    const bool hasResult = row >= 0 && bench().runs().at(row).bestLoss.has_value();
    setEnabledOrWhy(m_resume,
                    !none.isEmpty() ? none
                    : canResume     ? QString()
                                    : tr("Only a stopped or interrupted run can be resumed."),
                    tr("Goes on from the last checkpoint, bit for bit"));
    setEnabledOrWhy(m_compare,
                    !none.isEmpty() ? none
                    : hasResult     ? QString()
                                    : tr("The run has not been evaluated yet."),
                    tr("Base and tuned side by side"));
    m_curves.load(folders.mid(0, kMaxCurves));
}

void RunsPage::showCurves() {
    const QVector<RunCurve>& runs = m_curves.curves();
    QVector<PlotSeries> series;
    for (int i = 0; i < runs.size(); ++i) {
        // A run is a tuned model: the list of colours starts after the base.
        const bool isAlone = runs.size() == 1;
        if (isAlone) series.append({.name = tr("training"), .points = smoothed(runs[i].training, 0.8)});
        const QString id = runs[i].folder.section(QLatin1Char('/'), -1);
        series.append({.name = isAlone ? tr("validation") : id,
                       .variant = i + 1,
                       .points = runs[i].validation,
                       .hasMarks = true,
                       .marksLowest = isAlone});
    }
    m_plot->setSeries(series);

    const QVector<ChangedSetting> changed = changedSettings(runs);
    m_settingsTitle->setText(runs.isEmpty()      ? tr("Settings")
                             : runs.size() == 1  ? tr("Settings that differ from the defaults")
                             : changed.isEmpty() ? tr("Changed settings: none, the recipes are equal")
                                                 : tr("Changed settings"));
    m_settings->clear();
    m_settings->setRowCount(static_cast<int>(changed.size()));
    m_settings->setColumnCount(runs.isEmpty() ? 0 : static_cast<int>(runs.size()) + 1);
    QStringList headings{tr("Setting")};
    for (const RunCurve& run : runs)
        headings << (runs.size() == 1 ? tr("Value") : run.folder.section(QLatin1Char('/'), -1));
    m_settings->setHorizontalHeaderLabels(headings);
    for (int row = 0; row < changed.size(); ++row) {
        m_settings->setItem(row, 0, new QTableWidgetItem(changed[row].label));
        for (int i = 0; i < changed[row].values.size(); ++i) {
            auto* item = new QTableWidgetItem(shortPath(changed[row].values[i]));
            item->setToolTip(changed[row].values[i]);
            m_settings->setItem(row, i + 1, item);
        }
    }
    m_settings->horizontalHeader()->setDefaultAlignment(Qt::AlignLeft | Qt::AlignVCenter);
    m_settings->horizontalHeader()->setSectionResizeMode(QHeaderView::Stretch);
}

}  // namespace wb::app
