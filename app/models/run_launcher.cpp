// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/models/run_launcher.h"

#include <signal.h>

#include <QDateTime>
#include <QDir>
#include <QFile>
#include <QProcess>
#include <QSaveFile>

#include "core/run/run_folder.h"
#include "kernels/base/error.h"

namespace wb::app {

namespace {

constexpr int kLookMs = 100;

bool isAlive(qint64 pid) {
    return pid > 0 && ::kill(static_cast<pid_t>(pid), 0) == 0;
}

QSet<QString> runsOf(const QString& library) {
    const QStringList names = QDir(library + QStringLiteral("/runs")).entryList(QDir::Dirs | QDir::NoDotAndDotDot);
    return {names.begin(), names.end()};
}

}  // namespace

RunLauncher::RunLauncher(QObject* parent) : QObject(parent) {
    m_timer.setInterval(kLookMs);
    connect(&m_timer, &QTimer::timeout, this, &RunLauncher::lookForRun);
}

void RunLauncher::start(const core::Recipe& recipe, const QString& library) {
    m_resumedFolder.clear();
    const QString stamp = QDateTime::currentDateTimeUtc().toString(QStringLiteral("yyyyMMdd-hhmmss-zzz"));
    QDir().mkpath(library + QStringLiteral("/recipes"));
    const QString file = QStringLiteral("%1/recipes/%2.toml").arg(library, stamp);
    QSaveFile out(file);
    const std::string toml = core::recipeToToml(core::withAbsolutePaths(recipe));
    if (!out.open(QIODevice::WriteOnly) || out.write(toml.data(), static_cast<qint64>(toml.size())) < 0 ||
        !out.commit())
        return fail({tr("%1 could not be written: %2.").arg(file, out.errorString()),
                     tr("Make room or choose another library folder with --library, then start again."), file});
    m_before = runsOf(library);
    launch({QStringLiteral("train"), QStringLiteral("--recipe"), file}, library);
}

void RunLauncher::resume(const QString& runFolder, const QString& library) {
    m_resumedFolder = runFolder;
    launch({QStringLiteral("train"), QStringLiteral("--resume"), runFolder}, library);
}

bool RunLauncher::launch(const QStringList& arguments, const QString& library) {
    m_library = library;
    const QString engine = findEngine();
    const QStringList all = arguments + QStringList{QStringLiteral("--library"), library, QStringLiteral("--json")};
    m_commandLine = commandLine(engine.isEmpty() ? QStringLiteral("whet") : engine, all);
    if (engine.isEmpty()) {
        fail({tr("The engine 'whet' was not found beside this program."),
              tr("Install it there or set WHETBENCH_ENGINE to its path, then start again."), m_commandLine});
        return false;
    }
    QDir().mkpath(library + QStringLiteral("/logs"));
    m_logFile = QStringLiteral("%1/logs/train-%2.log")
                    .arg(library, QDateTime::currentDateTimeUtc().toString(QStringLiteral("yyyyMMdd-hhmmss-zzz")));
    QProcess process;
    process.setProgram(engine);
    process.setArguments(all);
    process.setStandardInputFile(QProcess::nullDevice());
    process.setStandardOutputFile(QProcess::nullDevice());
    process.setStandardErrorFile(m_logFile);
    if (!process.startDetached(&m_pid)) {
        fail({tr("The engine could not be started: %1.").arg(process.errorString()),
              tr("Check that it is executable, then start again."), m_commandLine});
        return false;
    }
    m_timer.start();
    emit launched();
    return true;
}

void RunLauncher::lookForRun() {
    // Asked first: a run whose folder appears between the two questions is found at the next look.
    const bool hasEnded = !isAlive(m_pid);
    try {
        for (const core::RunFolder& run : core::RunFolder::list(m_library.toStdString())) {
            const QString folder = QString::fromStdString(run.path().string());
            const bool isCandidate = m_resumedFolder.isEmpty() ? !m_before.contains(QString::fromStdString(run.id()))
                                                               : QDir(folder) == QDir(m_resumedFolder);
            if (!isCandidate) continue;
            const auto owner = run.owner();
            if (!(owner && owner->pid == m_pid) && !(hasEnded && m_resumedFolder.isEmpty())) continue;
            m_timer.stop();
            emit runStarted(folder);
            return;
        }
    } catch (const Error&) {
        // The library folder appears with the first run.
    }
    if (!hasEnded) return;
    QFile log(m_logFile);
    const QByteArray text = log.open(QIODevice::ReadOnly) ? log.readAll().right(16 * 1024) : QByteArray();
    fail(problemFromOutput({}, text, m_commandLine, 1));
}

void RunLauncher::fail(const Problem& problem) {
    m_timer.stop();
    QMetaObject::invokeMethod(
        this, [this, problem] { emit failed(problem); }, Qt::QueuedConnection);
}

}  // namespace wb::app
