// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/gui/pages/kernels/lab_side.h"

#include <QHeaderView>
#include <QTableView>

#include "app/gui/theme/theme.h"
#include "app/gui/widgets/tables.h"
#include "app/gui/widgets/ui.h"
#include "app/models/units.h"
#include "app/models/workbench.h"

namespace wb::app {

namespace {

constexpr int kPadding = 12;
constexpr int kRowHeight = 30;

QString rateOrNot(double rate, const QString& unit, const QString& otherwise) {
    return rate > 0 ? formatRate(rate, unit) : otherwise;
}

}  // namespace

QString whyLabIsBusy(Workbench& workbench) {
    if (workbench.machine().isMeasuring()) return LabSide::tr("The ceilings of this machine are being measured.");
    switch (workbench.lab().job()) {
        case KernelLabModel::Job::Attention: return LabSide::tr("Attention is being measured.");
        case KernelLabModel::Job::Gemm: return LabSide::tr("Matrix products are being measured.");
        case KernelLabModel::Job::None: break;
    }
    return {};
}

LabSide::LabSide(Workbench& workbench, QWidget* parent) : QWidget(parent), m_workbench(workbench) {
    auto* layout = makeLayout<QVBoxLayout>(this, 0, metrics::kGap);
    layout->addWidget(makeCeilings());
    layout->addWidget(makeGemm());
    layout->addStretch(1);
    refresh();
}

QWidget* LabSide::makeCeilings() {
    auto* card = makeCard();
    auto* layout = makeLayout<QVBoxLayout>(card, kPadding, metrics::kGrid);
    layout->addWidget(makeLabel(tr("Ceilings of this machine"), QStringLiteral("strong")));
    m_figures = new QGridLayout;
    m_figures->setHorizontalSpacing(metrics::kGap);
    m_figures->setVerticalSpacing(metrics::kGrid / 2);
    m_figures->setColumnStretch(1, 1);
    const QStringList names{tr("F32 arithmetic"), tr("F32 on one thread"), tr("BF16 arithmetic"), tr("Memory reads")};
    for (int row = 0; row < names.size(); ++row) {
        auto* value = makeLabel({});
        value->setAlignment(Qt::AlignRight | Qt::AlignVCenter);
        value->setObjectName(QStringLiteral("ceiling%1").arg(row));
        m_figures->addWidget(makeLabel(names[row], QStringLiteral("muted")), row, 0);
        m_figures->addWidget(value, row, 1);
    }
    layout->addLayout(m_figures);
    m_machine = makeLabel({}, QStringLiteral("muted"));
    m_machine->setWordWrap(true);
    layout->addWidget(m_machine);
    m_measurePeak = makeButton(tr("Measure the ceilings"), QStringLiteral("machine"));
    m_measurePeak->setObjectName(QStringLiteral("labMeasurePeak"));
    layout->addWidget(m_measurePeak);
    connect(m_measurePeak, &QPushButton::clicked, this, [this] { m_workbench.machine().measurePeak(); });
    return card;
}

QWidget* LabSide::makeGemm() {
    auto* card = makeCard();
    auto* layout = makeLayout<QVBoxLayout>(card, kPadding, metrics::kGrid);
    layout->addWidget(makeLabel(tr("Matrix products"), QStringLiteral("strong")));
    m_gemmCaption = makeLabel({}, QStringLiteral("muted"));
    m_gemmCaption->setWordWrap(true);
    layout->addWidget(m_gemmCaption);
    m_table = makeTable(QT_TRANSLATE_NOOP("Tables", "Percent of ceiling by layer and tokens"));
    m_table->setModel(&m_gemm);
    m_table->setSelectionMode(QAbstractItemView::SingleSelection);
    m_table->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    m_table->setVerticalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    m_table->setTextElideMode(Qt::ElideNone);
    m_table->horizontalHeader()->setMinimumSectionSize(32);
    m_table->horizontalHeader()->setSectionResizeMode(QHeaderView::Stretch);
    layout->addWidget(m_table);
    m_measureGemm = makeButton(tr("Measure matrix products"), QStringLiteral("play"));
    m_measureGemm->setObjectName(QStringLiteral("labMeasureGemm"));
    layout->addWidget(m_measureGemm);
    connect(m_measureGemm, &QPushButton::clicked, this, [this] { m_workbench.lab().measureGemm(); });
    return card;
}

void LabSide::setChoice(const QString& dtype, LabPass pass) {
    m_gemm.setChoice(dtype, pass);
    m_choice = QStringLiteral("%1, %2").arg(
        dtype.toUpper(), pass == LabPass::Forward ? tr("forward") : tr("forward and both gradients"));
    refreshGemm();
}

void LabSide::refresh() {
    refreshCeilings();
    refreshGemm();
}

void LabSide::refreshCeilings() {
    const MachinePeak& peak = m_workbench.machine().peak();
    const QString flop = QStringLiteral("FLOP");
    const QString unknown = QStringLiteral("–");
    const QStringList values{rateOrNot(peak.flopsPerSecond, flop, unknown),
                             rateOrNot(peak.oneThreadFlopsPerSecond, flop, unknown),
                             rateOrNot(peak.bf16FlopsPerSecond, flop, peak.isKnown() ? tr("runs as F32") : unknown),
                             rateOrNot(peak.bytesPerSecond, QStringLiteral("B"), unknown)};
    for (int row = 0; row < values.size(); ++row)
        qobject_cast<QLabel*>(m_figures->itemAtPosition(row, 1)->widget())->setText(values[row]);
    QStringList machine{peak.cpu, peak.isa.toUpper()};
    if (peak.threads > 0) machine << (peak.threads == 1 ? tr("1 thread") : tr("%1 threads").arg(peak.threads));
    machine.removeAll(QString());
    m_machine->setText(peak.isKnown() ? machine.join(QStringLiteral(", "))
                                      : tr("Not measured yet: percentages need them. It takes a few seconds."));
    m_measurePeak->setText(peak.isKnown() ? tr("Measure again") : tr("Measure the ceilings"));
    m_measurePeak->setAccessibleName(tr("Measure the ceilings"));
    setEnabledOrWhy(m_measurePeak, whyLabIsBusy(m_workbench), tr("On all cores, for a few seconds"));
}

void LabSide::refreshGemm() {
    const GemmMeasurement& measured = m_workbench.lab().gemm();
    m_gemm.setMeasurement(measured);
    const bool hasRows = m_gemm.rowCount() > 0;
    m_table->setVisible(hasRows);
    if (hasRows) {
        m_table->setFixedHeight((m_gemm.rowCount() + 1) * kRowHeight + 4);
        m_table->horizontalHeader()->setSectionResizeMode(0, QHeaderView::ResizeToContents);
    }
    m_gemmCaption->setText(hasRows
                               ? tr("Percent of the arithmetic ceiling by tokens at once: %1.").arg(m_choice)
                               : tr("How close linear layers come to the ceilings, by layer and number of tokens."));
    m_gemmCaption->setToolTip(hasRows ? measured.origin.text() : QString());
    const bool isRunning = m_workbench.lab().job() == KernelLabModel::Job::Gemm;
    m_measureGemm->setText(isRunning ? tr("Measuring…")
                           : hasRows ? tr("Measure again")
                                     : tr("Measure matrix products"));
    m_measureGemm->setAccessibleName(tr("Measure matrix products"));
    setEnabledOrWhy(m_measureGemm, whyLabIsBusy(m_workbench), tr("On all cores, for some seconds"));
}

}  // namespace wb::app
