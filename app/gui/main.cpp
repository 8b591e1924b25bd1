// SPDX-License-Identifier: GPL-3.0-or-later
#include <QApplication>
#include <QCommandLineParser>
#include <QDir>
#include <QSettings>
#include <algorithm>
#include <cstdio>
#include <string_view>

#include "app/gui/frame/main_window.h"
#include "app/gui/page_list.h"
#include "app/gui/screenshots.h"
#include "app/gui/theme/theme.h"
#include "app/models/workbench.h"
#include "kernels/base/error.h"

namespace {

using namespace wb::app;

struct Arguments {
    QString library;
    QString run;
    QString page;
    QString screenshots;
};

int usageError(const QString& message) {
    std::fprintf(stderr, "whetbench: %s\n", qPrintable(message));
    return 2;
}

ThemeKind preferredTheme(const QSettings& settings, const QPalette& system) {
    const QString chosen = settings.value(QStringLiteral("window/theme")).toString();
    if (chosen == QLatin1String("dark")) return ThemeKind::Dark;
    if (chosen == QLatin1String("light")) return ThemeKind::Light;
    return tokensOf(system).kind;
}

int runWindow(QApplication& application, const Arguments& arguments) {
    QSettings settings;
    applyTheme(application, preferredTheme(settings, QApplication::palette()));
    Workbench workbench(arguments.library);
    if (!arguments.screenshots.isEmpty())
        return takeScreenshots(application, workbench, arguments.screenshots, arguments.run);
    MainWindow window(workbench, settings);
    window.show();
    workbench.begin();
    if (!arguments.run.isEmpty()) {
        const wb::core::RunFolder run =
            wb::core::RunFolder::find(workbench.library().toStdString(), arguments.run.toStdString());
        workbench.openRun(QString::fromStdString(run.path().string()));
    }
    if (const auto page = pageByName(arguments.page)) window.showPage(*page);
    return QApplication::exec();
}

int parseAndRun(QApplication* application) {
    QCoreApplication::setApplicationName(QStringLiteral("whetbench"));
    QCoreApplication::setOrganizationName(QStringLiteral("whetbench"));
    QCoreApplication::setApplicationVersion(QStringLiteral(WHETBENCH_VERSION));
    const auto say = [](const char* text) { return QCoreApplication::translate("main", text); };
    QCommandLineParser parser;
    parser.setApplicationDescription(
        say("Fine-tune small language models, compare base and tuned, export with a certificate."));
    const QCommandLineOption help({QStringLiteral("h"), QStringLiteral("help")}, say("Shows this help."));
    const QCommandLineOption version({QStringLiteral("v"), QStringLiteral("version")}, say("Shows the version."));
    const QCommandLineOption library(QStringLiteral("library"), say("Folder of runs and library.db."),
                                     QStringLiteral("folder"));
    const QCommandLineOption run(QStringLiteral("run"),
                                 say("Opens a run: its id, the beginning of it, 'last' or its folder."),
                                 QStringLiteral("run"));
    const QCommandLineOption page(
        QStringLiteral("page"),
        say("Opens on this page: home, data, train, compare, evaluate, adapters, kernels or runs."),
        QStringLiteral("name"));
    QCommandLineOption screenshots(QStringLiteral("screenshots"), QString(), QStringLiteral("folder"));
    screenshots.setFlags(QCommandLineOption::HiddenFromHelp);
    parser.addOptions({help, version, library, run, page, screenshots});
    if (!parser.parse(QCoreApplication::arguments())) return usageError(parser.errorText());
    if (parser.isSet(help)) parser.showHelp(0);
    if (parser.isSet(version)) parser.showVersion();
    if (!parser.positionalArguments().isEmpty())
        return usageError(say("'%1' is no option; try --help").arg(parser.positionalArguments().first()));
    if (parser.isSet(page) && !pageByName(parser.value(page)))
        return usageError(say("--page: there is no page '%1'").arg(parser.value(page)));
    if (!application) return usageError(say("try --help"));
    try {
        return runWindow(*application,
                         {parser.value(library), parser.value(run), parser.value(page), parser.value(screenshots)});
    } catch (const wb::Error& error) {
        std::fprintf(stderr, "whetbench: %s\n", error.what());
        return 1;
    }
}

}  // namespace

int main(int argc, char** argv) {
    // Asked for words only, it must also answer where there is no display.
    const bool isQuestion = std::any_of(argv + 1, argv + argc, [](std::string_view word) {
        return word == "-h" || word == "--help" || word == "-v" || word == "--version";
    });
    if (isQuestion) {
        const QCoreApplication application(argc, argv);
        return parseAndRun(nullptr);
    }
    QApplication application(argc, argv);
    return parseAndRun(&application);
}
