// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/gui/frame/job_strip.h"

#include <QProgressBar>
#include <QSet>
#include <QTimer>

#include "app/gui/theme/theme.h"
#include "app/gui/widgets/ui.h"
#include "app/models/units.h"
#include "app/models/workbench.h"
#include "kernels/base/error.h"

namespace wb::app {

namespace {

constexpr int kRefreshMs = 250;
const QString kCompareKey = QStringLiteral("compare");
const QString kDataKey = QStringLiteral("data");
const QString kEvaluateKey = QStringLiteral("evaluate");
const QString kExportKey = QStringLiteral("export");
const QString kPeakKey = QStringLiteral("peak");
const QString kLabKey = QStringLiteral("lab");
const QString kLaunchKey = QStringLiteral("launch");

}  // namespace

struct JobStrip::Row {
    QWidget* widget = nullptr;
    QPushButton* title = nullptr;
    ElidedLabel* phase = nullptr;
    QProgressBar* bar = nullptr;
    QLabel* rate = nullptr;
    QLabel* left = nullptr;
    QPushButton* stop = nullptr;
};

JobStrip::JobStrip(Workbench& workbench, QWidget* parent) : QFrame(parent), m_workbench(workbench) {
    setProperty("role", QStringLiteral("strip"));
    setAccessibleName(tr("Running jobs"));
    m_layout = makeLayout<QVBoxLayout>(this, 0, 0);
    m_layout->setContentsMargins(metrics::kGap, 4, metrics::kGap, 4);
    m_idle = makeLabel(tr("Nothing is running."), QStringLiteral("muted"));
    m_idle->setFixedHeight(28);
    m_layout->addWidget(m_idle);
    // Jobs announce their start; while one runs the strip looks by itself, and without jobs nothing ticks.
    m_timer = new QTimer(this);
    m_timer->setInterval(kRefreshMs);
    connect(m_timer, &QTimer::timeout, this, &JobStrip::refresh);
    connect(&workbench.runs(), &RunsModel::refreshed, this, &JobStrip::refresh);
    connect(&workbench.launcher(), &RunLauncher::launched, this, &JobStrip::refresh);
    connect(&workbench.compare(), &CompareModel::updated, this, &JobStrip::refresh);
    connect(&workbench.data(), &DataModel::loadingStarted, this, &JobStrip::refresh);
    connect(&workbench.evaluate(), &EvaluateModel::progressed, this, &JobStrip::refresh);
    connect(&workbench.exporter(), &ExportModel::started, this, &JobStrip::refresh);
    connect(&workbench.machine(), &MachineModel::changed, this, &JobStrip::refresh);
    connect(&workbench.lab(), &KernelLabModel::updated, this, &JobStrip::refresh);
    refresh();
}

QList<JobLine> JobStrip::collect() const {
    QList<JobLine> out;
    if (m_workbench.launcher().isBusy()) out.append({kLaunchKey, tr("Training"), tr("Starting"), -1, {}, {}, false});
    for (const RunSummary& run : m_workbench.runs().live()) {
        JobLine job{.key = run.folder, .title = run.title, .isExternal = true};
        const bool isPaused = run.state == core::RunState::Paused;
        job.phase = isPaused         ? tr("Paused")
                    : run.steps == 0 ? tr("Preparing")
                                     : tr("Step %1 of %2").arg(run.steps).arg(run.totalSteps);
        if (run.totalSteps > 0) job.fraction = static_cast<double>(run.steps) / static_cast<double>(run.totalSteps);
        if (!isPaused && run.steps > 0) job.rate = formatTokenRate(run.tokensPerSecond);
        if (run.secondsLeft) job.left = tr("%1 left").arg(formatDuration(*run.secondsLeft));
        out.append(job);
    }
    if (m_workbench.compare().isRunning()) out.append({kCompareKey, tr("Compare"), m_workbench.compare().phase()});
    if (m_workbench.data().isLoading())
        out.append({kDataKey, tr("Reading data"), m_workbench.data().settings().file, -1, {}, {}, false});
    if (m_workbench.evaluate().isRunning()) out.append({kEvaluateKey, tr("Evaluate"), m_workbench.evaluate().phase()});
    if (m_workbench.exporter().isRunning()) out.append({kExportKey, tr("Export"), m_workbench.exporter().folder()});
    if (m_workbench.machine().isMeasuring())
        out.append({kPeakKey, tr("Measuring this machine"), tr("Ceilings for the roofline"), -1, {}, {}, false});
    if (const KernelLabModel& lab = m_workbench.lab(); lab.isRunning()) {
        const double fraction =
            lab.total() > 0 && lab.done() > 0 ? static_cast<double>(lab.done()) / static_cast<double>(lab.total()) : -1;
        const bool isAttention = lab.job() == KernelLabModel::Job::Attention;
        out.append({kLabKey, isAttention ? tr("Measuring attention") : tr("Measuring matrix products"), lab.phase(),
                    fraction});
    }
    return out;
}

void JobStrip::refresh() {
    const QList<JobLine> jobs = collect();
    QSet<QString> alive;
    for (const JobLine& job : jobs) {
        alive.insert(job.key);
        if (!m_rows.contains(job.key)) m_rows[job.key] = makeRow(job);
        fill(*m_rows[job.key], job);
    }
    for (const QString& key : m_rows.keys()) {
        if (alive.contains(key)) continue;
        Row* row = m_rows.take(key);
        row->widget->deleteLater();
        delete row;
    }
    m_idle->setVisible(m_rows.isEmpty());
    if (m_rows.isEmpty())
        m_timer->stop();
    else if (!m_timer->isActive())
        m_timer->start();
}

JobStrip::Row* JobStrip::makeRow(const JobLine& job) {
    auto* row = new Row;
    row->widget = new QWidget;
    row->widget->setFixedHeight(32);
    auto* layout = makeLayout<QHBoxLayout>(row->widget, 0, metrics::kGap);
    row->title = makeButton(job.title, {}, QStringLiteral("link"));
    row->phase = new ElidedLabel;
    row->phase->setFixedWidth(220);
    setRole(row->phase, QStringLiteral("muted"));
    row->bar = new QProgressBar;
    row->bar->setTextVisible(false);
    row->bar->setAccessibleName(tr("Progress of %1").arg(job.title));
    row->rate = makeLabel({}, QStringLiteral("muted"));
    row->left = makeLabel({}, QStringLiteral("muted"));
    row->rate->setMinimumWidth(96);
    row->left->setMinimumWidth(120);
    row->stop = makeButton(job.isExternal ? tr("Stop and keep") : tr("Stop"), QStringLiteral("stop"));
    layout->addWidget(row->title);
    layout->addWidget(row->phase);
    layout->addWidget(row->bar, 1);
    layout->addWidget(row->rate);
    layout->addWidget(row->left);
    layout->addWidget(row->stop);
    m_layout->addWidget(row->widget);
    connect(row->title, &QPushButton::clicked, this, [this, key = job.key] { emit jobOpened(key); });
    connect(row->stop, &QPushButton::clicked, this, [this, key = job.key] { stop(key); });
    return row;
}

void JobStrip::fill(Row& row, const JobLine& job) {
    row.title->setText(firstWords(job.title, 40));
    row.phase->setFullText(job.phase);
    if (job.fraction < 0) {
        row.bar->setRange(0, 0);
    } else {
        row.bar->setRange(0, 1000);
        row.bar->setValue(static_cast<int>(job.fraction * 1000));
    }
    row.rate->setText(job.rate);
    row.left->setText(job.left);
    row.stop->setVisible(job.canStop);
}

void JobStrip::stop(const QString& key) {
    if (key == kCompareKey) return m_workbench.compare().cancel();
    if (key == kEvaluateKey) return m_workbench.evaluate().cancel();
    if (key == kLabKey) return m_workbench.lab().stop();
    if (key == kExportKey) return m_workbench.exporter().cancel();
    try {
        core::RunFolder::open(key.toStdString()).requestStop();
    } catch (const Error& error) {
        m_workbench.log().add(tr("workbench"), QString::fromUtf8(error.what()));
    }
}

}  // namespace wb::app
