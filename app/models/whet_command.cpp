// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/models/whet_command.h"

#include <QCoreApplication>
#include <QDir>
#include <QFileInfo>
#include <QJsonDocument>
#include <QRegularExpression>
#include <QStandardPaths>
#include <QTimer>

namespace wb::app {

namespace {

constexpr int kStopMs = 3000;

}  // namespace

QString findEngine() {
    const QString forced = qEnvironmentVariable("WHETBENCH_ENGINE");
    if (!forced.isEmpty()) return QFileInfo(forced).isExecutable() ? forced : QString();
    const QString beside = QDir(QCoreApplication::applicationDirPath()).filePath(QStringLiteral("whet"));
    if (QFileInfo(beside).isExecutable()) return beside;
    return QStandardPaths::findExecutable(QStringLiteral("whet"));
}

QString commandLine(const QString& program, const QStringList& arguments) {
    QStringList words{QFileInfo(program).fileName()};
    for (const QString& argument : arguments) {
        const bool isPlain =
            !argument.isEmpty() && !argument.contains(QRegularExpression(QStringLiteral("[^\\w./=:,@%+-]")));
        words.append(isPlain
                         ? argument
                         : QLatin1Char('\'') + QString(argument).replace(QLatin1Char('\''), QStringLiteral("'\\''")) +
                               QLatin1Char('\''));
    }
    return words.join(QLatin1Char(' '));
}

Problem problemFromOutput(const QByteArray& standardOutput, const QByteArray& standardError, const QString& command,
                          int exitCode) {
    Problem problem;
    const QJsonObject answer = QJsonDocument::fromJson(standardOutput).object();
    const QJsonValue error = answer.value(QStringLiteral("error"));
    if (error.isObject()) problem.what = error.toObject().value(QStringLiteral("message")).toString();
    if (error.isString()) problem.what = error.toString();
    if (problem.what.isEmpty()) {
        const QStringList lines = QString::fromUtf8(standardError).split(QLatin1Char('\n'), Qt::SkipEmptyParts);
        problem.what = lines.isEmpty() ? QCoreApplication::translate(
                                             "WhetCommand", "The engine ended with exit code %1 and said nothing.")
                                             .arg(exitCode)
                                       : lines.last().trimmed();
        // Red says it already.
        if (const QString level = QStringLiteral("error: "); problem.what.startsWith(level))
            problem.what.remove(0, level.size());
    }
    problem.advice =
        exitCode == 2
            ? QCoreApplication::translate("WhetCommand", "Correct the setting it names and try again.")
            : QCoreApplication::translate("WhetCommand", "Try again; if it stays, copy the details for a report.");
    problem.details =
        QStringLiteral("$ %1\nexit code %2\n%3").arg(command).arg(exitCode).arg(QString::fromUtf8(standardError));
    return problem;
}

WhetCommand::WhetCommand(QObject* parent) : QObject(parent) {}

WhetCommand::~WhetCommand() {
    cancel();
}

void WhetCommand::start(const QStringList& arguments) {
    cancel();
    const QStringList all = arguments + QStringList{QStringLiteral("--json")};
    const QString engine = findEngine();
    m_commandLine = commandLine(engine.isEmpty() ? QStringLiteral("whet") : engine, all);
    m_log.clear();
    m_output.clear();
    m_lineStart = 0;
    m_isStopWanted = false;
    if (engine.isEmpty()) {
        const Problem missing{tr("The engine 'whet' was not found beside this program."),
                              tr("Install it there or set WHETBENCH_ENGINE to its path, then try again."),
                              tr("Looked in %1 and in PATH.").arg(QCoreApplication::applicationDirPath())};
        QMetaObject::invokeMethod(
            this, [this, missing] { emit failed(missing); }, Qt::QueuedConnection);
        return;
    }
    m_process = new QProcess(this);
    connect(m_process, &QProcess::finished, this, &WhetCommand::onFinished);
    connect(m_process, &QProcess::errorOccurred, this, &WhetCommand::onErrorOccurred);
    connect(m_process, &QProcess::readyReadStandardError, this, &WhetCommand::readLog);
    connect(m_process, &QProcess::readyReadStandardOutput, this, &WhetCommand::readOutput);
    m_process->start(engine, all, QIODevice::ReadOnly);
}

void WhetCommand::stop() {
    if (!m_process || m_isStopWanted) return;
    m_isStopWanted = true;
    m_process->terminate();
    QTimer::singleShot(kStopMs, m_process, &QProcess::kill);
}

void WhetCommand::cancel() {
    if (!m_process) return;
    QProcess* old = m_process;
    m_process = nullptr;
    old->disconnect(this);
    old->setParent(nullptr);
    // Deleted only once it is gone: the destructor of a running QProcess would block this thread.
    connect(old, &QProcess::finished, old, &QObject::deleteLater);
    connect(old, &QProcess::errorOccurred, old, &QObject::deleteLater);
    old->kill();
    if (old->state() == QProcess::NotRunning) old->deleteLater();
}

void WhetCommand::readLog() {
    const QByteArray chunk = m_process->readAllStandardError();
    m_log = (m_log + chunk).right(64 * 1024);
    for (const QByteArray& line : chunk.split('\n'))
        if (!line.trimmed().isEmpty()) emit logged(QString::fromUtf8(line));
}

void WhetCommand::readOutput() {
    m_output += m_process->readAllStandardOutput();
    for (qsizetype end = m_output.indexOf('\n', m_lineStart); end >= 0; end = m_output.indexOf('\n', m_lineStart)) {
        const QJsonDocument line = QJsonDocument::fromJson(m_output.mid(m_lineStart, end - m_lineStart));
        m_lineStart = end + 1;
        if (line.isObject()) emit objectRead(line.object());
        if (!m_process) return;  // cancelled by who listens
    }
}

void WhetCommand::onErrorOccurred(QProcess::ProcessError error) {
    if (error != QProcess::FailedToStart || !m_process) return;  // a crash also reports finished
    finishWith({tr("The engine could not be started: %1.").arg(m_process->errorString()),
                tr("Check that it is executable, then try again."), m_commandLine});
}

void WhetCommand::onFinished(int exitCode, QProcess::ExitStatus status) {
    m_log += m_process->readAllStandardError();
    readOutput();
    if (!m_process) return;
    if (m_isStopWanted) {
        forgetProcess();
        emit stopped();
        return;
    }
    if (status == QProcess::CrashExit) {
        finishWith({tr("The engine ended unexpectedly (signal %1).").arg(exitCode),
                    tr("Your files are untouched. Try again; if it happens again, copy the details for a report."),
                    QStringLiteral("$ %1\n%2").arg(m_commandLine, QString::fromUtf8(m_log))});
        return;
    }
    if (exitCode != 0) return finishWith(problemFromOutput(m_output, m_log, m_commandLine, exitCode));
    QJsonParseError parseError{};
    QJsonDocument document = QJsonDocument::fromJson(m_output, &parseError);
    if (!document.isObject()) document = QJsonDocument::fromJson(m_output.trimmed().split('\n').last());
    if (!document.isObject()) {
        finishWith({tr("The engine's answer is not one JSON object: %1.").arg(parseError.errorString()),
                    tr("Program and engine may come from different versions: install both again."),
                    QStringLiteral("$ %1\n%2").arg(m_commandLine, QString::fromUtf8(m_output.left(4000)))});
        return;
    }
    forgetProcess();
    emit succeeded(document.object());
}

void WhetCommand::forgetProcess() {
    m_process->deleteLater();
    m_process = nullptr;
}

void WhetCommand::finishWith(const Problem& problem) {
    forgetProcess();
    emit failed(problem);
}

}  // namespace wb::app
