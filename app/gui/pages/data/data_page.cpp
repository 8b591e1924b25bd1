// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/gui/pages/data/data_page.h"

#include <QComboBox>
#include <QFileDialog>
#include <QFileInfo>
#include <QHeaderView>
#include <QSplitter>
#include <QTableView>

#include "app/gui/pages/data/audit_list.h"
#include "app/gui/theme/icons.h"
#include "app/gui/widgets/histogram_view.h"
#include "app/gui/widgets/state_stack.h"
#include "app/gui/widgets/tables.h"
#include "app/gui/widgets/token_strip.h"
#include "app/models/units.h"

namespace wb::app {

namespace {

QComboBox* makeChoice(const QString& name, int width) {
    auto* box = new QComboBox;
    box->setAccessibleName(name);
    box->setFixedWidth(width);
    return box;
}

}  // namespace

DataPage::DataPage(Workbench& workbench, QWidget* parent) : Page(workbench, tr("Data"), parent) {
    m_file = new ElidedLabel;
    m_file->setElideMode(Qt::ElideLeft);
    setRole(m_file, QStringLiteral("muted"));
    header().addSpacing(metrics::kGrid);
    header().addWidget(m_file, 1);
    m_next = makeButton(tr("Choose how to train"), QStringLiteral("train"), QStringLiteral("primary"));
    m_next->setObjectName(QStringLiteral("goToTrain"));
    header().addWidget(m_next);
    connect(m_next, &QPushButton::clicked, this, &DataPage::goToTrain);
    m_states = new StateStack(makeContent());
    m_states->setEmpty(QStringLiteral("data"), tr("No data is open"),
                       tr("Drop a file of prompts and answers on the window: JSONL, JSON, CSV, TSV or text. Nothing "
                          "leaves this machine, and no row is dropped "
                          "or cut without being named."),
                       tr("Open the sample"), [this] { bench().openSample(); });
    body().addWidget(m_states, 1);

    DataModel& rowsModel = workbench.data();
    connect(&rowsModel, &DataModel::loadingStarted, this, [this] {
        m_states->showLoading(tr("Reading %1").arg(QFileInfo(bench().data().settings().file).fileName()));
    });
    connect(&rowsModel, &DataModel::changed, this, &DataPage::refresh);
    connect(&rowsModel, &DataModel::auditChanged, this, &DataPage::refreshAudit);
    connect(&rowsModel, &DataModel::rowShown, this, &DataPage::refreshRow);
    connect(&rowsModel, &DataModel::failed, this, [this](const Problem& problem) {
        m_states->showError(problem, tr("Close this file"),
                            [this] { bench().recipe().setText(QStringLiteral("data"), {}); });
    });
    refresh();
}

QWidget* DataPage::makeContent() {
    auto* content = new QWidget;
    auto* layout = makeLayout<QVBoxLayout>(content, 0, metrics::kGap);
    layout->addWidget(makeFilters());
    auto* middle = new QSplitter(Qt::Horizontal);
    middle->setObjectName(QStringLiteral("dataSplitter"));
    middle->setChildrenCollapsible(false);
    middle->setHandleWidth(metrics::kGap);
    middle->setStyleSheet(QStringLiteral("QSplitter::handle { background: transparent; }"));
    m_table = makeTable(QT_TRANSLATE_NOOP("Tables", "Rows of the file"));
    m_table->setModel(&bench().data().rows());
    m_table->setSelectionMode(QAbstractItemView::SingleSelection);
    m_table->horizontalHeader()->setSectionResizeMode(RowTableModel::Prompt, QHeaderView::Stretch);
    m_table->horizontalHeader()->setSectionResizeMode(RowTableModel::Response, QHeaderView::Stretch);
    m_table->setColumnWidth(RowTableModel::Line, 64);
    m_table->setColumnWidth(RowTableModel::TokenCount, 72);
    m_table->setColumnWidth(RowTableModel::State, 104);
    middle->addWidget(m_table);
    middle->addWidget(makeRowView());
    middle->setStretchFactor(0, 3);
    middle->setStretchFactor(1, 2);
    middle->setSizes({740, 500});
    layout->addWidget(middle, 1);
    layout->addWidget(makeAudit());
    connect(m_table->selectionModel(), &QItemSelectionModel::currentRowChanged, this, &DataPage::showSelectedRow);
    return content;
}

QWidget* DataPage::makeFilters() {
    auto* card = makeCard();
    auto* layout = makeLayout<QHBoxLayout>(card, metrics::kGrid, metrics::kGap);
    auto* choices = new QGridLayout;
    choices->setHorizontalSpacing(metrics::kGrid);
    choices->setVerticalSpacing(6);
    m_format = makeChoice(tr("Format"), 220);
    m_template = makeChoice(tr("Template"), 220);
    m_model = makeChoice(tr("Model whose tokenizer counts"), 220);
    int row = 0;
    for (const auto& [text, box] : {std::pair<QString, QComboBox*>{tr("Format"), m_format},
                                    {tr("Template"), m_template},
                                    {tr("Tokenizer of"), m_model}}) {
        auto* label = makeLabel(text, QStringLiteral("muted"));
        label->setBuddy(box);
        choices->addWidget(label, row, 0);
        choices->addWidget(box, row++, 1);
    }
    layout->addLayout(choices);
    auto* lengths = new QVBoxLayout;
    lengths->setSpacing(0);
    m_lengths = new ElidedLabel;
    setRole(m_lengths, QStringLiteral("muted"));
    m_histogram = new HistogramView;
    lengths->addWidget(m_histogram, 1);
    lengths->addWidget(m_lengths);
    layout->addLayout(lengths, 1);
    const auto set = [this](const char* key, const QString& text) {
        bench().recipe().setText(QLatin1String(key), text == QLatin1String("auto") ? QString() : text);
    };
    connect(m_format, &QComboBox::activated, this,
            [this, set](int index) { set("format", m_format->itemData(index).toString()); });
    connect(m_template, &QComboBox::activated, this, &DataPage::chooseTemplate);
    connect(m_model, &QComboBox::activated, this,
            [this, set](int index) { set("model", m_model->itemData(index).toString()); });
    connect(m_histogram, &HistogramView::limitChosen, this,
            [set](qint64 tokens) { set("max_length", QString::number(tokens)); });
    return card;
}

QWidget* DataPage::makeRowView() {
    auto* card = makeCard();
    card->setMinimumWidth(320);
    auto* layout = makeLayout<QVBoxLayout>(card, 1, 0);
    auto* headerRow = new QHBoxLayout;
    headerRow->setContentsMargins(metrics::kGap - 4, metrics::kGrid, metrics::kGap - 4, 0);
    m_rowTitle = makeLabel(tr("The row as the model sees it"), QStringLiteral("strong"));
    m_rowFigures = makeLabel({}, QStringLiteral("muted"));
    headerRow->addWidget(m_rowTitle, 1);
    headerRow->addWidget(m_rowFigures);
    layout->addLayout(headerRow);
    m_rowProblem = makeLabel({}, QStringLiteral("error"));
    m_rowProblem->setWordWrap(true);
    m_rowProblem->setContentsMargins(metrics::kGap - 4, metrics::kGrid, metrics::kGap - 4, 0);
    m_rowProblem->setTextInteractionFlags(Qt::TextSelectableByMouse);
    layout->addWidget(m_rowProblem);
    m_strip = new TokenStrip(TokenStrip::Mode::Chips);
    m_strip->setPlaceholder(tr("Choose a row."));
    m_strip->setDetails([](const TokenView& token, int index) {
        const QString role = token.role == TokenView::Role::Trained ? tr("trained")
                             : token.role == TokenView::Role::Cut   ? tr("cut by the maximum length")
                                                                    : tr("context, not trained");
        return tr("<b>%1</b><br>token %2, id %3<br>bytes %4 to %5<br>%6")
            .arg(visibleText(token.text).toHtmlEscaped())
            .arg(index)
            .arg(token.id)
            .arg(token.begin)
            .arg(token.end)
            .arg(role);
    });
    layout->addWidget(m_strip, 1);
    auto* legend = new QHBoxLayout;
    legend->setContentsMargins(metrics::kGap - 4, 0, metrics::kGap - 4, metrics::kGrid);
    legend->setSpacing(metrics::kGap);
    legend->addWidget(makeLabel(tr("grey: context"), QStringLiteral("muted")));
    legend->addWidget(makeLabel(tr("orange: trained"), QStringLiteral("tuned")));
    legend->addWidget(makeLabel(tr("struck: cut"), QStringLiteral("muted")));
    legend->addStretch(1);
    layout->addLayout(legend);
    return card;
}

QWidget* DataPage::makeAudit() {
    auto* card = makeCard();
    auto* layout = makeLayout<QVBoxLayout>(card, metrics::kGrid, 4);
    auto* row = new QHBoxLayout;
    m_verdict = makeLabel({}, QStringLiteral("strong"));
    m_verdict->setObjectName(QStringLiteral("verdict"));
    m_showAll = makeButton(tr("Show all rows"));
    m_showAll->hide();
    row->addWidget(m_verdict, 1);
    row->addWidget(m_showAll);
    layout->addLayout(row);
    m_audit = new AuditList;
    layout->addWidget(m_audit);
    connect(m_audit, &AuditList::showRequested, this, [this](const QVector<qint64>& lines) {
        bench().data().rows().showOnly(lines);
        m_showAll->show();
        m_table->selectRow(0);
    });
    connect(m_showAll, &QPushButton::clicked, this, [this] {
        bench().data().rows().showOnly({});
        m_showAll->hide();
    });
    connect(m_audit, &AuditList::fixRequested, this, [this](AuditLine::Kind kind, AuditLine::Fix fix) {
        if (fix == AuditLine::Fix::RaiseMaxLength)
            bench().recipe().setText(QStringLiteral("max_length"), QString::number(bench().data().audit().length.max));
        else
            bench().data().decideToSkip(kind);
    });
    return card;
}

void DataPage::goToTrain() {
    emit bench().pageRequested(PageId::Train);
}

void DataPage::refresh() {
    DataModel& rowsModel = bench().data();
    m_next->setVisible(rowsModel.isLoaded());
    m_file->setFullText(rowsModel.isLoaded() ? shownPath(rowsModel.settings().file) : QString());
    if (!rowsModel.isLoaded()) {
        if (!rowsModel.isLoading()) m_states->showEmpty();
        return;
    }
    m_states->showContent();
    m_table->setColumnHidden(RowTableModel::Response, rowsModel.isRunningText());
    fillFormats();
    fillTemplates();
    setEnabledOrWhy(m_template, rowsModel.isRunningText() ? tr("Running text needs no template.") : QString(),
                    rowsModel.templateDescription());
    m_model->clear();
    m_model->addItem(tr("choose a model"), QString());
    for (const QString& path : bench().knownModels()) m_model->addItem(QFileInfo(path).fileName(), path);
    m_model->setCurrentIndex(std::max(0, m_model->findData(rowsModel.settings().model)));
    m_showAll->hide();
    refreshAudit();
    m_table->selectRow(0);
    showSelectedRow();
}

void DataPage::fillFormats() {
    const DataModel& rowsModel = bench().data();
    m_format->clear();
    for (const QString& name : rowsModel.formatChoices())
        m_format->addItem(name == QLatin1String("auto") ? tr("auto: %1").arg(rowsModel.formatTitle()) : name, name);
    m_format->setCurrentIndex(m_format->findData(rowsModel.settings().format));
    m_format->setToolTip(rowsModel.notes().join(QLatin1Char('\n')));
}

void DataPage::fillTemplates() {
    const DataModel& rowsModel = bench().data();
    const QString present = rowsModel.settings().templateName;
    m_template->clear();
    m_template->addItem(tr("auto: %1").arg(rowsModel.templateTitle()), QStringLiteral("auto"));
    for (const char* name : {"plain", "raw", "alpaca", "chatml", "model"})
        m_template->addItem(QLatin1String(name), QLatin1String(name));
    if (m_template->findData(present) < 0) m_template->addItem(QFileInfo(present).fileName(), present);
    m_template->addItem(tr("Choose a file…"), QString());
    m_template->setCurrentIndex(m_template->findData(present));
}

void DataPage::chooseTemplate(int index) {
    const QString chosen = m_template->itemData(index).toString();
    if (!chosen.isEmpty())
        return bench().recipe().setText(QStringLiteral("template"),
                                        chosen == QLatin1String("auto") ? QString() : chosen);
    fillTemplates();  // until a file is chosen the old one stays
    auto* dialog =
        new QFileDialog(this, tr("Choose a template"), QString(), tr("Templates (*.json *.jinja);;All files (*)"));
    dialog->setFileMode(QFileDialog::ExistingFile);
    dialog->setAttribute(Qt::WA_DeleteOnClose);
    connect(dialog, &QFileDialog::fileSelected, this,
            [this](const QString& path) { bench().recipe().setText(QStringLiteral("template"), path); });
    dialog->open();
}

void DataPage::refreshAudit() {
    DataModel& rowsModel = bench().data();
    const training::DataAudit& audit = rowsModel.audit();
    QVector<HistogramBar> bars;
    for (const training::HistogramBin& bin : audit.histogram) bars.append({bin.begin, bin.end, bin.rows});
    m_histogram->setBars(bars, audit.length.max);
    m_histogram->setLimit(rowsModel.maxLength());
    m_histogram->setWindows(rowsModel.isRunningText());
    m_histogram->setEnabled(rowsModel.hasTokens());
    m_lengths->setFullText(
        rowsModel.hasTokens() ? tr("%1 detected · tokens per %6: median %2, 95 % within %3, 99 % within %4, longest %5")
                                    .arg(rowsModel.formatTitle())
                                    .arg(audit.length.p50)
                                    .arg(audit.length.p95)
                                    .arg(audit.length.p99)
                                    .arg(audit.length.max)
                                    .arg(rowsModel.isRunningText() ? tr("text") : tr("row"))
                              : tr("%1 detected · choose a model to count tokens").arg(rowsModel.formatTitle()));
    m_audit->setLines(rowsModel.auditLines(), rowsModel.hasTokens());
    m_verdict->setText(rowsModel.verdict());
    setEnabledOrWhy(m_next, {}, tr("Model, method and settings"));
}

void DataPage::showSelectedRow() {
    const int row = m_table->currentIndex().row();
    RowTableModel& rows = bench().data().rows();
    if (row < 0 || rows.rowCount() == 0) return;
    bench().data().showRow(rows.exampleAt(row), rows.lineAt(row));
}

void DataPage::refreshRow() {
    DataModel& rowsModel = bench().data();
    const QVector<TokenView> tokens = rowsModel.shownTokens();
    m_strip->setTokens(tokens);
    m_rowTitle->setText(tr("Line %1 as the model sees it").arg(rowsModel.shownLine()));
    m_rowProblem->setText(rowsModel.shownProblem());
    m_rowProblem->setVisible(!rowsModel.shownProblem().isEmpty());
    m_strip->setPlaceholder(rowsModel.shownProblem().isEmpty() ? tr("Choose a row.") : QString());
    int trained = 0;
    int cut = 0;
    for (const TokenView& token : tokens) {
        trained += token.role == TokenView::Role::Trained;
        cut += token.role == TokenView::Role::Cut;
    }
    QString figures = tokens.isEmpty() ? QString() : tr("%1 tokens, %2 trained").arg(tokens.size()).arg(trained);
    if (cut > 0) figures += tr(", %1 cut").arg(cut);
    m_rowFigures->setText(figures);
}

}  // namespace wb::app
