// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/gui/pages/compare/compare_page.h"

#include <QAction>
#include <QComboBox>

#include "app/gui/pages/compare/pane_view.h"
#include "app/gui/pages/compare/parameter_row.h"
#include "app/gui/pages/compare/prompt_editor.h"
#include "app/gui/theme/icons.h"
#include "app/gui/widgets/kernel_lane.h"
#include "app/gui/widgets/segment_switch.h"
#include "app/gui/widgets/state_stack.h"

namespace wb::app {

ComparePage::ComparePage(Workbench& workbench, QWidget* parent) : Page(workbench, tr("Compare"), parent) {
    makeTargetChoice();
    m_states = new StateStack(makeContent());
    m_states->setEmpty(QStringLiteral("compare"), tr("Nothing to compare yet"),
                       tr("Once a run has made its first evaluation, the base and the tuned model answer the same "
                          "prompt here, side by side."),
                       tr("Show all runs"), [this] { emit bench().pageRequested(PageId::Runs); });
    m_message = new MessageBar;
    body().addWidget(m_message);
    body().addWidget(m_states, 1);
    makeShortcuts();

    CompareModel& model = workbench.compare();
    connect(&workbench, &Workbench::compareTargetChanged, this, [this] {
        rebuildPanes();
        if (m_prompt->isEmpty()) m_prompt->setText(bench().suggestedPrompt());
    });
    connect(&workbench.data(), &DataModel::changed, this, [this] {
        m_prompt->setColumns(bench().data().columnNames());
        if (m_prompt->isEmpty()) m_prompt->setText(bench().suggestedPrompt());
    });
    connect(&workbench.runs(), &RunsModel::refreshed, this, &ComparePage::refreshTargets);
    connect(&workbench.machine(), &MachineModel::changed, this, &ComparePage::refreshKernels);
    connect(&model, &CompareModel::updated, this, &ComparePage::refresh);
    connect(&model, &CompareModel::failed, this, [this](const Problem& problem) { m_message->showProblem(problem); });
    connect(&model, &CompareModel::engineDied, this, [this](const Problem& problem) {
        m_states->showError(problem, tr("Restart engine"), [this] { bench().compare().restartEngine(); });
    });
    refresh();
}

void ComparePage::makeTargetChoice() {
    header().addStretch(1);
    auto* label = makeLabel(tr("Tuned by"), QStringLiteral("muted"));
    m_target = new QComboBox;
    m_target->setAccessibleName(tr("Run whose model is compared with its base"));
    m_target->setMinimumWidth(280);
    label->setBuddy(m_target);
    header().addWidget(label);
    header().addWidget(m_target);
    connect(m_target, &QComboBox::activated, this,
            [this](int index) { bench().compareRun(m_target->itemData(index).toString()); });
}

QWidget* ComparePage::makeContent() {
    auto* content = new QWidget;
    auto* layout = makeLayout<QVBoxLayout>(content, 0, metrics::kGrid + 4);
    m_prompt = new PromptEditor;
    m_prompt->setFixedHeight(92);
    layout->addWidget(m_prompt);
    auto* row = new QHBoxLayout;
    row->setSpacing(metrics::kGrid);
    m_parameters = new ParameterRow;
    m_stop = makeButton(tr("Stop"), QStringLiteral("stop"));
    m_run = makeButton(tr("Run"), QStringLiteral("play"), QStringLiteral("primary"));
    m_run->setObjectName(QStringLiteral("runCompare"));
    row->addWidget(m_parameters, 1);
    row->addWidget(m_stop);
    row->addWidget(m_run);
    layout->addLayout(row);
    layout->addWidget(makeViewSwitch());
    m_paneRow = new QWidget;
    makeLayout<QHBoxLayout>(m_paneRow, 0, metrics::kGap);
    layout->addWidget(m_paneRow, 1);
    layout->addWidget(makeKernels());
    connect(m_run, &QPushButton::clicked, this, &ComparePage::run);
    connect(m_stop, &QPushButton::clicked, this, [this] { bench().compare().cancel(); });
    connect(m_prompt, &PromptEditor::changed, this, &ComparePage::refreshRun);
    connect(m_parameters, &ParameterRow::attentionChosen, this, [this] {
        if (bench().compare().hasResult()) run();
    });
    return content;
}

QWidget* ComparePage::makeViewSwitch() {
    auto* holder = new QWidget;
    auto* layout = makeLayout<QHBoxLayout>(holder, 0, metrics::kGap);
    m_views = new SegmentSwitch(
        tr("View of the answers"),
        {{tr("Plain"), tr("The answers as they are")},
         {tr("Diff"), tr("What only one of them wrote")},
         {tr("Confidence"), tr("The stronger the tint, the less sure the writer was")},
         {tr("Difference"), tr("Tinted by the model that finds the token likelier, from both models' log-probs")}});
    m_views->setCurrent(static_cast<int>(m_view));
    layout->addWidget(m_views);
    m_divergence = makeLabel({}, QStringLiteral("muted"));
    layout->addWidget(m_divergence, 1);
    connect(m_views, &SegmentSwitch::chosen, this, [this](int id) { setView(static_cast<CompareView>(id)); });
    return holder;
}

QWidget* ComparePage::makeKernels() {
    auto* card = makeCard();
    auto* layout = makeLayout<QVBoxLayout>(card, metrics::kGrid, 4);
    auto* row = new QHBoxLayout;
    auto* title = makeLabel(tr("Kernels"), QStringLiteral("strong"));
    m_attention = makeLabel({}, QStringLiteral("muted"));
    auto* details = makeButton(tr("All kernels"), {}, QStringLiteral("link"));
    row->addWidget(title);
    row->addSpacing(metrics::kGap);
    row->addWidget(m_attention, 1);
    row->addWidget(details);
    layout->addLayout(row);
    m_lane = new KernelLane;
    m_lane->setFixedHeight(112);
    m_lane->setModels({QStringLiteral("base"), QStringLiteral("tuned")});
    m_lane->setEmptyText(tr("Each op of the next answer: its time and how close it comes to this machine's limit."));
    layout->addWidget(m_lane);
    connect(details, &QPushButton::clicked, this, [this] { emit bench().pageRequested(PageId::Kernels); });
    return card;
}

void ComparePage::makeShortcuts() {
    const auto add = [this](const QString& text, const QKeySequence& keys, const QString& icon, auto call) {
        auto* action = new QAction(lineIcon(icon), text, this);
        action->setShortcut(keys);
        action->setShortcutContext(Qt::WidgetWithChildrenShortcut);
        connect(action, &QAction::triggered, this, call);
        addAction(action);
    };
    add(tr("Run comparison"), QKeySequence(tr("Ctrl+Return")), QStringLiteral("play"), [this] { m_run->click(); });
    add(tr("Stop comparison"), QKeySequence(tr("Ctrl+.")), QStringLiteral("stop"),
        [this] { bench().compare().cancel(); });
    const QStringList names{tr("View: plain"), tr("View: diff"), tr("View: confidence"),
                            tr("View: difference in log-probability")};
    for (int i = 0; i < names.size(); ++i)
        add(names[i], QKeySequence(QStringLiteral("Alt+%1").arg(i + 1)), QStringLiteral("compare"),
            [this, i] { setView(static_cast<CompareView>(i)); });
}

void ComparePage::activated() {
    refreshTargets();
    if (bench().compare().panes().isEmpty() && m_target->count() > 0 && !bench().compare().isRunning())
        bench().compareRun(m_target->itemData(0).toString());
}

void ComparePage::refreshTargets() {
    QStringList folders;
    QStringList titles;
    for (const RunSummary& run : bench().runs().all()) {
        if (!run.bestLoss || run.recipe.model.empty()) continue;
        folders << run.folder;
        titles << QStringLiteral("%1  ·  %2").arg(run.title, run.id);
    }
    QStringList present;
    for (int i = 0; i < m_target->count(); ++i) present << m_target->itemData(i).toString();
    if (present != folders) {
        m_target->clear();
        for (qsizetype i = 0; i < folders.size(); ++i) m_target->addItem(titles[i], folders[i]);
    }
    const auto& panes = bench().compare().panes();
    if (panes.size() > 1) m_target->setCurrentIndex(m_target->findData(QString::fromStdString(panes[1].spec.adapter)));
    m_target->setEnabled(m_target->count() > 0);
}

void ComparePage::rebuildPanes() {
    qDeleteAll(m_panes);
    m_panes.clear();
    for (int i = 0; i < bench().compare().panes().size(); ++i) {
        auto* pane = new PaneView(i);
        m_paneRow->layout()->addWidget(pane);
        connect(pane, &PaneView::tokenActivated, this,
                [this, i](int output, int token) { bench().compare().continueFrom(i, output, token); });
        m_panes.append(pane);
    }
    m_message->hide();
    refreshTargets();
    refresh();
}

void ComparePage::setView(CompareView view) {
    m_view = view;
    m_views->setCurrent(static_cast<int>(view));
    refresh();
}

void ComparePage::run() {
    CompareModel& model = bench().compare();
    if (model.panes().isEmpty() || m_prompt->isEmpty()) return;
    m_message->hide();
    core::PromptSpec prompt = m_prompt->prompt();
    prompt.templateName = bench().compareTemplate().toStdString();
    model.run(prompt, m_parameters->settings());
}

void ComparePage::refresh() {
    CompareModel& model = bench().compare();
    if (m_panes.size() != model.panes().size()) return rebuildPanes();
    if (model.panes().isEmpty()) return m_states->showEmpty();
    m_states->showContent();
    const RunModel& run = bench().run();
    const bool isOfOpenRun = model.panes().size() > 1 && run.started() &&
                             QString::fromStdString(model.panes()[1].spec.adapter) == run.folder();
    for (PaneView* pane : m_panes) {
        pane->setExpectedModelHash(isOfOpenRun ? QString::fromStdString(run.started()->modelHash) : QString());
        pane->show(model, m_view);
    }
    refreshRun();
    refreshKernels();
    m_divergence->clear();
    if (model.comparedOutputs() > 0 && !model.isRunning()) {
        const int first = model.diff(0).firstDivergence;
        m_divergence->setText(first < 0 ? tr("Both wrote the same.")
                                        : tr("First difference at token %1, marked in both.").arg(first + 1));
    }
}

void ComparePage::refreshRun() {
    const CompareModel& model = bench().compare();
    m_stop->setVisible(model.isRunning());
    m_run->setVisible(!model.isRunning());
    const QString reason = model.panes().isEmpty() ? tr("Choose a run first.")
                           : m_prompt->isEmpty()   ? tr("Write a prompt first.")
                                                   : QString();
    setEnabledOrWhy(m_run, reason, tr("Both models answer (Ctrl+Return)"));
}

void ComparePage::refreshKernels() {
    const CompareModel& model = bench().compare();
    m_lane->setRows(model.kernels(), bench().machine().peak());
    for (const core::KernelRow& row : model.kernels()) {
        if (row.name.find("attention") == std::string::npos || row.backend.empty()) continue;
        QString text = tr("attention: %1").arg(QString::fromStdString(row.backend));
        if (!row.reason.empty()) text += QStringLiteral(" (%1)").arg(QString::fromStdString(row.reason));
        m_attention->setText(text);
        return;
    }
    m_attention->clear();
}

}  // namespace wb::app
