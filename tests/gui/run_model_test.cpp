// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/models/run_model.h"

#include <gtest/gtest.h>
#include <signal.h>

#include <QJsonDocument>
#include <QJsonObject>
#include <QProcess>
#include <QSignalSpy>

#include "app/models/machine_model.h"
#include "app/models/run_launcher.h"
#include "tests/gui/gui_test_support.h"
#include "tests/support/temporary_folder.h"

namespace wb::app {

using test::RecordedRun;
using test::waitUntil;

namespace {

void expectEveryStep(const RunModel& run, int64_t last) {
    ASSERT_EQ(run.trainLoss().count(), last);
    for (int64_t step = 1; step <= last; ++step) {
        const QPointF point = run.trainLoss().points()[step - 1];
        ASSERT_EQ(point.x(), static_cast<double>(step));
        ASSERT_EQ(static_cast<float>(point.y()), test::lossOf(step));
    }
}

}  // namespace

TEST(RunModel, showsAFinishedRunFromItsFolder) {
    const test::TemporaryFolder library;
    RecordedRun recorded(library.path());
    recorded.start(30);
    recorded.evaluate(0, 3.4F);
    recorded.steps(1, 30);
    recorded.evaluate(10, 2.0F);
    recorded.evaluate(20, 1.5F);
    recorded.evaluate(30, 1.7F);
    recorded.events.write(core::SampleMade{10, 0, "Who?", "Ben", "Ben is a farmer."});
    recorded.events.write(core::SampleMade{20, 0, "Who?", "Ben is", "Ben is a farmer."});
    recorded.finish(30);

    RunModel run;
    run.open(recorded.folder());
    ASSERT_TRUE(waitUntil([&] { return run.isCaughtUp(); }));
    expectEveryStep(run, 30);
    EXPECT_EQ(run.state(), core::RunState::Finished);
    EXPECT_EQ(run.title(), "recorded run");
    EXPECT_EQ(run.validationLoss().lowest(), QPointF(20, 1.5));
    ASSERT_EQ(run.samples().size(), 1);
    EXPECT_EQ(run.samples()[0].frames.size(), 2);
    EXPECT_FALSE(run.secondsLeft().has_value());
}

TEST(RunModel, reattachingInTheMiddleMissesNoStep) {
    const test::TemporaryFolder library;
    RecordedRun recorded(library.path());
    const core::RunLock lock(recorded.run);
    recorded.start(300);
    recorded.steps(1, 100);
    {
        RunModel first;
        first.open(recorded.folder());
        ASSERT_TRUE(waitUntil([&] { return first.isCaughtUp(); }));
        EXPECT_EQ(first.steps(), 100);
    }
    recorded.steps(101, 200);  // nobody watches
    RunModel second;
    second.open(recorded.folder());
    ASSERT_TRUE(waitUntil([&] { return second.isCaughtUp(); }));
    EXPECT_EQ(second.state(), core::RunState::Running);
    recorded.steps(201, 250);  // while it watches
    ASSERT_TRUE(waitUntil([&] { return second.steps() == 250; }));
    expectEveryStep(second, 250);
    // Two steps a second, fifty to go.
    ASSERT_TRUE(second.secondsLeft().has_value());
    EXPECT_NEAR(*second.secondsLeft(), 25.0, 2.5);
}

TEST(RunModel, resumedRunKeepsOnePointPerStep) {
    const test::TemporaryFolder library;
    RecordedRun recorded(library.path());
    recorded.start(60);
    recorded.steps(1, 50);
    core::RunStarted again;
    again.totalSteps = 60;
    again.resumedFromStep = 40;
    recorded.events.write(again);
    recorded.steps(41, 60);
    RunModel run;
    run.open(recorded.folder());
    ASSERT_TRUE(waitUntil([&] { return run.isCaughtUp(); }));
    expectEveryStep(run, 60);
}

TEST(RunModel, manyEventsComeInPortions) {
    const test::TemporaryFolder library;
    RecordedRun recorded(library.path());
    recorded.start(20'000);
    recorded.steps(1, 20'000);
    RunModel run;
    QSignalSpy updates(&run, &RunModel::updated);
    run.open(recorded.folder());
    ASSERT_TRUE(waitUntil([&] { return run.isCaughtUp(); }));
    expectEveryStep(run, 20'000);
    EXPECT_LE(updates.count(), 3);
}

TEST(RunModel, tellsWhatTheGpuDoes) {
    EXPECT_EQ(gpuSummary({}), QString());
    core::GpuReading gpu;
    gpu.device = "cuda:0";
    gpu.utilisation = 0.87;
    gpu.memoryUsed = 21'000'000'000;
    gpu.memoryTotal = 150'000'000'000;
    gpu.powerWatts = 540.25;
    EXPECT_EQ(gpuSummary({3, {gpu}}), QStringLiteral("cuda:0: 87 % busy, 21.0 GB of 150 GB, 540 W"));
}

TEST(MachineModel, namesAGpuThatCannotBeUsedWithTheReason) {
    const auto summaryOf = [](const char* gpu) {
        return machineSummary(QJsonDocument::fromJson(QByteArray("{\"gpu\": ") + gpu + "}").object());
    };
    EXPECT_EQ(summaryOf(R"({"devices": [{"name": "GPU A", "usable": true}]})"), QStringLiteral("GPU A"));
    EXPECT_EQ(summaryOf(R"({"devices": [{"name": "GPU A", "usable": false, "reason": "too old"}]})"),
              QStringLiteral("GPU A not used: too old"));
    EXPECT_EQ(summaryOf(R"({"devices": [], "reason": "no driver"})"), QStringLiteral("no GPU: no driver"));
}

TEST(RunModel, folderThatIsNoRunIsAProblemWithAdvice) {
    const test::TemporaryFolder library;
    RunModel run;
    QSignalSpy failures(&run, &RunModel::failed);
    run.open(QString::fromStdString(library.path().string()));
    ASSERT_TRUE(waitUntil([&] { return failures.count() == 1; }));
    const Problem problem = failures[0][0].value<Problem>();
    EXPECT_FALSE(problem.what.isEmpty());
    EXPECT_FALSE(problem.advice.isEmpty());
    EXPECT_FALSE(run.isOpen());
}

TEST(RunLauncher, startedRunOutlivesItsLauncherAndCanBeReattached) {
    const test::TemporaryFolder library;
    const QString libraryPath = QString::fromStdString(library.path().string());
    core::Recipe recipe = test::sampleRecipe();
    recipe.maxSteps = 100;
    QString folder;
    {
        RunLauncher launcher;
        QSignalSpy started(&launcher, &RunLauncher::runStarted);
        launcher.start(recipe, libraryPath);
        ASSERT_TRUE(waitUntil([&] { return started.count() == 1; }));
        folder = started[0][0].toString();
    }
    RunModel run;
    run.open(folder);
    ASSERT_TRUE(waitUntil([&] { return run.isCaughtUp() && run.steps() > 3; }));
    EXPECT_EQ(run.state(), core::RunState::Running);
    run.pause();
    ASSERT_TRUE(waitUntil([&] { return run.state() == core::RunState::Paused; }));
    run.unpause();
    ASSERT_TRUE(waitUntil([&] { return run.state() == core::RunState::Running; }));
    run.stopAndKeep();
    ASSERT_TRUE(waitUntil([&] { return run.state() == core::RunState::Stopped; }));
    const qint64 stoppedAt = run.steps();
    EXPECT_LT(stoppedAt, 100);

    RunLauncher again;
    QSignalSpy resumed(&again, &RunLauncher::runStarted);
    again.resume(folder, libraryPath);
    ASSERT_TRUE(waitUntil([&] { return resumed.count() == 1; }));
    ASSERT_TRUE(waitUntil([&] { return run.state() == core::RunState::Finished; }));
    ASSERT_EQ(run.trainLoss().count(), 100);
    for (int step = 1; step <= 100; ++step) ASSERT_EQ(run.trainLoss().points()[step - 1].x(), step);
}

TEST(RunLauncher, killedWorkbenchLeavesItsRunAliveAndANewOneMissesNoStep) {
    const test::TemporaryFolder library;
    const QString path = QString::fromStdString(library.path().string());
    QProcess workbench;
    workbench.start(QCoreApplication::applicationFilePath(), {QStringLiteral("--start-a-run"), path});
    const auto folder = [&]() -> QString {
        for (const core::RunFolder& run : core::RunFolder::list(library.path()))
            if (run.state() == core::RunState::Running) return QString::fromStdString(run.path().string());
        return {};
    };
    ASSERT_TRUE(waitUntil([&] { return !folder().isEmpty(); }));
    const QString run = folder();
    ASSERT_EQ(::kill(static_cast<pid_t>(workbench.processId()), SIGKILL), 0);
    ASSERT_TRUE(waitUntil([&] { return workbench.state() == QProcess::NotRunning; }));

    RunModel again;
    again.open(run);
    ASSERT_TRUE(waitUntil([&] { return again.isCaughtUp(); }));
    EXPECT_EQ(again.state(), core::RunState::Running);
    ASSERT_TRUE(waitUntil([&] { return again.state() == core::RunState::Finished; }));
    ASSERT_EQ(again.trainLoss().count(), 120);
    for (int step = 1; step <= 120; ++step) ASSERT_EQ(again.trainLoss().points()[step - 1].x(), step);
}

TEST(RunLauncher, failureBeforeTheRunExistsTellsWhatTheEngineSaid) {
    const test::TemporaryFolder library;
    core::Recipe recipe = test::sampleRecipe();
    recipe.name = "broken";
    RunLauncher launcher;
    QSignalSpy failures(&launcher, &RunLauncher::failed);
    launcher.start(recipe, QString::fromStdString(library.path().string()));
    ASSERT_TRUE(waitUntil([&] { return failures.count() == 1; }));
    EXPECT_TRUE(failures[0][0].value<Problem>().what.contains(QStringLiteral("the model cannot be read")));
    EXPECT_FALSE(launcher.isBusy());
}

}  // namespace wb::app
