// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/gui/pages/adapters/adapters_page.h"

#include <QFileDialog>
#include <QHeaderView>
#include <QSplitter>
#include <QTableView>

#include "app/gui/theme/icons.h"
#include "app/gui/widgets/state_stack.h"
#include "app/gui/widgets/tables.h"
#include "app/models/units.h"

namespace wb::app {

AdaptersPage::AdaptersPage(Workbench& workbench, QWidget* parent) : Page(workbench, tr("Adapters"), parent) {
    header().addStretch(1);
    m_message = new MessageBar;
    body().addWidget(m_message);
    m_states = new StateStack(makeContent());
    m_states->setEmpty(QStringLiteral("adapters"), tr("No adapter yet"),
                       tr("What a run has learnt appears here after its first checkpoint, ready to be tried and "
                          "exported with a certificate."),
                       tr("Open the sample"), [this] { bench().openSample(); });
    body().addWidget(m_states, 1);
    connect(&workbench.runs(), &RunsModel::refreshed, this, [this] { m_model.refresh(bench().runs().all()); });
    connect(&m_model, &AdapterListModel::refreshed, this, &AdaptersPage::refresh);
    ExportModel& exporter = workbench.exporter();
    connect(&exporter, &ExportModel::started, this, &AdaptersPage::selectionChanged);
    connect(&exporter, &ExportModel::exported, this, &AdaptersPage::selectionChanged);
    connect(&exporter, &ExportModel::failed, this, [this](const Problem& problem) {
        selectionChanged();
        m_message->showProblem(problem);
    });
    refresh();
    showCertificate();
}

QWidget* AdaptersPage::makeContent() {
    auto* splitter = new QSplitter(Qt::Horizontal);
    splitter->setObjectName(QStringLiteral("adaptersSplitter"));
    splitter->setChildrenCollapsible(false);
    splitter->setHandleWidth(metrics::kGap);
    splitter->setStyleSheet(QStringLiteral("QSplitter::handle { background: transparent; }"));
    m_table = makeTable(QT_TRANSLATE_NOOP("Tables", "Adapters"));
    m_table->setModel(&m_model);
    m_table->setSelectionMode(QAbstractItemView::SingleSelection);
    m_table->horizontalHeader()->setSectionResizeMode(AdapterListModel::Title, QHeaderView::Stretch);
    const QVector<QPair<int, int>> widths{{AdapterListModel::Base, 96},
                                          {AdapterListModel::Kind, 112},
                                          {AdapterListModel::BestLoss, 132},
                                          {AdapterListModel::Versions, 116},
                                          {AdapterListModel::Size, 80}};
    for (const auto& [column, width] : widths) m_table->setColumnWidth(column, width);
    splitter->addWidget(m_table);
    splitter->addWidget(makeDetails());
    splitter->setStretchFactor(0, 3);
    splitter->setStretchFactor(1, 2);
    splitter->setSizes({780, 460});
    connect(m_table->selectionModel(), &QItemSelectionModel::currentRowChanged, this, &AdaptersPage::selectionChanged);
    return splitter;
}

QWidget* AdaptersPage::makeDetails() {
    auto* card = makeCard();
    card->setMinimumWidth(360);
    auto* layout = makeLayout<QVBoxLayout>(card, metrics::kGap, metrics::kGap);
    m_title = makeLabel({}, QStringLiteral("section"));
    m_title->setWordWrap(true);
    m_versions = makeLabel({}, QStringLiteral("muted"));
    m_versions->setWordWrap(true);
    m_try = makeButton(tr("Try it against its base"), QStringLiteral("compare"), QStringLiteral("primary"));
    m_exportPeft = makeButton(tr("Export adapter (PEFT)"), QStringLiteral("export"));
    m_exportMerged = makeButton(tr("Export merged model"), QStringLiteral("export"));
    m_exportPeft->setObjectName(QStringLiteral("exportPeft"));
    m_exportMerged->setObjectName(QStringLiteral("exportMerged"));
    auto* exports = new QHBoxLayout;
    exports->setSpacing(metrics::kGrid);
    exports->addWidget(m_exportPeft);
    exports->addWidget(m_exportMerged);
    exports->addStretch(1);
    auto* tryRow = new QHBoxLayout;
    tryRow->addWidget(m_try);
    tryRow->addStretch(1);
    layout->addWidget(m_title);
    layout->addWidget(m_versions);
    layout->addLayout(tryRow);
    layout->addWidget(makeLine());
    layout->addWidget(makeLabel(tr("Take it away"), QStringLiteral("section")));
    auto* promise = makeLabel(tr("Each export is read back and replayed; the certificate says how close it came."),
                              QStringLiteral("muted"));
    promise->setWordWrap(true);
    layout->addWidget(promise);
    layout->addLayout(exports);
    auto* state = new QHBoxLayout;
    state->setSpacing(metrics::kGrid);
    m_proof = new IconLabel(QStringLiteral("proof"), IconTint::Proof, metrics::kIcon);
    m_exportState = makeLabel({});
    m_exportState->setWordWrap(true);
    m_exportState->setObjectName(QStringLiteral("exportState"));
    state->addWidget(m_proof, 0, Qt::AlignTop);
    state->addWidget(m_exportState, 1);
    layout->addLayout(state);
    m_path = new CopyChip;
    auto* pathRow = new QHBoxLayout;
    pathRow->addWidget(m_path);
    pathRow->addStretch(1);
    layout->addLayout(pathRow);
    m_certificate = makeLabel({}, QStringLiteral("muted"));
    m_certificate->setFont(monospaceFont());
    m_certificate->setTextInteractionFlags(Qt::TextSelectableByMouse | Qt::TextSelectableByKeyboard);
    m_certificate->setWordWrap(true);
    m_certificate->setAccessibleName(tr("Certificate"));
    layout->addWidget(m_certificate);
    layout->addStretch(1);
    connect(m_try, &QPushButton::clicked, this, [this] { bench().compareRun(selectedFolder()); });
    connect(m_exportPeft, &QPushButton::clicked, this, [this] { exportAs(QStringLiteral("peft")); });
    connect(m_exportMerged, &QPushButton::clicked, this, [this] { exportAs(QStringLiteral("safetensors")); });
    return card;
}

QString AdaptersPage::selectedFolder() const {
    const int row = m_table->currentIndex().row();
    return row < 0 || row >= m_model.rowCount() ? QString() : m_model.at(row).folder;
}

void AdaptersPage::activated() {
    bench().runs().refresh();
}

void AdaptersPage::refresh() {
    if (!m_model.hasLoaded()) return m_states->showLoading(tr("Looking at the checkpoints"));
    if (m_model.rowCount() == 0) return m_states->showEmpty();
    m_states->showContent();
    if (m_table->currentIndex().row() < 0) m_table->selectRow(0);
    selectionChanged();
}

void AdaptersPage::selectionChanged() {
    const int row = m_table->currentIndex().row();
    if (row < 0 || row >= m_model.rowCount()) return;
    const AdapterEntry& entry = m_model.at(row);
    m_title->setText(entry.title);
    QStringList lines;
    for (auto version = entry.versions.rbegin(); version != entry.versions.rend(); ++version) {
        QString line = tr("step %1, %2").arg(version->step).arg(formatBytes(static_cast<double>(version->bytes)));
        if (version->loss) line += tr(", validation loss %1").arg(formatMetric(*version->loss));
        if (entry.bestLoss && version->step == entry.bestStep) line += tr("  (best)");
        lines << line;
    }
    m_versions->setText(lines.join(QLatin1Char('\n')));
    const QString notLora =
        entry.isLora ? QString() : tr("This run trained all weights: there is no adapter to take out.");
    const QString busy = bench().exporter().isRunning() ? tr("An export is running.") : QString();
    setEnabledOrWhy(m_exportPeft, busy.isEmpty() ? notLora : busy, tr("A folder that PEFT loads unchanged"));
    setEnabledOrWhy(m_exportMerged, busy, tr("A Hugging Face folder with safetensors"));
    showCertificate();
}

void AdaptersPage::exportAs(const QString& format) {
    const QString run = selectedFolder();
    if (run.isEmpty()) return;
    m_message->hide();
    bench().exporter().start(run, format, freshExportFolder(run, format), bench().library());
}

void AdaptersPage::showCertificate() {
    const ExportModel& exporter = bench().exporter();
    const bool isRunning = exporter.isRunning() && exporter.run() == selectedFolder();
    const KeptExport kept = isRunning ? KeptExport{} : newestExport(selectedFolder());
    const Certificate& certificate = kept.certificate;
    m_proof->setVisible(certificate.isKnown && certificate.isOk);
    m_path->setVisible(certificate.isKnown);
    m_certificate->setVisible(certificate.isKnown);
    if (isRunning) {
        m_exportState->setText(tr("Exporting, reading back and replaying."));
    } else if (certificate.isKnown) {
        m_path->setValue({}, kept.folder.section(QLatin1Char('/'), -2), kept.folder);
        m_exportState->setText(certificate.isOk
                                   ? tr("Proved: the exported files answer like the run.")
                                   : tr("The exported files do not answer like the run. Do not use them."));
        m_certificate->setText(tr("largest logit error  %1 (allowed %2)\nsame next token      %3\nreplayed             "
                                  "%4 prompts, %5 positions\nhash                 %6")
                                   .arg(certificate.maxLogitError, 0, 'g', 3)
                                   .arg(certificate.tolerance, 0, 'g', 3)
                                   .arg(formatPercent(certificate.tokenAgreement))
                                   .arg(certificate.prompts)
                                   .arg(certificate.positions)
                                   .arg(shortHash(certificate.exportedHash)));
    } else {
        m_exportState->setText(tr("Not exported yet."));
    }
    setRole(m_exportState, !certificate.isKnown ? QStringLiteral("muted")
                           : certificate.isOk   ? QStringLiteral("proof")
                                                : QStringLiteral("error"));
}

}  // namespace wb::app
