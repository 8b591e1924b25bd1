// SPDX-License-Identifier: GPL-3.0-or-later
// The main job on the real engine, by clicks: open the sample, train 20 steps, compare, export.
#include <gtest/gtest.h>

#include <QFileInfo>
#include <QLabel>
#include <QPushButton>
#include <QSettings>
#include <QTest>

#include "app/gui/frame/main_window.h"
#include "app/gui/pages/compare/compare_page.h"
#include "app/gui/pages/compare/output_card.h"
#include "app/gui/pages/compare/pane_view.h"
#include "app/gui/pages/compare/prompt_editor.h"
#include "app/gui/pages/page.h"
#include "app/gui/pages/train/recipe_form.h"
#include "app/gui/pages/train/train_page.h"
#include "app/gui/widgets/token_strip.h"
#include "app/models/workbench.h"
#include "tests/gui/gui_test_support.h"
#include "tests/support/temporary_folder.h"

namespace wb::app {

using test::clickButton;
using test::waitUntil;

namespace {

constexpr int kPatienceMs = 240'000;

}  // namespace

TEST(MainJob, fromTheSampleToACertificate) {
    if (!QFileInfo(QStringLiteral(REAL_WHET)).isExecutable()) GTEST_SKIP() << "no engine at " REAL_WHET;
    if (!QFileInfo::exists(QStringLiteral(WHETBENCH_SOURCE_DIR "/resources/models/pocket/model.safetensors")))
        GTEST_SKIP() << "no weights at resources/models/pocket/model.safetensors";
    qputenv("WHETBENCH_ENGINE", REAL_WHET);
    const test::TemporaryFolder folder;
    QSettings settings(QString::fromStdString((folder / "settings.ini").string()), QSettings::IniFormat);
    Workbench workbench(QString::fromStdString((folder / "library").string()));
    MainWindow window(workbench, settings);
    window.resize(1440, 900);
    window.show();
    workbench.begin();

    // Home: open the sample.
    ASSERT_TRUE(clickButton(window, "openSample"));
    ASSERT_TRUE(waitUntil([&] { return workbench.data().isLoaded(); }, kPatienceMs));
    EXPECT_EQ(window.currentPage(), PageId::Data);
    EXPECT_EQ(workbench.data().rowCount(), 400);
    EXPECT_TRUE(workbench.data().hasTokens());

    // Train: twenty steps with an evaluation, planned before.
    ASSERT_TRUE(clickButton(window, "goToTrain"));
    auto* train = qobject_cast<TrainPage*>(window.page(PageId::Train));
    for (const auto& [key, text] :
         {std::pair{"max_steps", "20"}, {"eval_every", "10"}, {"sample_max_new_tokens", "16"}})
        QTest::keyClicks(train->form().editor(QLatin1String(key)), QLatin1String(text));
    ASSERT_TRUE(
        waitUntil([&] { return workbench.plan().plan().has_value() && !workbench.plan().isBusy(); }, kPatienceMs))
        << workbench.plan().problem().what.toStdString();
    EXPECT_TRUE(workbench.plan().plan()->fits);
    ASSERT_TRUE(clickButton(window, "startTraining"));
    ASSERT_TRUE(waitUntil([&] { return workbench.run().state() == core::RunState::Finished; }, kPatienceMs));
    ASSERT_EQ(workbench.run().trainLoss().count(), 20);
    EXPECT_LT(workbench.run().trainLoss().lastY(), workbench.run().trainLoss().points().first().y());
    EXPECT_GE(workbench.run().validationLoss().count(), 2);
    EXPECT_FALSE(workbench.run().kernels().rows.empty());

    // Compare: both answer.
    ASSERT_TRUE(clickButton(window, "compareRun"));
    EXPECT_EQ(window.currentPage(), PageId::Compare);
    auto* compare = qobject_cast<ComparePage*>(window.page(PageId::Compare));
    EXPECT_FALSE(compare->prompt().isEmpty());
    ASSERT_TRUE(clickButton(window, "runCompare"));
    ASSERT_TRUE(waitUntil([&] { return !workbench.compare().isRunning(); }, kPatienceMs));
    ASSERT_TRUE(workbench.compare().problem().isEmpty()) << workbench.compare().problem().what.toStdString();
    ASSERT_EQ(workbench.compare().comparedOutputs(), 1);
    EXPECT_FALSE(compare->pane(0)->card(0)->strip().text().isEmpty());
    ASSERT_TRUE(workbench.compare().panes()[0].provenance.has_value());
    EXPECT_EQ(workbench.compare().panes()[0].provenance->modelHash, workbench.run().started()->modelHash);
    EXPECT_TRUE(workbench.compare().panes()[0].provenance->adapterHash.empty());
    EXPECT_FALSE(workbench.compare().panes()[1].provenance->adapterHash.empty());
    EXPECT_FALSE(workbench.compare().kernels().empty());

    // Export: with a certificate that holds.
    window.showPage(PageId::Adapters);
    auto* exportButton = window.findChild<QPushButton*>(QStringLiteral("exportPeft"));
    ASSERT_TRUE(waitUntil([&] { return exportButton->isVisible() && exportButton->isEnabled(); }, kPatienceMs));
    ASSERT_TRUE(clickButton(window, "exportPeft"));
    ASSERT_TRUE(waitUntil([&] { return workbench.exporter().certificate().isKnown; }, kPatienceMs));
    EXPECT_TRUE(workbench.exporter().certificate().isOk);
    EXPECT_TRUE(QFileInfo::exists(workbench.exporter().folder() + QStringLiteral("/adapter_config.json")));
    EXPECT_TRUE(window.findChild<QLabel*>(QStringLiteral("exportState"))->text().startsWith(QStringLiteral("Proved")));
    qputenv("WHETBENCH_ENGINE", FAKE_WHET);
}

}  // namespace wb::app
