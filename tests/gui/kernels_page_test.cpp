// SPDX-License-Identifier: GPL-3.0-or-later
// The Lab tab as a person uses it, with a stand-in for the engine that replays recorded figures.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <QComboBox>
#include <QLabel>
#include <QProgressBar>
#include <QPushButton>
#include <QSettings>
#include <QTest>

#include "app/gui/frame/job_strip.h"
#include "app/gui/frame/main_window.h"
#include "app/gui/pages/kernels/kernels_page.h"
#include "app/gui/pages/kernels/lab_charts.h"
#include "app/gui/pages/kernels/lab_side.h"
#include "app/gui/pages/kernels/lab_view.h"
#include "app/gui/widgets/plot_view.h"
#include "app/gui/widgets/segment_switch.h"
#include "app/gui/widgets/state_stack.h"
#include "tests/gui/gui_test_support.h"
#include "tests/support/temporary_folder.h"

namespace wb::app {

using test::waitUntil;

namespace {

// A window that shows the Lab over `library`.
struct LabWindow {
    explicit LabWindow(const test::TemporaryFolder& folder)
        : settings(QString::fromStdString((folder / "settings.ini").string()), QSettings::IniFormat),
          workbench(QString::fromStdString((folder / "library").string())),
          window(workbench, settings) {
        window.resize(1440, 900);
        window.show();
        workbench.begin();
        window.showPage(PageId::Kernels);
        page().showTab(KernelsPage::Tab::Lab);
    }
    KernelsPage& page() { return *qobject_cast<KernelsPage*>(window.page(PageId::Kernels)); }
    LabCharts& charts() { return page().lab().charts(); }
    KernelLabModel& lab() { return workbench.lab(); }
    StateStack::State state() { return page().lab().findChild<StateStack*>()->state(); }
    template <class Type>
    Type* child(const char* name) {
        return page().findChild<Type*>(QLatin1String(name));
    }
    bool measures() {
        return test::clickButton(page().lab(), "emptyAction") || test::clickButton(page(), "labMeasure");
    }
    bool ends() {
        return waitUntil([this] { return !lab().isRunning(); });
    }

