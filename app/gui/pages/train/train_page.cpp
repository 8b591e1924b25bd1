// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/gui/pages/train/train_page.h"

#include <QAction>
#include <QClipboard>
#include <QComboBox>
#include <QGuiApplication>
#include <QScrollArea>
#include <QSplitter>

#include "app/gui/pages/train/recipe_edit.h"
#include "app/gui/pages/train/recipe_form.h"
#include "app/gui/pages/train/run_view.h"
#include "app/gui/theme/icons.h"
#include "app/gui/widgets/memory_bar.h"
#include "app/models/presets.h"
#include "app/models/units.h"

namespace wb::app {

namespace {

constexpr int kScrollBarWidth = 12;  // of the style sheet

}  // namespace

TrainPage::TrainPage(Workbench& workbench, QWidget* parent) : Page(workbench, tr("Train"), parent) {
    auto* splitter = new QSplitter(Qt::Horizontal);
    splitter->setObjectName(QStringLiteral("trainSplitter"));
    splitter->setChildrenCollapsible(false);
    splitter->setHandleWidth(metrics::kMargin);
    splitter->setStyleSheet(QStringLiteral("QSplitter::handle { background: transparent; }"));
    m_view = new RunView(workbench);
    splitter->addWidget(makeLeft());
    splitter->addWidget(m_view);
    splitter->setStretchFactor(1, 1);
    splitter->setSizes({376, 884});
    body().addWidget(splitter, 1);
    makeActions();

    connect(&workbench.recipe(), &RecipeModel::changed, this, &TrainPage::refreshStart);
    connect(&workbench.plan(), &PlanModel::changed, this, &TrainPage::refreshPlan);
    connect(&workbench.data(), &DataModel::changed, this, &TrainPage::refreshStart);
    connect(&workbench.data(), &DataModel::auditChanged, this, &TrainPage::refreshStart);
    connect(&workbench.data(), &DataModel::failed, this, &TrainPage::refreshStart);
    connect(&workbench.launcher(), &RunLauncher::runStarted, this, &TrainPage::refreshStart);
    connect(&workbench.launcher(), &RunLauncher::failed, this, &TrainPage::refreshStart);
    refreshPlan();
}

QWidget* TrainPage::makeLeft() {
    auto* left = new QWidget;
    left->setMinimumWidth(320);
    auto* layout = makeLayout<QVBoxLayout>(left, 0, metrics::kGrid);
    auto* presetRow = new QHBoxLayout;
    presetRow->setSpacing(metrics::kGrid);
    presetRow->setContentsMargins(0, 0, kScrollBarWidth + metrics::kGrid, 0);  // ends where the fields end
    auto* label = makeLabel(tr("Preset"));
    label->setFixedWidth(RecipeForm::kLabelWidth);
    m_preset = new QComboBox;
    m_preset->setAccessibleName(tr("Preset"));
    m_preset->addItem(tr("choose to fill the form"));
    for (const RecipePreset& preset : recipePresets()) {
        m_preset->addItem(preset.title);
        m_preset->setItemData(m_preset->count() - 1, preset.meaning, Qt::ToolTipRole);
    }
    label->setBuddy(m_preset);
    presetRow->addWidget(label);
    presetRow->addWidget(m_preset, 1);
    layout->addLayout(presetRow);
    connect(m_preset, &QComboBox::activated, this, &TrainPage::applyPreset);

    auto* scroll = new QScrollArea;
    scroll->setWidgetResizable(true);
    scroll->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    m_form = new RecipeForm(bench().recipe(), m_undo);
    m_form->setContentsMargins(0, 0, metrics::kGrid, 0);
    scroll->setWidget(m_form);
    scroll->setAccessibleName(tr("Recipe"));
    layout->addWidget(scroll, 1);
    layout->addWidget(makeFooter());
    return left;
}

QWidget* TrainPage::makeFooter() {
    auto* footer = new QWidget;
    auto* layout = makeLayout<QVBoxLayout>(footer, 0, metrics::kGrid);
    layout->addWidget(makeLine());
    m_planText = makeLabel({});
    m_planText->setWordWrap(true);
    m_memory = new MemoryBar;
    layout->addWidget(m_planText);
    layout->addWidget(m_memory);
    auto* row = new QHBoxLayout;
    row->setSpacing(metrics::kGrid);
    m_start = makeButton(tr("Start training"), QStringLiteral("play"), QStringLiteral("primary"));
    m_start->setObjectName(QStringLiteral("startTraining"));
    m_reason = makeLabel({}, QStringLiteral("muted"));
    m_reason->setWordWrap(true);
    m_reason->setObjectName(QStringLiteral("startReason"));
    row->addWidget(m_start);
    row->addWidget(m_reason, 1);
    layout->addLayout(row);
    connect(m_start, &QPushButton::clicked, this, [this] {
        bench().startTraining();
        refreshStart();
    });
    return footer;
}

void TrainPage::makeActions() {
    QAction* undo = m_undo.createUndoAction(this, tr("Undo"));
    undo->setShortcut(QKeySequence::Undo);
    undo->setIcon(lineIcon(QStringLiteral("undo")));
    QAction* redo = m_undo.createRedoAction(this, tr("Redo"));
    redo->setShortcut(QKeySequence::Redo);
    redo->setIcon(lineIcon(QStringLiteral("redo")));
    auto* start = new QAction(lineIcon(QStringLiteral("play")), tr("Start training"), this);
    start->setShortcut(QKeySequence(tr("Ctrl+T")));
    connect(start, &QAction::triggered, m_start, &QPushButton::click);
    auto* copy = new QAction(lineIcon(QStringLiteral("copy")), tr("Copy recipe as command"), this);
    connect(copy, &QAction::triggered, this,
            [this] { QGuiApplication::clipboard()->setText(bench().recipe().asCommand()); });
    for (QAction* action : {undo, redo, start, copy}) {
        action->setShortcutContext(Qt::WidgetWithChildrenShortcut);
        addAction(action);
    }
    header().addStretch(1);
    for (QAction* action : {undo, redo}) {
        auto* button = new QToolButton;
        button->setDefaultAction(action);
        button->setAccessibleName(action == undo ? tr("Undo") : tr("Redo"));
        button->setIconSize(QSize(metrics::kIcon, metrics::kIcon));
        header().addWidget(button);
    }
    auto* command = makeButton(tr("Copy as command"), QStringLiteral("copy"));
    connect(command, &QPushButton::clicked, copy, &QAction::trigger);
    header().addWidget(command);
}

void TrainPage::applyPreset(int index) {
    const QVector<RecipePreset> presets = recipePresets();
    if (index < 1 || index > presets.size()) return;
    const RecipePreset& preset = presets[index - 1];
    QMap<QString, QString> texts = bench().recipe().texts();
    for (auto it = preset.texts.begin(); it != preset.texts.end(); ++it) {
        if (it.value().isEmpty())
            texts.remove(it.key());
        else
            texts[it.key()] = it.value();
    }
    m_undo.push(new RecipeReplace(bench().recipe(), tr("preset %1").arg(preset.title), texts));
}

void TrainPage::refreshStart() {
    Workbench& workbench = bench();
    QString reason = workbench.recipe().firstProblem();
    const auto& plan = workbench.plan().plan();
    if (reason.isEmpty() && workbench.launcher().isBusy()) reason = tr("Starting.");
    if (reason.isEmpty() && workbench.data().isLoading()) reason = tr("The data is being read.");
    if (reason.isEmpty() && workbench.data().undecidedRows() > 0)
        reason = tr("Rows without a decision on the Data page: %1.").arg(workbench.data().undecidedRows());
    if (reason.isEmpty() && plan && !plan->fits)
        reason = tr("It does not fit: choose a smaller batch of tokens, a shorter maximum length or LoRA.");
    m_reason->setText(reason);
    setEnabledOrWhy(m_start, reason, tr("Starts a process of its own; closing this window does not stop it"));
}

void TrainPage::refreshPlan() {
    const PlanModel& plan = bench().plan();
    if (const auto& made = plan.plan()) {
        m_memory->setPlan(*made);
        const QString peak = formatBytes(static_cast<double>(made->peakBytes));
        const QString has = formatBytes(static_cast<double>(made->availableBytes));
        m_planText->setText(made->availableBytes <= 0 ? tr("Needs %1 at its peak.").arg(peak)
                            : made->fits              ? tr("Fits: %1 at its peak of %2 available.").arg(peak, has)
                                         : tr("Does not fit: %1 at its peak, %2 available.").arg(peak, has));
        setRole(m_planText, made->fits ? QString() : QStringLiteral("error"));
    } else {
        m_memory->clear();
        const bool isBusy = plan.isBusy();
        m_planText->setText(isBusy                     ? tr("Planning memory…")
                            : plan.problem().isEmpty() ? tr("The memory plan appears once model and data are chosen.")
                                                       : plan.problem().what);
        setRole(m_planText, isBusy || plan.problem().isEmpty() ? QStringLiteral("muted") : QStringLiteral("error"));
    }
    refreshStart();
}

}  // namespace wb::app
