// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/gui/pages/train/run_view.h"

#include <QSplitter>

#include "app/gui/pages/train/film_strip.h"
#include "app/gui/theme/theme.h"
#include "app/gui/widgets/kernel_lane.h"
#include "app/gui/widgets/plot_view.h"
#include "app/gui/widgets/state_stack.h"
#include "app/gui/widgets/ui.h"
#include "app/models/units.h"
#include "app/models/workbench.h"

namespace wb::app {

namespace {

constexpr double kSmoothing = 0.8;

// A number with its caption below: step, best, rate, time left.
QWidget* makeFigure(QLabel*& value, const QString& text, QLabel** caption = nullptr) {
    auto* holder = new QWidget;
    auto* layout = makeLayout<QVBoxLayout>(holder, 0, 0);
    value = makeLabel(QStringLiteral("–"), QStringLiteral("figure"));
    layout->addWidget(value);
    auto* label = makeLabel(text, QStringLiteral("muted"));
    layout->addWidget(label);
    if (caption) *caption = label;
    return holder;
}

QWidget* inCard(QWidget* content, int margin = 0) {
    auto* card = makeCard();
    makeLayout<QVBoxLayout>(card, std::max(margin, 1), 0)->addWidget(content);
    return card;
}

}  // namespace

RunView::RunView(Workbench& workbench, QWidget* parent) : QWidget(parent), m_workbench(workbench) {
    auto* content = new QWidget;
    auto* layout = makeLayout<QVBoxLayout>(content, 0, metrics::kGrid);
    layout->addWidget(makeHeader());
    m_message = new MessageBar;
    layout->addWidget(m_message);
    layout->addWidget(makePlots(), 1);
    m_states = new StateStack(content);
    m_states->setEmpty(QStringLiteral("train"), tr("No run is open"),
                       tr("Choose a model and data at the left and start training: loss, speed and sample outputs "
                          "appear here while it learns. "
                          "Earlier runs are under Runs."),
                       tr("Open the sample"), [this] { m_workbench.openSample(); });
    makeLayout<QVBoxLayout>(this, 0, 0)->addWidget(m_states);

    RunModel& run = workbench.run();
    connect(&run, &RunModel::opened, this, [this] {
        m_messagesShown = 0;
        m_message->hide();
        m_loss->resetZoom();
    });
    connect(&run, &RunModel::updated, this, &RunView::refresh);
    connect(&run, &RunModel::failed, this, [this](const Problem& problem) {
        if (m_workbench.run().isOpen()) return m_message->showProblem(problem);
        m_states->showError(problem, tr("Show all runs"), [this] { emit m_workbench.pageRequested(PageId::Runs); });
    });
    connect(&workbench.machine(), &MachineModel::changed, this, &RunView::refresh);
    refresh();
}

QWidget* RunView::makeHeader() {
    auto* header = new QWidget;
    auto* layout = makeLayout<QVBoxLayout>(header, 0, metrics::kGrid);
    auto* first = new QHBoxLayout;
    first->setSpacing(metrics::kGrid);
    m_title = new ElidedLabel;
    setRole(m_title, QStringLiteral("section"));
    m_state = makeLabel({}, QStringLiteral("muted"));
    m_pause = makeButton(tr("Pause"), QStringLiteral("pause"));
    m_stop = makeButton(tr("Stop and keep"), QStringLiteral("stop"));
    m_resume = makeButton(tr("Resume"), QStringLiteral("resume"));
    m_compare = makeButton(tr("Compare"), QStringLiteral("compare"), QStringLiteral("primary"));
    m_close = makeButton(tr("Close run"));
    m_pause->setObjectName(QStringLiteral("pauseRun"));
    m_stop->setObjectName(QStringLiteral("stopRun"));
    m_resume->setObjectName(QStringLiteral("resumeRun"));
    m_compare->setObjectName(QStringLiteral("compareRun"));
    first->addWidget(m_title, 1);
    first->addWidget(m_state);
    first->addSpacing(metrics::kGrid);
    for (QPushButton* button : {m_pause, m_stop, m_resume, m_close, m_compare}) first->addWidget(button);
    for (QPushButton* button : {m_pause, m_stop, m_resume}) button->hide();  // until the run's state is known
    layout->addLayout(first);
    auto* figures = new QHBoxLayout;
    figures->setSpacing(metrics::kMargin * 2);
    figures->addWidget(makeFigure(m_progress, tr("step")));
    figures->addWidget(makeFigure(m_best, tr("best validation loss")));
    figures->addWidget(makeFigure(m_rate, tr("speed")));
    figures->addWidget(makeFigure(m_left, tr("time left"), &m_leftCaption));
    figures->addStretch(1);
    layout->addLayout(figures);

    connect(m_pause, &QPushButton::clicked, this, [this] { m_workbench.run().pause(); });
    connect(m_stop, &QPushButton::clicked, this, [this] { m_workbench.run().stopAndKeep(); });
    connect(m_resume, &QPushButton::clicked, this, [this] {
        RunModel& run = m_workbench.run();
        if (run.state() == core::RunState::Paused) return run.unpause();
        m_workbench.resumeRun(run.folder());
    });
    connect(m_compare, &QPushButton::clicked, this, [this] { m_workbench.compareRun(m_workbench.run().folder()); });
    connect(m_close, &QPushButton::clicked, this, [this] { m_workbench.run().close(); });
    return header;
}

QWidget* RunView::makePlots() {
    m_loss = new PlotView(tr("Loss"));
    m_loss->setAxisTitles(tr("step"), {});
    m_loss->setEmptyText(tr("The first step is on its way."));
    m_rates = new PlotView(tr("Optimiser"));
    m_rates->setAxisTitles(tr("step"), tr("learning rate"), tr("gradient norm"));
    m_rates->setEmptyText(tr("No step yet."));
    m_speed = new PlotView(tr("Speed"));
    m_speed->setAxisTitles(tr("step"), tr("tok/s"));
    m_speed->setEmptyText(tr("No step yet."));
    m_film = new FilmStrip;
    m_lane = new KernelLane;
    m_lane->setEmptyText(tr("Where the time goes, per kernel, after the first report."));

    auto* plots = new QSplitter(Qt::Vertical);
    plots->setObjectName(QStringLiteral("trainPlots"));
    plots->setChildrenCollapsible(false);
    plots->setHandleWidth(metrics::kGrid);
    plots->setStyleSheet(QStringLiteral("QSplitter::handle { background: transparent; }"));
    const auto row = [](QWidget* left, QWidget* right) {
        auto* holder = new QWidget;
        auto* layout = makeLayout<QHBoxLayout>(holder, 0, metrics::kGrid);
        layout->addWidget(left, 1);
        layout->addWidget(right, 1);
        return holder;
    };
    auto* lane = new QWidget;
    auto* laneLayout = makeLayout<QVBoxLayout>(lane, 0, 4);
    auto* laneTitle = makeLabel(tr("Kernels"), QStringLiteral("strong"));
    laneLayout->addWidget(laneTitle);
    laneLayout->addWidget(m_lane, 1);
    plots->addWidget(inCard(m_loss));
    plots->addWidget(row(inCard(m_rates), inCard(m_speed)));
    plots->addWidget(row(inCard(m_film, metrics::kGrid), inCard(lane, metrics::kGrid)));
    plots->setStretchFactor(0, 5);
    plots->setStretchFactor(1, 4);
    plots->setStretchFactor(2, 3);
    return plots;
}

void RunView::refresh() {
    RunModel& run = m_workbench.run();
    if (!run.isOpen())
        return run.folder().isEmpty() ? m_states->showEmpty() : m_states->showLoading(tr("Opening the run"));
    if (!run.isCaughtUp())
        return m_states->showLoading(tr("Reading the run: %1 steps so far").arg(formatCount(run.steps())));
    m_states->showContent();
    refreshHeader();
    refreshPlots();
    refreshMessages();
}

void RunView::refreshHeader() {
    RunModel& run = m_workbench.run();
    m_title->setFullText(run.title());
    m_state->setText(run.phase());
    const bool isFailed = run.state() == core::RunState::Failed;
    setRole(m_state, isFailed ? QStringLiteral("error") : QStringLiteral("muted"));
    m_progress->setText(run.totalSteps() > 0
                            ? tr("%1 of %2").arg(formatCount(run.steps()), formatCount(run.totalSteps()))
                            : formatCount(run.steps()));
    const auto best = run.validationLoss().lowest();
    m_best->setText(best ? formatMetric(best->y()) : QStringLiteral("–"));
    const bool isRunning = run.state() == core::RunState::Running;
    const auto& finished = run.finished();
    const double rate = finished && finished->tokensPerSecond > 0 ? finished->tokensPerSecond
                        : run.lastStep()                          ? run.lastStep()->tokensPerSecond
                                                                  : 0;
    m_rate->setText(formatTokenRate(rate));
    const auto left = run.secondsLeft();
    const bool isOver = finished && !run.isLive();
    m_leftCaption->setText(isOver ? tr("took") : tr("time left"));
    m_left->setText(isOver ? formatDuration(finished->seconds) : left ? formatDuration(*left) : QStringLiteral("–"));
    const bool canResume = run.state() == core::RunState::Stopped || run.state() == core::RunState::Interrupted;
    m_pause->setVisible(run.isLive());
    m_stop->setVisible(run.isLive());
    setEnabledOrWhy(m_pause, isRunning ? QString() : tr("The run is paused already."),
                    tr("Waits after the present step; memory stays in use"));
    m_stop->setToolTip(tr("Finishes the step, saves a checkpoint and ends; the run can be resumed"));
    m_resume->setVisible(canResume || run.state() == core::RunState::Paused);
    m_close->setVisible(!run.isLive());
    setEnabledOrWhy(m_compare,
                    best || run.finished() ? QString() : tr("There is nothing to compare before the first evaluation."),
                    tr("Base and tuned side by side"));
}

void RunView::refreshPlots() {
    RunModel& run = m_workbench.run();
    QVector<PlotSeries> losses;
    const auto& raw = run.trainLoss().points();
    losses.append({.name = tr("training, raw"), .points = raw, .isFaint = true});
    losses.append({.name = tr("training"), .points = smoothed(raw, kSmoothing)});
    const auto& validation = run.validationLoss().points();
    // The evaluation before the first step is the base model's own loss: the level to beat.
    if (!validation.isEmpty() && validation.first().x() == 0 && !raw.isEmpty())
        losses.append({.name = tr("base"),
                       .variant = 0,
                       .points = {validation.first(), {raw.last().x(), validation.first().y()}},
                       .isDashed = true});
    losses.append(
        {.name = tr("validation"), .variant = 1, .points = validation, .hasMarks = true, .marksLowest = true});
    m_loss->setSeries(losses);
    m_rates->setSeries(
        {{.name = tr("rate"), .points = run.learningRate().points()},
         {.name = tr("grad norm"), .variant = 2, .points = run.gradNorm().points(), .isOnRightAxis = true}});
    m_speed->setSeries({{.name = tr("tok/s"), .points = run.tokensPerSecond().points()}});
    m_film->setReels(run.samples());
    m_lane->setRows(run.kernels().rows, m_workbench.machine().peak());
}

void RunView::refreshMessages() {
    const QVector<RunMessage>& messages = m_workbench.run().messages();
    if (messages.size() == m_messagesShown) return;
    m_messagesShown = messages.size();
    const RunMessage& last = messages.last();
    const bool canResume = !m_workbench.run().isLive() && last.isError;
    m_message->showProblem({last.text, last.hint, m_workbench.run().folder()}, canResume ? tr("Resume") : QString(),
                           [this] { m_workbench.resumeRun(m_workbench.run().folder()); });
}

}  // namespace wb::app
