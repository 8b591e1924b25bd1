// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/gui/frame/main_window.h"

#include <gtest/gtest.h>

#include <QAction>
#include <QDropEvent>
#include <QLabel>
#include <QLineEdit>
#include <QListWidget>
#include <QMimeData>
#include <QSet>
#include <QSettings>
#include <QTest>
#include <QUrl>

#include "app/gui/frame/close_dialog.h"
#include "app/gui/frame/command_palette.h"
#include "app/gui/frame/job_strip.h"
#include "app/models/workbench.h"
#include "tests/gui/gui_test_support.h"
#include "tests/support/temporary_folder.h"

namespace wb::app {

using test::waitUntil;

namespace {

struct Opened {
    explicit Opened(const test::TemporaryFolder& folder)
        : settings(QString::fromStdString((folder / "settings.ini").string()), QSettings::IniFormat),
          workbench(QString::fromStdString((folder / "library").string())),
          window(workbench, settings) {
        window.show();
        workbench.begin();
    }
    QSettings settings;
    Workbench workbench;
    MainWindow window;
};

void drop(QWidget& target, const QString& path) {
    QMimeData mime;
    mime.setUrls({QUrl::fromLocalFile(path)});
    // A drop is only delivered where the drag has been accepted.
    QDragEnterEvent enter(QPoint(200, 200), Qt::CopyAction, &mime, Qt::LeftButton, Qt::NoModifier);
    QCoreApplication::sendEvent(&target, &enter);
    QDropEvent event(QPointF(200, 200), Qt::CopyAction, &mime, Qt::LeftButton, Qt::NoModifier);
    QCoreApplication::sendEvent(&target, &event);
}

}  // namespace

TEST(MainWindow, remembersPageFormAndSize) {
    const test::TemporaryFolder folder;
    {
        Opened first(folder);
        first.window.resize(1300, 800);
        first.window.showPage(PageId::Kernels);
        first.workbench.recipe().setText(QStringLiteral("epochs"), QStringLiteral("9"));
        first.window.close();
    }
    Opened second(folder);
    EXPECT_EQ(second.window.currentPage(), PageId::Kernels);
    EXPECT_EQ(second.window.size(), QSize(1300, 800));
    EXPECT_EQ(second.workbench.recipe().recipe().epochs, 9);
}

TEST(MainWindow, formIsKeptWithoutAnyClosing) {
    const test::TemporaryFolder folder;
    Opened first(folder);
    first.workbench.recipe().setText(QStringLiteral("batch_size"), QStringLiteral("5"));
    first.settings.sync();  // what a killed window has written by itself within a second
    QSettings other(first.settings.fileName(), QSettings::IniFormat);
    EXPECT_EQ(other.value(QStringLiteral("form/batch_size")).toString(), "5");
}

TEST(MainWindow, actionsHaveTextsAndUniqueShortcuts) {
    const test::TemporaryFolder folder;
    Opened opened(folder);
    QSet<QString> shortcuts;
    const QList<QAction*> actions = opened.window.allActions();
    EXPECT_GE(actions.size(), 20);
    for (const QAction* action : actions) {
        EXPECT_FALSE(action->text().isEmpty());
        if (action->shortcut().isEmpty()) continue;
        EXPECT_FALSE(shortcuts.contains(action->shortcut().toString())) << action->shortcut().toString().toStdString();
        shortcuts.insert(action->shortcut().toString());
    }
}

TEST(MainWindow, paletteRunsACommandByName) {
    const test::TemporaryFolder folder;
    Opened opened(folder);
    for (QAction* action : opened.window.allActions())
        if (action->text() == QLatin1String("Commands")) action->trigger();
    auto* palette = opened.window.findChild<CommandPalette*>();
    ASSERT_TRUE(palette->isVisible());
    auto* input = palette->findChild<QLineEdit*>();
    QTest::keyClicks(input, QStringLiteral("evalu"));
    EXPECT_EQ(palette->findChild<QListWidget*>()->count(), 1);
    QTest::keyClick(input, Qt::Key_Return);
    EXPECT_FALSE(palette->isVisible());
    EXPECT_EQ(opened.window.currentPage(), PageId::Evaluate);
}

TEST(MainWindow, takesWhatCanBeOpenedAndRefusesTheRestByName) {
    const test::TemporaryFolder folder;
    Opened opened(folder);
    test::writeRows(folder / "rows.jsonl", 5);
    drop(opened.window, QString::fromStdString((folder / "rows.jsonl").string()));
    EXPECT_EQ(opened.window.currentPage(), PageId::Data);
    ASSERT_TRUE(waitUntil([&] { return opened.workbench.data().isLoaded(); }));
    EXPECT_EQ(opened.workbench.data().rowCount(), 5);

    drop(opened.window, QStringLiteral(WHETBENCH_SOURCE_DIR "/resources/models/pocket"));
    EXPECT_TRUE(opened.workbench.modelPath().endsWith(QStringLiteral("pocket")));
    EXPECT_EQ(opened.window.currentPage(), PageId::Train);

    const test::RecordedRun run(folder / "library");
    drop(opened.window, run.folder());
    EXPECT_EQ(opened.workbench.run().folder(), run.folder());

    test::writeText(folder / "picture.png", "x");
    drop(opened.window, QString::fromStdString((folder / "picture.png").string()));
    const auto* message = opened.window.findChild<QLabel*>(QStringLiteral("messageText"));
    ASSERT_NE(message, nullptr);
    EXPECT_TRUE(message->isVisible());
    EXPECT_TRUE(message->text().contains(QStringLiteral("picture.png")));
    EXPECT_TRUE(message->text().contains(QStringLiteral(".jsonl")));
}

TEST(MainWindow, closingWithARunAsksAndCancelStays) {
    const test::TemporaryFolder folder;
    Opened opened(folder);
    test::RecordedRun run(folder / "library");
    const core::RunLock lock(run.run);
    run.start(100);
    run.steps(1, 10);
    opened.workbench.runs().refresh();
    ASSERT_TRUE(waitUntil([&] { return opened.workbench.runs().live().size() == 1; }));
    ASSERT_TRUE(waitUntil([&] { return opened.window.findChild<JobStrip*>()->jobCount() == 1; }));
    opened.window.close();
    EXPECT_TRUE(opened.window.isVisible());
    auto* dialog = opened.window.findChild<CloseDialog*>();
    ASSERT_NE(dialog, nullptr);
    EXPECT_TRUE(dialog->isVisible());
    emit dialog->chosen(CloseDialog::Cancel);
    dialog->close();
    test::spin(20);
    EXPECT_TRUE(opened.window.isVisible());
    opened.window.close();
    const auto dialogs = opened.window.findChildren<CloseDialog*>();
    ASSERT_FALSE(dialogs.isEmpty());
    emit dialogs.last()->chosen(CloseDialog::KeepRunning);
    EXPECT_FALSE(opened.window.isVisible());
    EXPECT_EQ(run.run.control(), core::RunControl::None);
}

}  // namespace wb::app
