// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/models/runs_model.h"

#include <gtest/gtest.h>

#include <QAbstractItemModelTester>

#include "app/models/adapter_list_model.h"
#include "app/models/kernel_table_model.h"
#include "app/models/log_model.h"
#include "app/models/run_curves.h"
#include "tests/gui/gui_test_support.h"
#include "tests/support/temporary_folder.h"

namespace wb::app {

using test::RecordedRun;
using test::waitUntil;

TEST(RunsModel, listsFiltersAndFollows) {
    const test::TemporaryFolder library;
    RecordedRun one(library.path());
    one.start(10);
    one.steps(1, 10);
    one.evaluate(5, 2.0F);
    one.evaluate(10, 1.0F);
    one.finish(10);
    RunsModel model;
    const QAbstractItemModelTester tester(&model, QAbstractItemModelTester::FailureReportingMode::Fatal);
    model.setLibrary(QString::fromStdString(library.path().string()));
    ASSERT_TRUE(waitUntil([&] { return model.hasLoaded(); }));
    ASSERT_EQ(model.rowCount(), 1);
    EXPECT_EQ(model.at(0).bestLoss, 1.0);
    EXPECT_EQ(model.at(0).validationLosses, (QVector<double>{2.0, 1.0}));
    EXPECT_EQ(model.data(model.index(0, RunsModel::Steps), Qt::DisplayRole), QStringLiteral("10 of 10"));

    RunsFilterModel shown(model);
    const QAbstractItemModelTester shownTester(&shown, QAbstractItemModelTester::FailureReportingMode::Fatal);
    shown.setWords(QStringLiteral("recorded lora"));
    EXPECT_EQ(shown.rowCount(), 1);
    shown.setWords(QStringLiteral("nothing like it"));
    EXPECT_EQ(shown.rowCount(), 0);
    EXPECT_EQ(model.rowCount(), 1);  // other pages still see it
    shown.setWords({});

    RecordedRun two(library.path());
    const core::RunLock lock(two.run);
    two.start(50);
    two.steps(1, 7);
    model.refresh();
    ASSERT_TRUE(waitUntil([&] { return model.rowCount() == 2; }));
    ASSERT_EQ(model.live().size(), 1);
    EXPECT_EQ(model.live()[0].steps, 7);
    two.steps(8, 20);
    ASSERT_TRUE(waitUntil([&] { return model.live()[0].steps == 20; }));
    shown.sort(RunsModel::Steps, Qt::AscendingOrder);
    EXPECT_EQ(shown.rowOf(one.folder()), 0);
    shown.sort(RunsModel::Steps, Qt::DescendingOrder);
    EXPECT_EQ(shown.rowOf(one.folder()), 1);
}

TEST(RunsModel, folderWithADamagedRecipeIsListedWithItsProblem) {
    const test::TemporaryFolder library;
    const RecordedRun run(library.path());
    test::writeText(run.run.recipePath(), "epochs = \"many\"\n");
    RunsModel model;
    model.setLibrary(QString::fromStdString(library.path().string()));
    ASSERT_TRUE(waitUntil([&] { return model.hasLoaded(); }));
    ASSERT_EQ(model.rowCount(), 1);
    EXPECT_TRUE(model.at(0).problem.contains(QStringLiteral("epochs")));
}

TEST(RunCurves, tellWhatDiffers) {
    const test::TemporaryFolder library;
    RecordedRun one(library.path());
    one.steps(1, 20);
    core::Recipe changed = test::sampleRecipe();
    changed.epochs = 7;
    const core::RunFolder two = core::RunFolder::create(library.path(), changed);
    RunCurves curves;
    curves.load({one.folder(), QString::fromStdString(two.path().string())});
    ASSERT_TRUE(waitUntil([&] { return curves.curves().size() == 2; }));
    EXPECT_EQ(curves.curves()[0].training.size(), 20);
    const QVector<ChangedSetting> settings = changedSettings(curves.curves());
    ASSERT_EQ(settings.size(), 1);
    EXPECT_EQ(settings[0].values, (QStringList{QStringLiteral("3"), QStringLiteral("7")}));
}

TEST(OtherModels, passTheModelTester) {
    const test::TemporaryFolder library;
    KernelTableModel kernels;
    const QAbstractItemModelTester kernelTester(&kernels, QAbstractItemModelTester::FailureReportingMode::Fatal);
    kernels.setRows(
        {{"linear", "onednn", "", "", 4, 2.0, 1e9, 1e8}, {"attention", "flash", "why", "", 2, 1.0, 1e9, 1e7}},
        {1e10, 1e9});
    EXPECT_EQ(kernels.data(kernels.index(0, KernelTableModel::Op), Qt::DisplayRole), QStringLiteral("linear"));
    kernels.sort(KernelTableModel::Op, Qt::AscendingOrder);
    EXPECT_EQ(kernels.data(kernels.index(0, KernelTableModel::Op), Qt::DisplayRole), QStringLiteral("attention"));
    kernels.setRows({}, {});

    LogModel log;
    const QAbstractItemModelTester logTester(&log, QAbstractItemModelTester::FailureReportingMode::Fatal);
    for (int i = 0; i < LogModel::kMaxLines + 10; ++i) log.add(QStringLiteral("engine"), QString::number(i));
    EXPECT_EQ(log.rowCount(), LogModel::kMaxLines);
    EXPECT_TRUE(log.data(log.index(0), Qt::DisplayRole).toString().endsWith(QStringLiteral("10")));

    AdapterListModel adapters;
    const QAbstractItemModelTester adapterTester(&adapters, QAbstractItemModelTester::FailureReportingMode::Fatal);
    adapters.refresh({});
    ASSERT_TRUE(waitUntil([&] { return adapters.hasLoaded(); }));
}

}  // namespace wb::app
