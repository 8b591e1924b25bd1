// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/gui/pages/kernels/lab_view.h"

#include <QComboBox>
#include <QProgressBar>

#include "app/gui/pages/kernels/lab_charts.h"
#include "app/gui/pages/kernels/lab_side.h"
#include "app/gui/theme/theme.h"
#include "app/gui/widgets/segment_switch.h"
#include "app/gui/widgets/state_stack.h"
#include "app/gui/widgets/ui.h"
#include "app/models/units.h"
#include "app/models/workbench.h"

namespace wb::app {

namespace {

constexpr int kSideWidth = 380;  // seven columns of the table
constexpr int kProgressWidth = 120;
constexpr double kAllowedForeignCpu = 0.03;  // as `whet bench` judges

QString numbers(const QVector<qint64>& values) {
    return LabView::tr("%1 to %2").arg(formatCount(values.first()), formatCount(values.last()));
}

}  // namespace

LabView::LabView(Workbench& workbench, QWidget* parent) : QWidget(parent), m_workbench(workbench) {
    makeTools();
    auto* layout = makeLayout<QVBoxLayout>(this, 0, metrics::kGrid + 4);
    m_message = new MessageBar;
    layout->addWidget(m_message);
    m_charts = new LabCharts;
    layout->addWidget(makeChoices());
    m_states = new StateStack(m_charts);
    m_states->setEmpty(QStringLiteral("kernels"), tr("Attention has not been measured here"),
                       tr("Each backend runs over sequence lengths and head dimensions on this machine: its time and "
                          "peak memory appear here as curves. Other work on the machine makes the figures worse."),
                       tr("Measure attention"), [this] { measure(); });
    m_side = new LabSide(workbench);
    m_side->setFixedWidth(kSideWidth);
    auto* row = new QHBoxLayout;
    row->setSpacing(metrics::kGap);
    row->addWidget(m_states, 1);
    row->addWidget(m_side);
    layout->addLayout(row, 1);

    connect(&workbench.lab(), &KernelLabModel::updated, this, &LabView::refresh);
    connect(&workbench.lab(), &KernelLabModel::failed, this, &LabView::showFailure);
    connect(&workbench.machine(), &MachineModel::changed, this, &LabView::refresh);
    connect(&workbench.machine(), &MachineModel::peakFailed, this, [this](const Problem& problem) {
        m_message->showProblem(problem, tr("Measure again"), [this] { m_workbench.machine().measurePeak(); });
        refresh();
    });
    refresh();
}

void LabView::makeTools() {
    m_tools = new QWidget(this);
    auto* layout = makeLayout<QHBoxLayout>(m_tools, 0, metrics::kGrid);
    m_caption = new ElidedLabel;
    setRole(m_caption, QStringLiteral("muted"));
    m_sweep = new QComboBox;
    m_sweep->setAccessibleName(tr("What a sweep covers"));
    m_sweep->setObjectName(QStringLiteral("labSweep"));
    m_sweep->addItem(tr("Quick sweep"));
    m_sweep->addItem(tr("Full sweep"));
    m_measure = makeButton(tr("Measure attention"), QStringLiteral("play"), QStringLiteral("primary"));
    m_measure->setObjectName(QStringLiteral("labMeasure"));
    m_stop = makeButton(tr("Cancel"), QStringLiteral("stop"));
    m_stop->setObjectName(QStringLiteral("labCancel"));
    layout->addWidget(m_caption, 1);
    layout->addWidget(m_sweep);
    layout->addWidget(m_stop);
    layout->addWidget(m_measure);
    connect(m_measure, &QPushButton::clicked, this, &LabView::measure);
    connect(m_stop, &QPushButton::clicked, this, [this] { m_workbench.lab().stop(); });
    connect(m_sweep, &QComboBox::currentIndexChanged, this, &LabView::refresh);
}

QWidget* LabView::makeChoices() {
    auto* holder = new QWidget;
    auto* layout = makeLayout<QHBoxLayout>(holder, 0, metrics::kGap);
    m_dtype = new SegmentSwitch(tr("Number format"), {{tr("F32"), tr("Single precision, 4 bytes a number")},
                                                      {tr("BF16"), tr("Half the bytes; sums stay in F32")}});
    m_dtype->setObjectName(QStringLiteral("labDtype"));
    m_pass = new SegmentSwitch(tr("Pass"), {{tr("Forward"), tr("As in generation")},
                                            {tr("Forward + backward"), tr("As in training: both passes together")}});
    m_pass->setObjectName(QStringLiteral("labPass"));
    layout->addWidget(m_dtype);
    layout->addWidget(m_pass);
    layout->addWidget(makeProgress(), 1);
    m_disturbed = new ElidedLabel;
    setRole(m_disturbed, QStringLiteral("warn"));
    layout->addWidget(m_disturbed, 1);
    layout->addWidget(m_charts->legend());
    connect(m_dtype, &SegmentSwitch::chosen, this, &LabView::refresh);
    connect(m_pass, &SegmentSwitch::chosen, this, &LabView::refresh);
    return holder;
}

QWidget* LabView::makeProgress() {
    m_progress = new QWidget;
    auto* layout = makeLayout<QHBoxLayout>(m_progress, 0, metrics::kGrid);
    m_bar = new QProgressBar;
    m_bar->setTextVisible(false);
    m_bar->setFixedWidth(kProgressWidth);
    m_bar->setAccessibleName(tr("Progress of the measurement"));
    m_bar->setObjectName(QStringLiteral("labProgress"));
    m_progressText = new ElidedLabel;
    setRole(m_progressText, QStringLiteral("muted"));
    m_progressText->setObjectName(QStringLiteral("labProgressText"));
    layout->addWidget(m_bar);
    layout->addWidget(m_progressText, 1);
    return m_progress;
}

QString LabView::dtype() const {
    return m_dtype->current() == 0 ? QStringLiteral("f32") : QStringLiteral("bf16");
}

LabPass LabView::pass() const {
    return m_pass->current() == 0 ? LabPass::Forward : LabPass::ForwardBackward;
}

void LabView::measure() {
    m_message->hide();
    m_workbench.lab().measureAttention(m_sweep->currentIndex() == 0 ? LabSweep::quick(dtype())
                                                                    : LabSweep::full(dtype()));
}

void LabView::showFailure(KernelLabModel::Job job, const Problem& problem) {
    refresh();
    const bool isAttention = job == KernelLabModel::Job::Attention;
    const auto again = [this, isAttention] {
        isAttention ? measure() : m_workbench.lab().measureGemm();
        refresh();
    };
    // What was measured before stays in sight.
    if (isAttention && !m_workbench.lab().attention(dtype()))
        m_states->showError(problem, tr("Measure again"), again);
    else
        m_message->showProblem(problem, tr("Measure again"), again);
}

QString LabView::caption(const AttentionMeasurement* measured) const {
    if (m_workbench.lab().job() == KernelLabModel::Job::Attention || !measured) return {};
    const LabOrigin& origin = measured->origin;
    return origin.isComplete ? origin.text() : tr("Stopped before its end  ·  %1").arg(origin.text());
}

void LabView::refresh() {
    const KernelLabModel& lab = m_workbench.lab();
    const bool isRunning = lab.job() == KernelLabModel::Job::Attention;
    const AttentionMeasurement* measured = lab.attention(dtype());
    const LabSweep sweep = m_sweep->currentIndex() == 0 ? LabSweep::quick(dtype()) : LabSweep::full(dtype());
    m_caption->setFullText(caption(measured));
    m_stop->setVisible(isRunning);
    m_sweep->setEnabled(!isRunning);
    m_sweep->setToolTip(
        tr("Sequence lengths %1, head dimensions %2").arg(numbers(sweep.lengths), numbers(sweep.headDims)));
    setEnabledOrWhy(m_measure, whyLabIsBusy(m_workbench),
                    tr("Runs every backend over lengths and head dimensions in %1").arg(dtype().toUpper()));
    refreshProgress();
    const bool isDisturbed = !lab.isRunning() && measured && measured->origin.foreignCpu > kAllowedForeignCpu;
    m_disturbed->setFullText(isDisturbed ? tr("Other programs used %1 of the processor: expect better times alone.")
                                               .arg(formatPercent(measured->origin.foreignCpu))
                                         : QString());
    m_disturbed->setVisible(!lab.isRunning());
    m_side->setChoice(dtype(), pass());
    m_side->refresh();
    const bool hasPoints = measured && !measured->points.isEmpty();
    m_charts->legend()->setVisible(hasPoints);
    if (hasPoints) {
        m_charts->show(*measured, pass());
        m_states->showContent();
    } else if (isRunning && lab.attention(dtype())) {
        m_states->showLoading(tr("The first figures are being measured."));
    } else {
        m_states->showEmpty();
    }
    // The empty state has the same button, larger.
    m_measure->setVisible(!isRunning && m_states->state() != StateStack::State::Empty);
}

void LabView::refreshProgress() {
    const KernelLabModel& lab = m_workbench.lab();
    m_progress->setVisible(lab.isRunning());
    if (!lab.isRunning()) return;
    const bool isCounted = lab.total() > 0 && lab.done() > 0;
    m_bar->setRange(0, isCounted ? static_cast<int>(lab.total()) : 0);
    if (isCounted) m_bar->setValue(static_cast<int>(lab.done()));
    m_progressText->setFullText(isCounted ? tr("%1 of %2  ·  %3").arg(lab.done()).arg(lab.total()).arg(lab.phase())
                                          : lab.phase());
}

}  // namespace wb::app
