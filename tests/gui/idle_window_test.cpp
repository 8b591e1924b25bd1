// SPDX-License-Identifier: GPL-3.0-or-later
// A window that nobody touches uses no processor, whatever pages have been open.
#include <gtest/gtest.h>

#include <unistd.h>
#include <QSettings>

#include "app/gui/frame/main_window.h"
#include "app/gui/page_list.h"
#include "app/gui/pages/kernels/kernels_page.h"
#include "app/models/workbench.h"
#include "tests/gui/gui_test_support.h"
#include "tests/support/idle_time.h"

namespace wb::app {

using test::waitUntil;

TEST(IdleWindow, usesNoProcessorWithEveryPageVisited) {
    const test::TemporaryFolder folder;
    QSettings settings(QString::fromStdString((folder / "settings.ini").string()), QSettings::IniFormat);
    const std::filesystem::path library = folder / "library";
    std::filesystem::create_directories(library);
    test::RecordedRun recorded(library);
    recorded.start(300);
    recorded.steps(1, 300);
    recorded.evaluate(300, 1.0F);
    recorded.finish(300);
    Workbench workbench(QString::fromStdString(library.string()));
    MainWindow window(workbench, settings);
    window.resize(1440, 900);
    window.show();
    workbench.begin();
    workbench.openSample();
    workbench.openRun(recorded.folder());
    ASSERT_TRUE(waitUntil([&] { return workbench.data().isLoaded() && workbench.run().isCaughtUp(); }));
    workbench.lab().measureAttention(LabSweep::quick(QStringLiteral("f32")));
    ASSERT_TRUE(waitUntil([&] { return !workbench.lab().isRunning(); }));
    workbench.compareModels(QStringLiteral("m"), QStringLiteral("a"));
    core::PromptSpec prompt;
    prompt.text = "hello";
    workbench.compare().run(prompt, {});
    ASSERT_TRUE(waitUntil([&] { return !workbench.compare().isRunning(); }));
    for (const PageEntry& entry : pageList()) {
        window.showPage(entry.id);
        if (entry.id == PageId::Kernels)
            qobject_cast<KernelsPage*>(window.page(entry.id))->showTab(KernelsPage::Tab::Lab);
        test::spin(100);
    }
    const int64_t ticks =
        test::idleTicks(::getpid(), [](std::chrono::milliseconds time) { test::spin(static_cast<int>(time.count())); });
    RecordProperty("ticks", static_cast<int>(ticks));
    EXPECT_LE(ticks, test::allowedIdleTicks()) << "in " << test::idleSeconds() << " s";
}

}  // namespace wb::app
