// SPDX-License-Identifier: GPL-3.0-or-later
// main() of every GUI test: no screen, no settings of the user, the stand-in engine unless a test chooses the real one.
#include <gtest/gtest.h>

#include <QApplication>
#include <QDir>
#include <QStandardPaths>
#include <QTemporaryDir>
#include <string_view>

#include "app/gui/theme/theme.h"
#include "app/models/run_launcher.h"
#include "tests/gui/gui_test_support.h"

int main(int argc, char** argv) {
    QTemporaryDir home;
    qputenv("QT_QPA_PLATFORM", "offscreen");
    qputenv("QT_SCALE_FACTOR", "1");
    qputenv("LC_ALL", "C.UTF-8");
    for (const char* name : {"HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME", "XDG_RUNTIME_DIR"})
        qputenv(name, home.path().toUtf8());
    qputenv("WHETBENCH_ENGINE", FAKE_WHET);
    qputenv("WHETBENCH_RESOURCES", WHETBENCH_SOURCE_DIR "/resources");
    qunsetenv("WHETBENCH_LIBRARY");
    testing::InitGoogleTest(&argc, argv);
    QApplication application(argc, argv);
    // The part of a workbench that a test kills: starts a run and waits.
    if (argc == 3 && std::string_view(argv[1]) == "--start-a-run") {
        wb::app::RunLauncher launcher;
        wb::core::Recipe recipe = wb::test::sampleRecipe();
        recipe.maxSteps = 120;
        launcher.start(recipe, QString::fromLocal8Bit(argv[2]));
        return QApplication::exec();
    }
    wb::app::applyTheme(application, wb::app::ThemeKind::Light);
    return RUN_ALL_TESTS();
}
