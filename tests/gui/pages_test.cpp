// SPDX-License-Identifier: GPL-3.0-or-later
#include <gtest/gtest.h>

#include <QAbstractSpinBox>
#include <QComboBox>
#include <QLabel>
#include <QLineEdit>
#include <QPlainTextEdit>
#include <QPushButton>
#include <QSettings>
#include <QTableView>
#include <QTest>

#include "app/gui/frame/main_window.h"
#include "app/gui/page_list.h"
#include "app/gui/pages/compare/compare_page.h"
#include "app/gui/pages/compare/output_card.h"
#include "app/gui/pages/compare/pane_view.h"
#include "app/gui/pages/compare/prompt_editor.h"
#include "app/gui/pages/data/data_page.h"
#include "app/gui/pages/kernels/kernels_page.h"
#include "app/gui/pages/kernels/profile_view.h"
#include "app/gui/pages/runs/runs_page.h"
#include "app/gui/pages/train/run_view.h"
#include "app/gui/pages/train/train_page.h"
#include "app/gui/widgets/histogram_view.h"
#include "app/gui/widgets/plot_view.h"
#include "app/gui/widgets/state_stack.h"
#include "app/gui/widgets/token_strip.h"
#include "app/models/workbench.h"
#include "tests/gui/gui_test_support.h"
#include "tests/support/temporary_folder.h"

namespace wb::app {

using test::waitUntil;

namespace {

// A window over a fresh library and fresh settings.
struct Bench {
    Bench()
        : settings(QString::fromStdString((folder / "settings.ini").string()), QSettings::IniFormat),
          workbench(QString::fromStdString((folder / "library").string())),
          window(workbench, settings) {
        window.resize(1440, 900);
        window.show();
        workbench.begin();
    }
    template <class Type>
    Type& page(PageId id) {
        window.showPage(id);
        return *qobject_cast<Type*>(window.page(id));
    }
    StateStack::State stateOf(PageId id) { return window.page(id)->findChild<StateStack*>()->state(); }

