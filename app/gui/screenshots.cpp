// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/gui/screenshots.h"

#include <QApplication>
#include <QDir>
#include <QElapsedTimer>
#include <QEventLoop>
#include <QSettings>
#include <QTemporaryDir>
#include <QTimer>
#include <cstdio>
#include <functional>

#include "app/gui/frame/main_window.h"
#include "app/gui/page_list.h"
#include "app/gui/pages/compare/compare_page.h"
#include "app/gui/pages/compare/prompt_editor.h"
#include "app/models/workbench.h"
#include "kernels/base/error.h"

namespace wb::app {

namespace {

constexpr int kPatienceMs = 180'000;

// Runs the event loop until `isDone` or patience ends.
bool waitFor(const std::function<bool()>& isDone) {
    QElapsedTimer clock;
    clock.start();
    while (!isDone() && clock.elapsed() < kPatienceMs) {
        QEventLoop loop;
        QTimer::singleShot(50, &loop, &QEventLoop::quit);
        loop.exec();
    }
    return isDone();
}

void settle(int milliseconds) {
    QEventLoop loop;
    QTimer::singleShot(milliseconds, &loop, &QEventLoop::quit);
    loop.exec();
}

bool prepare(Workbench& workbench, MainWindow& window, const QString& folder) {
    QString problem;
    QObject context;
    QObject::connect(&workbench.run(), &RunModel::failed, &context, [&](const Problem& p) { problem = p.what; });
    QObject::connect(&workbench.compare(), &CompareModel::failed, &context,
                     [&](const Problem& p) { problem = p.what; });
    QObject::connect(&workbench.compare(), &CompareModel::engineDied, &context,
                     [&](const Problem& p) { problem = p.what; });
    workbench.openRun(folder);
    if (!waitFor([&] { return workbench.run().isCaughtUp() || !problem.isEmpty(); }) || !problem.isEmpty()) {
        std::fprintf(stderr, "whetbench: the run cannot be shown: %s\n", qPrintable(problem));
        return false;
    }
    workbench.recipe().setRecipe(workbench.run().recipe());
    waitFor([&] { return !workbench.data().isLoading() && !workbench.plan().isBusy(); });
    workbench.compareRun(folder);
    auto* compare = qobject_cast<ComparePage*>(window.page(PageId::Compare));
    if (compare->prompt().isEmpty()) compare->prompt().setText(workbench.suggestedPrompt());
    core::PromptSpec prompt = compare->prompt().prompt();
    prompt.templateName = workbench.compareTemplate().toStdString();
    core::GenerationSettings settings;
    settings.maxNewTokens = 64;
    workbench.compare().run(prompt, settings);
    waitFor([&] { return !workbench.compare().isRunning(); });
    const core::Recipe& recipe = workbench.run().recipe();
    const QString data = QString::fromStdString(recipe.data);
    workbench.evaluate().start(
        {.model = QString::fromStdString(recipe.model),
         .adapter = folder,
         .testFile = QString(data).replace(QStringLiteral(".jsonl"), QStringLiteral("_test.jsonl")),
         .templateName = QString::fromStdString(recipe.templateName),
         .library = workbench.library()});
    waitFor([&] { return !workbench.evaluate().isRunning(); });
    if (newestExport(folder).folder.isEmpty())
        workbench.exporter().start(folder, QStringLiteral("peft"), freshExportFolder(folder, QStringLiteral("peft")),
                                   workbench.library());
    waitFor([&] { return !workbench.exporter().isRunning(); });
    if (!problem.isEmpty()) std::fprintf(stderr, "whetbench: the comparison failed: %s\n", qPrintable(problem));
    return problem.isEmpty();
}

}  // namespace

int takeScreenshots(QApplication&, Workbench& workbench, const QString& folder, const QString& run) {
    QTemporaryDir settingsFolder;
    QSettings settings(settingsFolder.filePath(QStringLiteral("settings.ini")), QSettings::IniFormat);
    MainWindow window(workbench, settings);
    window.resize(1440, 900);
    window.show();
    workbench.begin();
    const core::RunFolder found =
        core::RunFolder::find(workbench.library().toStdString(), run.isEmpty() ? "last" : run.toStdString());
    if (!workbench.machine().peak().isKnown()) workbench.machine().measurePeak();
    if (!prepare(workbench, window, QString::fromStdString(found.path().string()))) return 1;
    waitFor([&] { return !workbench.machine().isMeasuring() && !workbench.machine().summary().isEmpty(); });
    QDir().mkpath(folder);
    for (const ThemeKind kind : {ThemeKind::Light, ThemeKind::Dark}) {
        window.switchTheme(kind);
        for (const PageEntry& entry : pageList()) {
            window.showPage(entry.id);
            settle(600);  // charts are rebuilt at most ten times a second
            const QString file = QStringLiteral("%1/%2-%3.png")
                                     .arg(folder, QLatin1String(entry.name),
                                          kind == ThemeKind::Light ? QStringLiteral("light") : QStringLiteral("dark"));
            if (!window.grab().save(file, "PNG")) {
                std::fprintf(stderr, "whetbench: %s could not be written\n", qPrintable(file));
                return 1;
            }
            std::printf("%s\n", qPrintable(file));
        }
    }
    workbench.engine().stop();
    return 0;
}

}  // namespace wb::app
