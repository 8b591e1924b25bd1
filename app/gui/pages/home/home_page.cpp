// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/gui/pages/home/home_page.h"

#include <QAction>
#include <QFileDialog>
#include <QHeaderView>
#include <QTableView>

#include "app/gui/pages/home/drop_area.h"
#include "app/gui/theme/icons.h"
#include "app/gui/widgets/sparkline_delegate.h"
#include "app/gui/widgets/tables.h"

namespace wb::app {

namespace {

// A large button: icon, headline, one line of what it does.
QPushButton* makeActionButton(const QString& icon, const QString& headline, const QString& text) {
    auto* button = new QPushButton;
    button->setProperty("role", QStringLiteral("action"));
    button->setAccessibleName(headline);
    button->setAccessibleDescription(text);
    auto* layout = makeLayout<QHBoxLayout>(button, metrics::kGrid, metrics::kGap);
    layout->setContentsMargins(metrics::kGap, metrics::kGrid, metrics::kGap, metrics::kGrid);
    auto* picture = new IconLabel(icon, IconTint::Text, 28);
    auto* words = new QVBoxLayout;
    words->setSpacing(2);
    auto* muted = makeLabel(text, QStringLiteral("muted"));
    muted->setWordWrap(true);
    words->addStretch(1);
    words->addWidget(makeLabel(headline, QStringLiteral("section")));
    words->addWidget(muted);
    words->addStretch(1);
    layout->addWidget(picture);
    layout->addLayout(words, 1);
    // Clicks anywhere belong to the button.
    for (QWidget* part : button->findChildren<QWidget*>()) part->setAttribute(Qt::WA_TransparentForMouseEvents);
    return button;
}

}  // namespace

HomePage::HomePage(Workbench& workbench, QWidget* parent) : Page(workbench, tr("Home"), parent) {
    header().addStretch(1);
    auto* lead = makeLabel(tr("Fine-tune a small language model on your own data, see base and tuned side by side, "
                              "take away a checkpoint that is proved."),
                           QStringLiteral("muted"));
    lead->setWordWrap(true);
    body().addWidget(lead);
    body().addWidget(makeActions());
    body().addWidget(makeDropArea());
    body().addWidget(makeRuns(), 1);
    body().addWidget(makeMachineLine());
    connect(&workbench.runs(), &RunsModel::refreshed, this, &HomePage::refreshRuns);
    connect(&workbench.machine(), &MachineModel::changed, this, [this] {
        const MachineModel& machine = bench().machine();
        m_machine->setFullText(machine.summary());
        setRole(m_machine, machine.hasProblem() ? QStringLiteral("error") : QStringLiteral("muted"));
        m_examine->setVisible(machine.hasProblem());
    });
    refreshRuns();
}

QWidget* HomePage::makeActions() {
    auto* row = new QWidget;
    auto* layout = makeLayout<QHBoxLayout>(row, 0, metrics::kGap);
    auto* openSample = makeActionButton(QStringLiteral("sample"), tr("Open the sample"),
                                        tr("400 rows and a bundled model: from data to comparison in minutes"));
    auto* openData = makeActionButton(QStringLiteral("data"), tr("Open data"),
                                      tr("JSONL, JSON, CSV, TSV or text, also .gz and .zst"));
    auto* openModel = makeActionButton(QStringLiteral("model"), tr("Open a model"),
                                       tr("A Hugging Face folder, or drop a GGUF file below"));
    openSample->setObjectName(QStringLiteral("openSample"));
    for (QPushButton* button : {openSample, openData, openModel}) layout->addWidget(button, 1);
    connect(openSample, &QPushButton::clicked, this, [this] { bench().openSample(); });
    connect(openData, &QPushButton::clicked, this, [this] {
        chooseWith(tr("Open data"), tr("Training data (*.jsonl *.json *.csv *.tsv *.txt *.gz *.zst);;All files (*)"),
                   false);
    });
    connect(openModel, &QPushButton::clicked, this, [this] { chooseWith(tr("Open a model folder"), {}, true); });
    return row;
}

void HomePage::chooseWith(const QString& title, const QString& filter, bool isFolder) {
    auto* dialog = new QFileDialog(this, title, QString(), filter);
    dialog->setFileMode(isFolder ? QFileDialog::Directory : QFileDialog::ExistingFile);
    dialog->setAttribute(Qt::WA_DeleteOnClose);
    connect(dialog, &QFileDialog::fileSelected, this, [this](const QString& path) { bench().openPath(path); });
    dialog->open();
}

QWidget* HomePage::makeDropArea() {
    auto* area = new DropArea(tr("Drop data, a model, an adapter or a run folder here"));
    connect(area, &DropArea::dropped, this, [this](const QString& path) { bench().openPath(path); });
    return area;
}

QWidget* HomePage::makeRuns() {
    auto* holder = new QWidget;
    auto* layout = makeLayout<QVBoxLayout>(holder, 0, metrics::kGrid);
    layout->addWidget(makeLabel(tr("Recent runs"), QStringLiteral("section")));
    m_noRuns = makeLabel(tr("No run yet. The first one starts with the sample or with your own data."),
                         QStringLiteral("muted"));
    m_noRuns->setAlignment(Qt::AlignTop);
    m_runs = makeTable(QT_TRANSLATE_NOOP("Tables", "Recent runs"));
    m_runs->setModel(&bench().runs());
    m_runs->setSelectionMode(QAbstractItemView::SingleSelection);
    m_runs->setItemDelegateForColumn(RunsModel::Curve, new SparklineDelegate(m_runs));
    m_runs->setItemDelegateForColumn(RunsModel::State, new RunStateDelegate(m_runs));
    for (const int column : {RunsModel::Method, RunsModel::Duration}) m_runs->hideColumn(column);
    m_runs->horizontalHeader()->setSectionResizeMode(RunsModel::Title, QHeaderView::Stretch);
    m_runs->setColumnWidth(RunsModel::State, 190);
    m_runs->setColumnWidth(RunsModel::Curve, 160);
    m_runs->setColumnWidth(RunsModel::Steps, 110);
    m_runs->setColumnWidth(RunsModel::BestLoss, 132);
    m_runs->setColumnWidth(RunsModel::Started, 150);
    layout->addWidget(m_noRuns);
    layout->addWidget(m_runs, 1);
    layout->addStretch(0);
    const auto open = [this](const QModelIndex& index) {
        bench().openRun(index.data(RunsModel::FolderRole).toString());
    };
    connect(m_runs, &QTableView::activated, this, open);
    return holder;
}

QWidget* HomePage::makeMachineLine() {
    auto* row = new QWidget;
    auto* layout = makeLayout<QHBoxLayout>(row, 0, metrics::kGrid);
    auto* icon = new IconLabel(QStringLiteral("machine"), IconTint::Muted, metrics::kIcon);
    m_machine = new ElidedLabel(tr("Looking at this machine"));
    setRole(m_machine, QStringLiteral("muted"));
    m_machine->setObjectName(QStringLiteral("machineLine"));
    m_examine = makeButton(tr("Look again"), QStringLiteral("refresh"));
    m_examine->hide();
    layout->addWidget(icon);
    layout->addWidget(m_machine, 1);
    layout->addWidget(m_examine);
    connect(m_examine, &QPushButton::clicked, this, [this] { bench().machine().examine(); });
    return row;
}

void HomePage::refreshRuns() {
    const bool hasRuns = bench().runs().total() > 0;
    m_noRuns->setVisible(!hasRuns);
    m_runs->setVisible(hasRuns);
}

}  // namespace wb::app