    test::TemporaryFolder folder;
    QSettings settings;
    Workbench workbench;
    MainWindow window;
};

}  // namespace

TEST(Pages, allEightAreReachableByKeyboard) {
    Bench bench;
    bench.window.activateWindow();
    ASSERT_TRUE(QTest::qWaitForWindowActive(&bench.window));
    for (int i = 0; i < 8; ++i) {
        QTest::keyClick(&bench.window, static_cast<Qt::Key>(Qt::Key_1 + i), Qt::ControlModifier);
        EXPECT_EQ(static_cast<int>(bench.window.currentPage()), i);
    }
}

TEST(Pages, everyPageSaysWhatItIsForWhileEmpty) {
    Bench bench;
    ASSERT_TRUE(waitUntil([&] { return bench.workbench.runs().hasLoaded(); }));
    for (const PageEntry& entry : pageList()) {
        if (entry.id == PageId::Home) continue;
        bench.window.showPage(entry.id);
        ASSERT_TRUE(waitUntil([&] { return bench.stateOf(entry.id) == StateStack::State::Empty; })) << entry.name;
    }
    bench.window.showPage(PageId::Home);
    EXPECT_NE(bench.window.page(PageId::Home)->findChild<QPushButton*>(QStringLiteral("openSample")), nullptr);
    ASSERT_TRUE(waitUntil(
        [&] { return bench.workbench.machine().summary().contains(QStringLiteral("Test CPU, 2 cores, AVX2")); }));
}

TEST(Pages, everyInteractiveWidgetHasANameAndTakesFocus) {
    Bench bench;
    for (const PageEntry& entry : pageList()) {
        const QWidget* page = bench.window.page(entry.id);
        for (const QWidget* widget : page->findChildren<QWidget*>()) {
            const bool isInner = qobject_cast<const QAbstractSpinBox*>(widget->parentWidget()) ||
                                 qobject_cast<const QComboBox*>(widget->parentWidget());
            const bool isInteractive =
                qobject_cast<const QAbstractButton*>(widget) || qobject_cast<const QLineEdit*>(widget) ||
                qobject_cast<const QComboBox*>(widget) || qobject_cast<const QAbstractSpinBox*>(widget) ||
                qobject_cast<const QPlainTextEdit*>(widget) || qobject_cast<const QTableView*>(widget) ||
                qobject_cast<const TokenStrip*>(widget) || qobject_cast<const HistogramView*>(widget);
            if (!isInteractive || isInner) continue;
            // A button whose text is filled in later is hidden until then.
            const auto* button = qobject_cast<const QAbstractButton*>(widget);
            if (button && button->text().isEmpty() && button->accessibleName().isEmpty() && widget->isHidden())
                continue;
            const bool hasName = !widget->accessibleName().isEmpty() || (button && !button->text().isEmpty());
            EXPECT_TRUE(hasName) << entry.name << ": " << widget->metaObject()->className() << " "
                                 << widget->objectName().toStdString();
            EXPECT_NE(widget->focusPolicy() & Qt::TabFocus, 0)
                << entry.name << ": " << widget->metaObject()->className() << " "
                << widget->accessibleName().toStdString();
        }
    }
}

TEST(Pages, everyPageFitsTheSmallestWindow) {
    Bench bench;
    bench.workbench.openSample();
    bench.workbench.compareModels(QStringLiteral("m"), QStringLiteral("a"));
    ASSERT_TRUE(waitUntil([&] { return bench.workbench.data().isLoaded(); }));
    bench.window.resize(bench.window.minimumSize());
    for (const PageEntry& entry : pageList()) {
        bench.window.showPage(entry.id);
        test::spin(30);
        const QWidget* page = bench.window.page(entry.id);
        EXPECT_EQ(bench.window.size(), QSize(1100, 700));
        EXPECT_LE(page->minimumSizeHint().width(), page->width()) << entry.name;
        EXPECT_LE(page->minimumSizeHint().height(), page->height()) << entry.name;
    }
}

TEST(Pages, dataShowsRowsChipsAndAudit) {
    Bench bench;
    bench.workbench.openSample();
    auto& page = bench.page<DataPage>(PageId::Data);
    ASSERT_TRUE(waitUntil([&] { return bench.workbench.data().isLoaded(); }));
    EXPECT_EQ(bench.stateOf(PageId::Data), StateStack::State::Content);
    EXPECT_EQ(page.table().model()->rowCount(), 400);
    ASSERT_TRUE(waitUntil([&] { return !page.strip().tokens().isEmpty(); }));
    EXPECT_EQ(page.findChild<QLabel*>(QStringLiteral("verdict"))->text(), "400 of 400 rows will teach.");
    const QString first = page.strip().text();
    page.table().selectRow(5);
    ASSERT_TRUE(waitUntil([&] { return !page.strip().tokens().isEmpty() && page.strip().text() != first; }));
    // The handle of the histogram is the maximum length of the recipe.
    QTest::mouseClick(&page.histogram(), Qt::LeftButton, {}, QPoint(page.histogram().width() / 2, 40));
    EXPECT_EQ(bench.workbench.recipe().recipe().maxLength, page.histogram().limit());
}

TEST(Pages, unreadableDataIsAnErrorWithAWayOn) {
    Bench bench;
    bench.workbench.openData(QStringLiteral("/nonexistent/rows.jsonl"));
    ASSERT_TRUE(waitUntil([&] { return bench.stateOf(PageId::Data) == StateStack::State::Error; }));
    ASSERT_TRUE(test::clickButton(*bench.window.page(PageId::Data), "errorAction"));
    EXPECT_TRUE(waitUntil([&] { return bench.stateOf(PageId::Data) == StateStack::State::Empty; }));
}

TEST(Pages, startIsDisabledWithTheReasonBesideIt) {
    Bench bench;
    auto& page = bench.page<TrainPage>(PageId::Train);
    auto* start = page.findChild<QPushButton*>(QStringLiteral("startTraining"));
    auto* reason = page.findChild<QLabel*>(QStringLiteral("startReason"));
    EXPECT_FALSE(start->isEnabled());
    EXPECT_EQ(reason->text(), "Choose a model first.");
    bench.workbench.openSample();
    ASSERT_TRUE(
        waitUntil([&] { return bench.workbench.plan().plan().has_value() && bench.workbench.data().isLoaded(); }));
    EXPECT_TRUE(start->isEnabled()) << reason->text().toStdString();
    bench.workbench.recipe().setText(QStringLiteral("epochs"), QStringLiteral("-1"));
    EXPECT_FALSE(start->isEnabled());
    EXPECT_TRUE(reason->text().contains(QStringLiteral("epochs")));
}

TEST(Pages, trainingIsShownLiveAndSurvivesTheWindow) {
    test::TemporaryFolder folder;
    const QString library = QString::fromStdString((folder / "library").string());
    QString run;
    {
        QSettings settings(QString::fromStdString((folder / "a.ini").string()), QSettings::IniFormat);
        Workbench workbench(library);
        MainWindow window(workbench, settings);
        window.show();
        workbench.begin();
        workbench.openSample();
        workbench.recipe().setText(QStringLiteral("max_steps"), QStringLiteral("150"));
        ASSERT_TRUE(waitUntil([&] {
            return workbench.plan().plan().has_value() && workbench.data().isLoaded() && !workbench.plan().isBusy();
        }));
        window.showPage(PageId::Train);
        ASSERT_TRUE(test::clickButton(window, "startTraining"));
        ASSERT_TRUE(waitUntil([&] { return workbench.run().steps() > 5; }));
        run = workbench.run().folder();
        auto* page = qobject_cast<TrainPage*>(window.page(PageId::Train));
        EXPECT_EQ(page->runView().lossPlot().series().size(), 3);
    }
    QSettings settings(QString::fromStdString((folder / "b.ini").string()), QSettings::IniFormat);
    Workbench workbench(library);
    MainWindow window(workbench, settings);
    window.show();
    workbench.begin();
    ASSERT_TRUE(waitUntil([&] { return workbench.runs().live().size() == 1; }));
    workbench.openRun(workbench.runs().live()[0].folder);
    EXPECT_EQ(workbench.run().folder(), run);
    ASSERT_TRUE(waitUntil([&] { return workbench.run().state() == core::RunState::Finished; }));
    ASSERT_EQ(workbench.run().trainLoss().count(), 150);
    for (int step = 1; step <= 150; ++step) ASSERT_EQ(workbench.run().trainLoss().points()[step - 1].x(), step);
}

TEST(Pages, compareStreamsAndRecoversFromADeadEngine) {
    Bench bench;
    bench.workbench.compareModels(QStringLiteral("m"), QStringLiteral("a"));
    auto& page = bench.page<ComparePage>(PageId::Compare);
    page.prompt().setText(QStringLiteral("hello"));
    ASSERT_TRUE(test::clickButton(page, "runCompare"));
    ASSERT_TRUE(waitUntil([&] { return !bench.workbench.compare().isRunning(); }));
    ASSERT_NE(page.pane(0)->card(0), nullptr);
    EXPECT_EQ(page.pane(0)->card(0)->strip().text(), "Once upon a time.");
    EXPECT_EQ(page.pane(1)->card(0)->strip().text(), "Once upon the hill.");
    for (const CompareView view :
         {CompareView::Plain, CompareView::Confidence, CompareView::Difference, CompareView::Diff}) {
        page.setView(view);
        EXPECT_FALSE(page.grab().isNull());
    }
    page.prompt().setText(QStringLiteral("please die"));
    ASSERT_TRUE(test::clickButton(page, "runCompare"));
    ASSERT_TRUE(waitUntil([&] { return bench.stateOf(PageId::Compare) == StateStack::State::Error; }));
    ASSERT_TRUE(test::clickButton(page, "errorAction"));
    EXPECT_EQ(bench.stateOf(PageId::Compare), StateStack::State::Content);
    page.prompt().setText(QStringLiteral("hello again"));
    ASSERT_TRUE(test::clickButton(page, "runCompare"));
    ASSERT_TRUE(waitUntil([&] { return !bench.workbench.compare().isRunning(); }));
    EXPECT_EQ(page.pane(1)->card(0)->strip().text(), "Once upon the hill.");
    // The kernels of the answer are on the Kernels page, too.
    auto& kernels = bench.page<KernelsPage>(PageId::Kernels);
    EXPECT_EQ(kernels.profile().model().rowCount(), 2);
}

TEST(Pages, runsOverlaySelectedCurves) {
    Bench bench;
    const std::filesystem::path library = bench.workbench.library().toStdString();
    test::RecordedRun one(library);
    test::RecordedRun two(library);
    for (test::RecordedRun* run : {&one, &two}) {
        run->start(20);
        run->steps(1, 20);
        run->evaluate(10, 2.0F);
        run->evaluate(20, 1.0F);
        run->finish(20);
    }
    auto& page = bench.page<RunsPage>(PageId::Runs);
    bench.workbench.runs().refresh();
    ASSERT_TRUE(waitUntil([&] { return bench.workbench.runs().total() == 2; }));
    page.table().selectAll();
    ASSERT_TRUE(
        waitUntil([&] { return page.plot().series().size() == 2 && page.plot().series()[0].points.size() == 2; }));
    EXPECT_EQ(page.plot().series()[0].points.size(), 2);
    // The selection survives the list being read again.
    test::RecordedRun three(library);
    bench.workbench.runs().refresh();
    ASSERT_TRUE(waitUntil([&] { return bench.workbench.runs().total() == 3; }));
    EXPECT_EQ(page.table().selectionModel()->selectedRows().size(), 2);
    EXPECT_EQ(one.folder().isEmpty(), false);
}

}  // namespace wb::app
