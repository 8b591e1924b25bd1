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

// One `whet ... --json` child process at a time; starting a new one abandons the old. What it prints is one object, or
// one object a line of which the last is the answer. GUI thread only.
class WhetCommand : public QObject {
    Q_OBJECT

public:
    explicit WhetCommand(QObject* parent = nullptr);
    ~WhetCommand() override;

    // Runs `whet arguments... --json`. Answers with succeeded(object), failed(problem) or stopped(), never two of them.
    void start(const QStringList& arguments);
    // Asks the child, if any, to end (SIGTERM) and kills it if it has not after three seconds; answered by stopped().
    void stop();
    // Kills the child, if any; no signal follows.
    void cancel();
    bool isRunning() const { return m_process != nullptr; }

signals:
    void succeeded(const QJsonObject& answer);
    void failed(const wb::app::Problem& problem);
    void stopped();
    // One line of the child's standard output that is an object by itself, as it comes.
    void objectRead(const QJsonObject& object);
    // One line of the child's standard error (its log).
    void logged(const QString& line);

private:
    void onFinished(int exitCode, QProcess::ExitStatus status);
    void onErrorOccurred(QProcess::ProcessError error);
    void readLog();
    void readOutput();
    void forgetProcess();
    void finishWith(const Problem& problem);

    QProcess* m_process = nullptr;
    QString m_commandLine;
    QByteArray m_log;
    QByteArray m_output;
    qsizetype m_lineStart = 0;  // of the first line of m_output that is not complete yet
    bool m_isStopWanted = false;
};

// Takes {"error": {"code", "message"}} or the last lines of a log apart into what happened and what to do.
Problem problemFromOutput(const QByteArray& standardOutput, const QByteArray& standardError, const QString& command,
                          int exitCode);

}  // namespace wb::app
