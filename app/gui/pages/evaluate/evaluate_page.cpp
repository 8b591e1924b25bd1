// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/gui/pages/evaluate/evaluate_page.h"

#include <QComboBox>
#include <QFileDialog>
#include <QFileInfo>
#include <QHeaderView>
#include <QLineEdit>
#include <QStyledItemDelegate>
#include <QTableView>

#include "app/gui/widgets/state_stack.h"
#include "app/gui/widgets/tables.h"
#include "app/models/units.h"

namespace wb::app {

namespace {

// facts.jsonl has its test rows in facts_test.jsonl, by the convention of the samples.
QString testFileBeside(const QString& data) {
    const QFileInfo info(data);
    const QString candidate =
        QStringLiteral("%1/%2_test.%3").arg(info.absolutePath(), info.completeBaseName(), info.suffix());
    return QFileInfo::exists(candidate) ? candidate : QString();
}

// Writes a column in the colour of its model.
class VariantDelegate : public QStyledItemDelegate {
public:
    VariantDelegate(int variant, QObject* parent) : QStyledItemDelegate(parent), m_variant(variant) {}

protected:
    void initStyleOption(QStyleOptionViewItem* option, const QModelIndex& index) const override {
        QStyledItemDelegate::initStyleOption(option, index);
        const QColor color = variantColor(tokensOf(option->palette), m_variant);
        option->palette.setColor(QPalette::Text, color);
        option->palette.setColor(QPalette::HighlightedText, color);
    }

private:
    int m_variant;
};

}  // namespace

EvaluatePage::EvaluatePage(Workbench& workbench, QWidget* parent) : Page(workbench, tr("Evaluate"), parent) {
    header().addStretch(1);
    body().addWidget(makeSetup());
    m_states = new StateStack(makeContent());
    m_states->setEmpty(QStringLiteral("evaluate"), tr("Nothing evaluated yet"),
                       tr("Choose a run and a file of test rows that training never saw: loss, token accuracy and "
                          "exact match of base and tuned appear here."));
    body().addWidget(m_states, 1);
    EvaluateModel& model = workbench.evaluate();
    connect(&workbench.runs(), &RunsModel::refreshed, this, &EvaluatePage::refreshTargets);
    connect(&model, &EvaluateModel::progressed, this, &EvaluatePage::refresh);
    connect(&model, &EvaluateModel::finished, this, &EvaluatePage::refresh);
    connect(&model, &EvaluateModel::failed, this, [this](const Problem& problem) {
        refresh();
        m_states->showError(problem, tr("Try again"), [this] { start(); });
    });
    refreshTargets();
    refresh();
}

QWidget* EvaluatePage::makeSetup() {
    auto* card = makeCard();
    auto* layout = makeLayout<QHBoxLayout>(card, metrics::kGap - 4, metrics::kGrid);
    auto* runLabel = makeLabel(tr("Run"), QStringLiteral("muted"));
    m_run = new QComboBox;
    m_run->setMinimumWidth(320);
    m_run->setAccessibleName(tr("Run to evaluate"));
    runLabel->setBuddy(m_run);
    auto* fileLabel = makeLabel(tr("Test rows"), QStringLiteral("muted"));
    m_file = new QLineEdit;
    m_file->setAccessibleName(tr("File of test rows"));
    m_file->setPlaceholderText(tr("a file that training never saw"));
    m_file->setObjectName(QStringLiteral("testFile"));
    fileLabel->setBuddy(m_file);
    auto* choose = makeIconButton(QStringLiteral("folder"), tr("Choose a test file"));
    m_start = makeButton(tr("Evaluate both"), QStringLiteral("evaluate"), QStringLiteral("primary"));
    m_start->setObjectName(QStringLiteral("startEvaluate"));
    m_stop = makeButton(tr("Stop"), QStringLiteral("stop"));
    layout->addWidget(runLabel);
    layout->addWidget(m_run);
    layout->addSpacing(metrics::kGrid);
    layout->addWidget(fileLabel);
    layout->addWidget(m_file, 1);
    layout->addWidget(choose);
    layout->addWidget(m_stop);
    layout->addWidget(m_start);
    connect(m_start, &QPushButton::clicked, this, &EvaluatePage::start);
    connect(m_stop, &QPushButton::clicked, this, [this] { bench().evaluate().cancel(); });
    connect(choose, &QToolButton::clicked, this, &EvaluatePage::browse);
    connect(m_file, &QLineEdit::textChanged, this, &EvaluatePage::refresh);
    connect(m_run, &QComboBox::currentIndexChanged, this, [this](int index) {
        const int row = index < 0 ? -1 : bench().runs().rowOf(m_run->itemData(index).toString());
        if (row < 0) return;
        const QString beside = testFileBeside(QString::fromStdString(bench().runs().at(row).recipe.data));
        if (!beside.isEmpty()) m_file->setText(shownPath(beside));
    });
    return card;
}

QWidget* EvaluatePage::makeContent() {
    auto* content = new QWidget;
    auto* layout = makeLayout<QVBoxLayout>(content, 0, metrics::kGrid);
    m_caption = makeLabel({}, QStringLiteral("muted"));
    m_table = makeTable(QT_TRANSLATE_NOOP("Tables", "Scores of base and tuned"));
    m_table->setModel(&bench().evaluate());
    m_table->setItemDelegateForColumn(EvaluateModel::Base, new VariantDelegate(0, m_table));
    m_table->setItemDelegateForColumn(EvaluateModel::Tuned, new VariantDelegate(1, m_table));
    m_table->setMaximumWidth(760);
    m_table->horizontalHeader()->setSectionResizeMode(QHeaderView::Stretch);
    m_table->setFixedHeight(5 * 30 + 40);
    layout->addWidget(m_caption);
    layout->addWidget(m_table);
    layout->addStretch(1);
    return content;
}

void EvaluatePage::activated() {
    refreshTargets();
}

void EvaluatePage::refreshTargets() {
    QStringList folders;
    for (const RunSummary& run : bench().runs().all())
        if (run.bestLoss && !run.recipe.model.empty()) folders << run.folder;
    QStringList present;
    for (int i = 0; i < m_run->count(); ++i) present << m_run->itemData(i).toString();
    if (folders == present) return;
    m_run->clear();
    for (const RunSummary& run : bench().runs().all())
        if (folders.contains(run.folder))
            m_run->addItem(QStringLiteral("%1  ·  %2").arg(run.title, run.id), run.folder);
    refresh();
}

void EvaluatePage::browse() {
    auto* dialog = new QFileDialog(this, tr("Choose test rows"), m_file->text(),
                                   tr("Test rows (*.jsonl *.json *.csv *.tsv *.gz *.zst);;All files (*)"));
    dialog->setFileMode(QFileDialog::ExistingFile);
    dialog->setAttribute(Qt::WA_DeleteOnClose);
    connect(dialog, &QFileDialog::fileSelected, m_file, &QLineEdit::setText);
    dialog->open();
}

void EvaluatePage::start() {
    const QString folder = m_run->currentData().toString();
    const int row = bench().runs().rowOf(folder);
    if (row < 0) return;
    const core::Recipe& recipe = bench().runs().at(row).recipe;
    bench().evaluate().start({.model = QString::fromStdString(recipe.model),
                              .adapter = folder,
                              .testFile = typedPath(m_file->text()),
                              .templateName = QString::fromStdString(recipe.templateName),
                              .library = bench().library()});
}

void EvaluatePage::refresh() {
    const EvaluateModel& model = bench().evaluate();
    m_stop->setVisible(model.isRunning());
    m_start->setVisible(!model.isRunning());
    const QString reason = m_run->count() == 0        ? tr("There is no evaluated run yet.")
                           : m_file->text().isEmpty() ? tr("Choose a file of test rows first.")
                                                      : QString();
    setEnabledOrWhy(m_start, reason, tr("Runs base and tuned on every row of the file"));
    if (!m_states) return;
    if (!model.hasResult()) return model.isRunning() ? m_states->showLoading(model.phase()) : m_states->showEmpty();
    m_states->showContent();
    m_caption->setText(tr("%1%2").arg(QFileInfo(model.setup().testFile).fileName(),
                                      model.isRunning() ? tr(": %1").arg(model.phase().toLower()) : QString()));
}

}  // namespace wb::app
