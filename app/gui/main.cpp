// SPDX-License-Identifier: GPL-3.0-or-later
#include <QApplication>
#include <QCommandLineParser>
#include <QDir>
#include <QSettings>
#include <cstdio>

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

}  // namespace

int main(int argc, char** argv) {
    QApplication application(argc, argv);
    QApplication::setApplicationName(QStringLiteral("whetbench"));
    QApplication::setOrganizationName(QStringLiteral("whetbench"));
    QApplication::setApplicationVersion(QStringLiteral(WHETBENCH_VERSION));

    QCommandLineParser parser;
    parser.setApplicationDescription(QApplication::translate(
        "main", "Fine-tune small language models, compare base and tuned, export with a certificate."));
    parser.addHelpOption();
    parser.addVersionOption();
    const QCommandLineOption library(QStringLiteral("library"),
                                     QApplication::translate("main", "Folder of runs and library.db."),
                                     QStringLiteral("folder"));
    const QCommandLineOption run(
        QStringLiteral("run"),
        QApplication::translate("main", "Opens a run: its id, the beginning of it, 'last' or its folder."),
        QStringLiteral("run"));
    const QCommandLineOption page(
        QStringLiteral("page"),
        QApplication::translate("main",
                                "Opens on this page: home, data, train, compare, evaluate, adapters, kernels or runs."),
        QStringLiteral("name"));
    QCommandLineOption screenshots(QStringLiteral("screenshots"), QString(), QStringLiteral("folder"));
    screenshots.setFlags(QCommandLineOption::HiddenFromHelp);
    parser.addOptions({library, run, page, screenshots});
    if (!parser.parse(QApplication::arguments())) return usageError(parser.errorText());
    if (parser.isSet(QStringLiteral("help"))) parser.showHelp(0);
    if (parser.isSet(QStringLiteral("version"))) parser.showVersion();
    if (!parser.positionalArguments().isEmpty())
        return usageError(
            QApplication::translate("main", "'%1' is no option; try --help").arg(parser.positionalArguments().first()));
    if (parser.isSet(page) && !pageByName(parser.value(page)))
        return usageError(QApplication::translate("main", "--page: there is no page '%1'").arg(parser.value(page)));
    try {
        return runWindow(application,
                         {parser.value(library), parser.value(run), parser.value(page), parser.value(screenshots)});
    } catch (const wb::Error& error) {
        std::fprintf(stderr, "whetbench: %s\n", error.what());
        return 1;
    }
}
