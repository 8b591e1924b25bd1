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
#include "app/gui/pages/kernels/kernels_page.h"
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

// What the Lab shows is measured here unless the library holds it.
void prepareLab(Workbench& workbench) {
    const auto ends = [&workbench] { return !workbench.lab().isRunning(); };
    if (!workbench.lab().attention(QStringLiteral("f32")))
        workbench.lab().measureAttention(LabSweep::quick(QStringLiteral("f32")));
    waitFor(ends);
    if (workbench.lab().gemm().isEmpty()) workbench.lab().measureGemm();
    waitFor(ends);
}

bool save(MainWindow& window, const QString& folder, const QString& name, ThemeKind kind) {
    settle(600);  // charts are rebuilt at most ten times a second
    const QString file =
        QStringLiteral("%1/%2-%3.png")
            .arg(folder, name, kind == ThemeKind::Light ? QStringLiteral("light") : QStringLiteral("dark"));
    if (!window.grab().save(file, "PNG")) {
        std::fprintf(stderr, "whetbench: %s could not be written\n", qPrintable(file));
        return false;
    }
    std::printf("%s\n", qPrintable(file));
    return true;
}

// Every page, and the second tab of the page that has one.
bool saveAll(MainWindow& window, const QString& folder, ThemeKind kind) {
    window.switchTheme(kind);
    for (const PageEntry& entry : pageList()) {
        window.showPage(entry.id);
        if (!save(window, folder, QLatin1String(entry.name), kind)) return false;
        if (entry.id != PageId::Kernels) continue;
        auto* kernels = qobject_cast<KernelsPage*>(window.page(entry.id));
        kernels->showTab(KernelsPage::Tab::Lab);
        if (!save(window, folder, QStringLiteral("kernels-lab"), kind)) return false;
        kernels->showTab(KernelsPage::Tab::Profile);
    }
    return true;
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
    prepareLab(workbench);
    QDir().mkpath(folder);
    for (const ThemeKind kind : {ThemeKind::Light, ThemeKind::Dark})
        if (!saveAll(window, folder, kind)) return 1;
    workbench.engine().stop();
    return 0;
}

}  // namespace wb::app
