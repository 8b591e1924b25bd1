// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/gui/pages/kernels/profile_view.h"

#include <QComboBox>
#include <QHeaderView>
#include <QSplitter>
#include <QTableView>
#include <algorithm>

#include "app/gui/theme/theme.h"
#include "app/gui/widgets/roofline_plot.h"
#include "app/gui/widgets/state_stack.h"
#include "app/gui/widgets/tables.h"
#include "app/gui/widgets/ui.h"
#include "app/models/units.h"
#include "app/models/workbench.h"

namespace wb::app {

ProfileView::ProfileView(Workbench& workbench, QWidget* parent) : QWidget(parent), m_workbench(workbench) {
    auto* layout = makeLayout<QVBoxLayout>(this, 0, metrics::kGap);
    makeTools();
    m_message = new MessageBar;
    layout->addWidget(m_message);
    m_states = new StateStack(makeContent());
    m_states->setEmpty(QStringLiteral("kernels"), tr("No kernel has run yet"),
                       tr("Train or compare something: each op appears here with its time, its rate and how close it "
                          "comes to what this machine can do."),
                       tr("Open the sample"), [this] { m_workbench.openSample(); });
    layout->addWidget(m_states, 1);

    connect(&workbench.run(), &RunModel::updated, this, &ProfileView::refresh);
    connect(&workbench.compare(), &CompareModel::updated, this, &ProfileView::refresh);
    connect(&workbench.machine(), &MachineModel::changed, this, &ProfileView::refresh);
    connect(&workbench.machine(), &MachineModel::peakFailed, this, [this](const Problem& problem) {
        m_message->showProblem(problem, tr("Measure again"), [this] { m_workbench.machine().measurePeak(); });
        refresh();
    });
    refresh();
}

void ProfileView::makeTools() {
    m_tools = new QWidget(this);
    auto* layout = makeLayout<QHBoxLayout>(m_tools, 0, metrics::kGap);
    m_source = new QComboBox;
    m_source->setAccessibleName(tr("Job whose kernels are shown"));
    m_source->addItem(tr("Training run"));
    m_source->addItem(tr("Last comparison"));
    m_summary = new ElidedLabel;
    setRole(m_summary, QStringLiteral("muted"));
    m_measure = makeButton(tr("Measure this machine"), QStringLiteral("machine"));
    m_measure->setObjectName(QStringLiteral("measurePeak"));
    layout->addWidget(m_source);
    layout->addWidget(m_summary, 1);
    layout->addWidget(m_measure);
    connect(m_source, &QComboBox::activated, this, &ProfileView::refresh);
    connect(m_measure, &QPushButton::clicked, this, [this] { m_workbench.machine().measurePeak(); });
}

QWidget* ProfileView::makeContent() {
    auto* splitter = new QSplitter(Qt::Horizontal);
    splitter->setObjectName(QStringLiteral("kernelsSplitter"));
    splitter->setChildrenCollapsible(false);
    splitter->setHandleWidth(metrics::kGap);
    splitter->setStyleSheet(QStringLiteral("QSplitter::handle { background: transparent; }"));
    m_table = makeTable(QT_TRANSLATE_NOOP("Tables", "Kernels"));
    m_table->setModel(&m_model);
    m_table->setSelectionMode(QAbstractItemView::SingleSelection);
    m_table->setSortingEnabled(true);
    m_table->sortByColumn(KernelTableModel::Time, Qt::DescendingOrder);
    m_table->horizontalHeader()->setSectionResizeMode(KernelTableModel::Op, QHeaderView::Stretch);
    const QVector<QPair<int, int>> widths{{KernelTableModel::Model, 64}, {KernelTableModel::Backend, 84},
                                          {KernelTableModel::Calls, 76}, {KernelTableModel::Time, 92},
                                          {KernelTableModel::Share, 70}, {KernelTableModel::Flops, 124},
                                          {KernelTableModel::Bytes, 96}, {KernelTableModel::Peak, 80}};
    for (const auto& [column, width] : widths) m_table->setColumnWidth(column, width);
    auto* card = makeCard();
    m_roofline = new RooflinePlot;
    auto* title = makeLabel(tr("Roofline"), QStringLiteral("strong"));
    auto* layout = makeLayout<QVBoxLayout>(card, metrics::kGap - 4, metrics::kGrid);
    layout->addWidget(title);
    layout->addWidget(m_roofline, 1);
    splitter->addWidget(m_table);
    splitter->addWidget(card);
    splitter->setStretchFactor(0, 3);
    splitter->setStretchFactor(1, 2);
    splitter->setSizes({850, 390});
    connect(m_table->selectionModel(), &QItemSelectionModel::currentRowChanged, m_roofline,
            [this](const QModelIndex& current) { m_roofline->setCurrent(current.row()); });
    connect(m_roofline, &RooflinePlot::rowChosen, m_table, [this](int row) { m_table->selectRow(row); });
    return splitter;
}

ProfileView::Source ProfileView::source() const {
    return m_source->currentIndex() == 0 ? Source::Run : Source::Compare;
}

void ProfileView::activated() {
    // Whichever job has something to tell.
    if (source() == Source::Run && m_workbench.run().kernels().rows.empty() && !m_workbench.compare().kernels().empty())
        m_source->setCurrentIndex(1);
    refresh();
}

void ProfileView::refresh() {
    const bool isRun = source() == Source::Run;
    const auto& rows = isRun ? m_workbench.run().kernels().rows : m_workbench.compare().kernels();
    const double seconds = isRun ? m_workbench.run().kernels().seconds : m_workbench.compare().kernelSeconds();
    const MachinePeak& peak = m_workbench.machine().peak();
    m_measure->setText(peak.isKnown() ? tr("Measure again") : tr("Measure this machine"));
    setEnabledOrWhy(m_measure, m_workbench.machine().isMeasuring() ? tr("Being measured.") : QString(),
                    tr("Measures the arithmetic and memory ceilings once, on all cores, for a few seconds"));
    if (rows.empty()) return m_states->showEmpty();
    m_states->showContent();
    m_model.setRows(rows, peak);
    const bool hasModels =
        std::any_of(rows.begin(), rows.end(), [](const core::KernelRow& row) { return !row.model.empty(); });
    m_table->setColumnHidden(KernelTableModel::Model, !hasModels);
    m_roofline->setRows(m_model.rows(), peak);
    QString text = tr("%1 in kernels of %2").arg(formatDuration(m_model.totalSeconds()), formatDuration(seconds));
    if (isRun && m_workbench.run().kernels().step > 0)
        text += tr(", up to step %1").arg(m_workbench.run().kernels().step);
    if (const QString gpu = isRun ? gpuSummary(m_workbench.run().gpu()) : QString(); !gpu.isEmpty())
        text += QStringLiteral("  ·  ") + gpu;
    if (!peak.isKnown()) text += tr("  ·  percent of peak appears once this machine is measured");
    m_summary->setFullText(text);
}

}  // namespace wb::app
