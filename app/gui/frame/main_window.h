// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QMainWindow>
#include <QMap>

#include "app/gui/theme/theme.h"
#include "app/models/page_id.h"
#include "app/models/whet_command.h"

class QSettings;
class QSplitter;
class QStackedWidget;

namespace wb::app {

class CommandPalette;
class JobStrip;
class LogDrawer;
class MessageBar;
class NavRail;
class Page;
class Workbench;

// Rail, pages, job strip, log drawer, palette; remembers geometry, splitters, page and form in `settings`.
class MainWindow : public QMainWindow {
    Q_OBJECT

public:
    MainWindow(Workbench& workbench, QSettings& settings);
    ~MainWindow() override;

    void showPage(PageId id);
    PageId currentPage() const { return m_current; }
    Page* page(PageId id) const { return m_pages.value(id); }
    void switchTheme(ThemeKind kind);
    // Every action of the window and its pages that has a name.
    QList<QAction*> allActions() const;

protected:
    void closeEvent(QCloseEvent* event) override;
    void dragEnterEvent(QDragEnterEvent* event) override;
    void dropEvent(QDropEvent* event) override;

private:
    void makePages();
    void makeActions();
    QAction* addCommand(const QString& text, const QString& icon, const QKeySequence& shortcut, const QString& tip);
    void restore();
    void save();
    void showProblem(const Problem& problem);
    void chooseFile(const QString& title, const QString& filter);
    void chooseFolder(const QString& title);
    void closeFor(bool stopRuns);

    Workbench& m_workbench;
    QSettings& m_settings;
    NavRail* m_rail = nullptr;
    QStackedWidget* m_stack = nullptr;
    QSplitter* m_splitter = nullptr;
    LogDrawer* m_log = nullptr;
    JobStrip* m_jobs = nullptr;
    MessageBar* m_message = nullptr;
    CommandPalette* m_palette = nullptr;
    QMap<PageId, Page*> m_pages;
    QMap<PageId, QAction*> m_pageActions;
    PageId m_current = PageId::Home;
    bool m_mayClose = false;
};

}  // namespace wb::app