    QSettings settings;
    Workbench workbench;
    MainWindow window;
};

class LabTab : public testing::Test {
protected:
    LabTab() { std::filesystem::create_directories(folder / "library"); }
    ~LabTab() override { qunsetenv("FAKE_BENCH"); }
    test::TemporaryFolder folder;
};

const PlotSeries& lineOf(PlotView& plot, const char* name) {
    for (const PlotSeries& series : plot.series())
        if (series.name == QLatin1String(name)) return series;
    ADD_FAILURE() << "no line " << name;
    return plot.series().first();
}

}  // namespace

TEST_F(LabTab, isEmptyFirstAndSaysWhatToDo) {
    LabWindow window(folder);
    EXPECT_EQ(window.state(), StateStack::State::Empty);
    EXPECT_FALSE(window.charts().legend()->isVisible());
    auto* action = window.page().lab().findChild<QPushButton*>(QStringLiteral("emptyAction"));
    ASSERT_NE(action, nullptr);
    EXPECT_EQ(action->text(), "Measure attention");
}

TEST_F(LabTab, drawsWhatTheEngineMeasured) {
    LabWindow window(folder);
    ASSERT_TRUE(test::clickButton(window.page().lab(), "emptyAction"));
    ASSERT_TRUE(window.ends());
    ASSERT_EQ(window.state(), StateStack::State::Content);
    const AttentionMeasurement& measured = *window.lab().attention(QStringLiteral("f32"));
    EXPECT_EQ(window.charts().held(LabAxis::Length).currentText(), "64");
    EXPECT_EQ(window.charts().held(LabAxis::HeadDim).currentText(), "2,048");
    for (const LabAxis axis : {LabAxis::Length, LabAxis::HeadDim}) {
        const qint64 held = axis == LabAxis::Length ? 64 : 2048;
        for (const LabQuantity quantity : {LabQuantity::Seconds, LabQuantity::PeakBytes})
            for (const char* backend : {"math", "flash"})
                EXPECT_EQ(lineOf(window.charts().plot(axis, quantity), backend).points,
                          measured.line(QLatin1String(backend), LabPass::Forward, axis, held, quantity));
    }
    PlotView& time = window.charts().plot(LabAxis::Length, LabQuantity::Seconds);
    EXPECT_EQ(lineOf(time, "flash").points.size(), 3);
    // Both passes take longer; another head dimension gives other figures.
    const double forward = lineOf(time, "flash").points.last().y();
    auto* passes = window.child<SegmentSwitch>("labPass");
    QTest::mouseClick(passes->findChildren<QPushButton*>()[1], Qt::LeftButton);
    EXPECT_GT(lineOf(time, "flash").points.last().y(), forward);
    const double atDim64 = lineOf(time, "flash").points.last().y();
    window.charts().held(LabAxis::Length).setCurrentIndex(0);
    EXPECT_NE(lineOf(time, "flash").points.last().y(), atDim64);
}

TEST_F(LabTab, saysWhyALineIsMissing) {
    LabWindow window(folder);
    ASSERT_TRUE(window.measures());
    ASSERT_TRUE(window.ends());
    PlotView& time = window.charts().plot(LabAxis::Length, LabQuantity::Seconds);
    EXPECT_TRUE(lineOf(time, "memory efficient").points.isEmpty());
    EXPECT_THAT(window.charts().refusals(LabAxis::Length).toStdString(),
                testing::StartsWith("memory efficient does not exist on device cpu; flash is O(T)"));
}

TEST_F(LabTab, showsProgressAndCancelEndsTheChild) {
    qputenv("FAKE_BENCH", "slow");
    LabWindow window(folder);
    ASSERT_TRUE(window.measures());
    ASSERT_TRUE(waitUntil([&] { return window.lab().done() >= 2; }));
    auto* bar = window.child<QProgressBar>("labProgress");
    EXPECT_TRUE(bar->isVisible());
    EXPECT_EQ(bar->maximum(), window.lab().total());
    EXPECT_EQ(bar->value(), window.lab().done());
    EXPECT_THAT(window.child<QLabel>("labProgressText")->text().toStdString(), testing::HasSubstr(" of 36  ·  "));
    EXPECT_FALSE(window.child<QPushButton>("labMeasureGemm")->isEnabled());
    EXPECT_TRUE(waitUntil([&] { return window.window.findChild<JobStrip*>()->jobCount() == 1; }));
    const auto child = static_cast<pid_t>(std::stol(test::readText(folder / "library" / "bench.pid")));
    ASSERT_TRUE(test::clickButton(window.page(), "labCancel"));
    ASSERT_TRUE(window.ends());
    EXPECT_NE(::kill(child, 0), 0);
    EXPECT_FALSE(bar->isVisible());
    EXPECT_TRUE(window.child<QPushButton>("labMeasure")->isVisible());
    EXPECT_EQ(window.state(), StateStack::State::Content);  // what was measured stays in sight
}

TEST_F(LabTab, anEngineThatDiesIsAnErrorWithAWayOn) {
    qputenv("FAKE_BENCH", "refuse");
    LabWindow window(folder);
    ASSERT_TRUE(window.measures());
    ASSERT_TRUE(waitUntil([&] { return window.state() == StateStack::State::Error; }));
    EXPECT_THAT(window.page().lab().findChild<QLabel*>(QStringLiteral("errorWhat"))->text().toStdString(),
                testing::HasSubstr("expected f32 or bf16"));
    qunsetenv("FAKE_BENCH");
    ASSERT_TRUE(test::clickButton(window.page().lab(), "errorAction"));
    ASSERT_TRUE(waitUntil([&] { return window.state() == StateStack::State::Content; }));
}

TEST_F(LabTab, keptResultsAreThereAfterReopening) {
    QVector<QPointF> shown;
    {
        LabWindow window(folder);
        ASSERT_TRUE(waitUntil([&] { return !window.workbench.machine().cpu().isEmpty(); }));
        ASSERT_TRUE(window.measures());
        ASSERT_TRUE(window.ends());
        ASSERT_TRUE(test::clickButton(window.page(), "labMeasureGemm"));
        ASSERT_TRUE(window.ends());
        shown = lineOf(window.charts().plot(LabAxis::Length, LabQuantity::Seconds), "math").points;
    }
    LabWindow window(folder);
    ASSERT_EQ(window.state(), StateStack::State::Content);
    EXPECT_EQ(lineOf(window.charts().plot(LabAxis::Length, LabQuantity::Seconds), "math").points, shown);
    EXPECT_EQ(window.page().lab().side().gemm().rowCount(), 1);
    bool namesTheMachine = false;
    for (const QLabel* label : window.page().lab().tools()->findChildren<QLabel*>())
        namesTheMachine = namesTheMachine || label->text().contains(QStringLiteral("Test CPU, AVX2"));
    EXPECT_TRUE(namesTheMachine);
}

TEST_F(LabTab, ceilingsAreMeasuredHere) {
    LabWindow window(folder);
    EXPECT_EQ(window.child<QLabel>("ceiling0")->text(), "–");
    ASSERT_TRUE(test::clickButton(window.page(), "labMeasurePeak"));
    ASSERT_TRUE(waitUntil([&] { return window.workbench.machine().peak().isKnown(); }));
    EXPECT_EQ(window.child<QLabel>("ceiling0")->text(), "100 GFLOP/s");
    EXPECT_EQ(window.child<QLabel>("ceiling1")->text(), "55.0 GFLOP/s");
    EXPECT_EQ(window.child<QLabel>("ceiling2")->text(), "150 GFLOP/s");
    EXPECT_EQ(window.child<QLabel>("ceiling3")->text(), "20.0 GB/s");
}

TEST_F(LabTab, fitsTheSmallestWindowAndBothPalettes) {
    LabWindow window(folder);
    ASSERT_TRUE(window.measures());
    ASSERT_TRUE(window.ends());
    window.window.resize(window.window.minimumSize());
    test::spin(200);
    EXPECT_EQ(window.window.size(), QSize(1100, 700));
    EXPECT_LE(window.page().minimumSizeHint().width(), window.page().width());
    EXPECT_LE(window.page().minimumSizeHint().height(), window.page().height());
    for (const ThemeKind kind : {ThemeKind::Dark, ThemeKind::Light}) {
        window.window.switchTheme(kind);
        test::spin(200);
        EXPECT_FALSE(window.page().grab().isNull());
    }
}

}  // namespace wb::app
