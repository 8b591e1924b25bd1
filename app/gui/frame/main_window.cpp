// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/gui/frame/main_window.h"

#include <QAction>
#include <QActionGroup>
#include <QApplication>
#include <QCloseEvent>
#include <QDragEnterEvent>
#include <QFileDialog>
#include <QMimeData>
#include <QSettings>
#include <QSplitter>
#include <QStackedWidget>

#include "app/gui/frame/close_dialog.h"
#include "app/gui/frame/command_palette.h"
#include "app/gui/frame/job_strip.h"
#include "app/gui/frame/log_drawer.h"
#include "app/gui/frame/nav_rail.h"
#include "app/gui/page_list.h"
#include "app/gui/pages/page.h"
#include "app/gui/theme/icons.h"
#include "app/gui/widgets/state_stack.h"
#include "kernels/base/error.h"

namespace wb::app {

MainWindow::MainWindow(Workbench& workbench, QSettings& settings) : m_workbench(workbench), m_settings(settings) {
    setWindowTitle(QStringLiteral("Whetbench"));
    setWindowIcon(QIcon(QStringLiteral(":/icons/whetbench.svg")));
    setMinimumSize(1100, 700);
    setAcceptDrops(true);
    auto* central = new QWidget;
    auto* layout = makeLayout<QVBoxLayout>(central, 0, 0);
    auto* middle = new QHBoxLayout;
    middle->setSpacing(0);
    m_rail = new NavRail;
    m_splitter = new QSplitter(Qt::Horizontal);
    m_splitter->setObjectName(QStringLiteral("windowSplitter"));
    auto* pages = new QWidget;
    auto* pagesLayout = makeLayout<QVBoxLayout>(pages, 0, 0);
    m_message = new MessageBar;
    m_stack = new QStackedWidget;
    pagesLayout->addWidget(m_message);
    pagesLayout->addWidget(m_stack, 1);
    m_log = new LogDrawer(workbench.log());
    m_log->hide();
    m_splitter->addWidget(pages);
    m_splitter->addWidget(m_log);
    m_splitter->setStretchFactor(0, 1);
    m_splitter->setChildrenCollapsible(false);
    middle->addWidget(m_rail);
    middle->addWidget(m_splitter, 1);
    m_jobs = new JobStrip(workbench);
    layout->addLayout(middle, 1);
    layout->addWidget(m_jobs);
    setCentralWidget(central);
    m_palette = new CommandPalette(this);
    makePages();
    makeActions();
    connect(&workbench, &Workbench::pageRequested, this, &MainWindow::showPage);
    connect(&workbench, &Workbench::refused, this, &MainWindow::showProblem);
    connect(&workbench.launcher(), &RunLauncher::failed, this, &MainWindow::showProblem);
    connect(m_jobs, &JobStrip::jobOpened, this, [this](const QString& key) {
        if (m_workbench.runs().rowOf(key) >= 0)
            m_workbench.openRun(key);
        else if (key == QLatin1String("compare"))
            showPage(PageId::Compare);
    });
    restore();
}

MainWindow::~MainWindow() = default;

void MainWindow::makePages() {
    auto* group = new QActionGroup(this);
    int number = 1;
    for (const PageEntry& entry : pageList()) {
        Page* page = entry.create(m_workbench, nullptr);
        page->setObjectName(QLatin1String(entry.name) + QStringLiteral("Page"));
        m_pages[entry.id] = page;
        m_stack->addWidget(page);
        auto* action = new QAction(lineIcon(QLatin1String(entry.icon)), entry.translatedTitle(), this);
        action->setCheckable(true);
        action->setShortcut(QKeySequence(QStringLiteral("Ctrl+%1").arg(number++)));
        action->setToolTip(
            QStringLiteral("%1 (%2)").arg(action->text(), action->shortcut().toString(QKeySequence::NativeText)));
        group->addAction(action);
        addAction(action);
        m_pageActions[entry.id] = action;
        m_rail->addPage(entry.id, action);
        connect(action, &QAction::triggered, this, [this, id = entry.id] { showPage(id); });
    }
}

QAction* MainWindow::addCommand(const QString& text, const QString& icon, const QKeySequence& shortcut,
                                const QString& tip) {
    auto* action = new QAction(lineIcon(icon), text, this);
    action->setShortcut(shortcut);
    action->setToolTip(
        shortcut.isEmpty() ? tip : QStringLiteral("%1 (%2)").arg(tip, shortcut.toString(QKeySequence::NativeText)));
    addAction(action);
    return action;
}

void MainWindow::makeActions() {
    const auto on = [this](QAction* action, auto call) { connect(action, &QAction::triggered, this, call); };
    on(addCommand(tr("Open the sample"), QStringLiteral("sample"), {}, tr("Sample data with the bundled model")),
       [this] { m_workbench.openSample(); });
    on(addCommand(tr("Open data…"), QStringLiteral("file"), QKeySequence::Open, tr("Choose a file of training data")),
       [this] {
           chooseFile(tr("Open data"),
                      tr("Training data (*.jsonl *.json *.csv *.tsv *.txt *.gz *.zst);;All files (*)"));
       });
    on(addCommand(tr("Open a model folder…"), QStringLiteral("model"), QKeySequence(tr("Ctrl+Shift+O")),
                  tr("Choose a folder with config.json")),
       [this] { chooseFolder(tr("Open a model folder")); });
    on(addCommand(tr("Open a model file…"), QStringLiteral("file"), {}, tr("Choose a GGUF file")),
       [this] { chooseFile(tr("Open a model file"), tr("Models (*.gguf *.safetensors);;All files (*)")); });
    on(addCommand(tr("Open a run folder…"), QStringLiteral("runs"), {}, tr("Show a run from its folder")),
       [this] { chooseFolder(tr("Open a run folder")); });
    on(addCommand(tr("Restart engine"), QStringLiteral("refresh"), {}, tr("A fresh engine process for Compare")),
       [this] { m_workbench.compare().restartEngine(); });
    on(addCommand(tr("Quit"), QStringLiteral("close"), QKeySequence::Quit, tr("Close the window")),
       [this] { close(); });

    QAction* palette = addCommand(tr("Commands"), QStringLiteral("command"), QKeySequence(tr("Ctrl+Shift+P")),
                                  tr("All commands by name"));
    on(palette, [this] { m_palette->open(allActions()); });
    QAction* log = addCommand(tr("Log"), QStringLiteral("log"), QKeySequence(tr("Ctrl+L")), tr("Show or hide the log"));
    log->setCheckable(true);
    on(log, [this](bool isShown) { m_log->setVisible(isShown); });
    QAction* theme = addCommand(tr("Theme"), QStringLiteral("theme"), QKeySequence(tr("Ctrl+Shift+L")),
                                tr("Switch between light and dark"));
    on(theme, [this] {
        switchTheme(tokensOf(QApplication::palette()).kind == ThemeKind::Light ? ThemeKind::Dark : ThemeKind::Light);
    });
    for (QAction* action : {palette, log, theme}) m_rail->addTool(action);
}

QList<QAction*> MainWindow::allActions() const {
    QList<QAction*> out;
    for (QAction* action : actions())
        if (!action->text().isEmpty()) out.append(action);
    for (const Page* page : m_pages)
        for (QAction* action : page->actions())
            if (!action->text().isEmpty()) out.append(action);
    return out;
}

void MainWindow::showPage(PageId id) {
    m_current = id;
    m_pageActions[id]->setChecked(true);
    m_stack->setCurrentWidget(m_pages[id]);
    m_pages[id]->activated();
    // What had the focus may have gone out of sight; a button of the rail that was used keeps it.
    if (!focusWidget() || !focusWidget()->isVisible() || m_stack->isAncestorOf(focusWidget())) m_pages[id]->setFocus();
    for (const PageEntry& entry : pageList())
        if (entry.id == id) m_settings.setValue(QStringLiteral("window/page"), QLatin1String(entry.name));
}

void MainWindow::showProblem(const Problem& problem) {
    m_message->showProblem(problem);
}

void MainWindow::chooseFile(const QString& title, const QString& filter) {
    auto* dialog = new QFileDialog(this, title, QString(), filter);
    dialog->setFileMode(QFileDialog::ExistingFile);
    dialog->setAttribute(Qt::WA_DeleteOnClose);
    connect(dialog, &QFileDialog::fileSelected, &m_workbench, &Workbench::openPath);
    dialog->open();
}

void MainWindow::chooseFolder(const QString& title) {
    auto* dialog = new QFileDialog(this, title);
    dialog->setFileMode(QFileDialog::Directory);
    dialog->setAttribute(Qt::WA_DeleteOnClose);
    connect(dialog, &QFileDialog::fileSelected, &m_workbench, &Workbench::openPath);
    dialog->open();
}

void MainWindow::switchTheme(ThemeKind kind) {
    applyTheme(*qobject_cast<QApplication*>(QCoreApplication::instance()), kind);
    m_settings.setValue(QStringLiteral("window/theme"),
                        kind == ThemeKind::Dark ? QStringLiteral("dark") : QStringLiteral("light"));
}

void MainWindow::restore() {
    if (!restoreGeometry(m_settings.value(QStringLiteral("window/geometry")).toByteArray())) resize(1440, 900);
    for (QSplitter* splitter : findChildren<QSplitter*>())
        if (!splitter->objectName().isEmpty())
            splitter->restoreState(
                m_settings.value(QStringLiteral("splitters/") + splitter->objectName()).toByteArray());
    QMap<QString, QString> form;
    m_settings.beginGroup(QStringLiteral("form"));
    for (const QString& key : m_settings.childKeys()) form[key] = m_settings.value(key).toString();
    m_settings.endGroup();
    m_workbench.recipe().setTexts(form);
    // The form is kept as it is typed, so that it survives even a killed window.
    connect(&m_workbench.recipe(), &RecipeModel::textChanged, this, [this](const QString& key) {
        const QString text = m_workbench.recipe().text(key);
        if (text.isEmpty())
            m_settings.remove(QStringLiteral("form/") + key);
        else
            m_settings.setValue(QStringLiteral("form/") + key, text);
    });
    showPage(pageByName(m_settings.value(QStringLiteral("window/page")).toString()).value_or(PageId::Home));
}

void MainWindow::save() {
    m_settings.setValue(QStringLiteral("window/geometry"), saveGeometry());
    for (const QSplitter* splitter : findChildren<QSplitter*>())
        if (!splitter->objectName().isEmpty())
            m_settings.setValue(QStringLiteral("splitters/") + splitter->objectName(), splitter->saveState());
    m_settings.sync();
}

void MainWindow::closeEvent(QCloseEvent* event) {
    save();
    const QVector<RunSummary> live = m_workbench.runs().live();
    if (m_mayClose || live.isEmpty()) {
        m_workbench.engine().stop();
        return event->accept();
    }
    event->ignore();
    QStringList titles;
    for (const RunSummary& run : live) titles << run.title;
    auto* dialog = new CloseDialog(titles, this);
    dialog->setAttribute(Qt::WA_DeleteOnClose);
    connect(dialog, &CloseDialog::chosen, this, [this](CloseDialog::Choice choice) {
        if (choice != CloseDialog::Cancel) closeFor(choice == CloseDialog::StopAndKeep);
    });
    dialog->open();
}

void MainWindow::closeFor(bool stopRuns) {
    if (stopRuns)
        for (const RunSummary& run : m_workbench.runs().live()) {
            try {
                core::RunFolder::open(run.folder.toStdString()).requestStop();
            } catch (const Error& error) {
                m_workbench.log().add(tr("workbench"), QString::fromUtf8(error.what()));  // it has ended by itself
            }
        }
    m_mayClose = true;
    close();
}

void MainWindow::dragEnterEvent(QDragEnterEvent* event) {
    if (event->mimeData()->hasUrls()) event->acceptProposedAction();
}

void MainWindow::dropEvent(QDropEvent* event) {
    const QList<QUrl> urls = event->mimeData()->urls();
    if (urls.isEmpty() || !urls.first().isLocalFile()) return;
    event->acceptProposedAction();
    m_workbench.openPath(urls.first().toLocalFile());
}

}  // namespace wb::app
