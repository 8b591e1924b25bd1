// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QJsonObject>
#include <QObject>
#include <QProcess>
#include <QString>
#include <QStringList>
#include <memory>

namespace wb::app {

// What happened, where, and what to do now: what every error state shows.
struct Problem {
    QString what;
    QString advice;
    QString details;  // for "Copy details": command line, exit code, whole error output

    bool isEmpty() const { return what.isEmpty(); }
};

// The engine executable: the environment variable WHETBENCH_ENGINE, else `whet` beside this program, else in PATH.
// Empty if there is none.
QString findEngine();

// The same command as a person would type it, for logs and "Copy details".
QString commandLine(const QString& program, const QStringList& arguments);

// One `whet ... --json` child process at a time; starting a new one abandons the old. GUI thread only.
class WhetCommand : public QObject {
    Q_OBJECT

public:
    explicit WhetCommand(QObject* parent = nullptr);
    ~WhetCommand() override;

    // Runs `whet arguments... --json`. Answers with succeeded(object) or failed(problem), never both.
    void start(const QStringList& arguments);
    // Kills the child, if any; no signal follows.
    void cancel();
    bool isRunning() const { return m_process != nullptr; }

signals:
    void succeeded(const QJsonObject& answer);
    void failed(const wb::app::Problem& problem);
    // One line of the child's standard error (its log).
    void logged(const QString& line);

private:
    void onFinished(int exitCode, QProcess::ExitStatus status);
    void onErrorOccurred(QProcess::ProcessError error);
    void readLog();
    void finishWith(const Problem& problem);

    QProcess* m_process = nullptr;
    QString m_commandLine;
    QByteArray m_log;
};

// Takes {"error": {"code", "message"}} or the last lines of a log apart into what happened and what to do.
Problem problemFromOutput(const QByteArray& standardOutput, const QByteArray& standardError, const QString& command,
                          int exitCode);

}  // namespace wb::app
