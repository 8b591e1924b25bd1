// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QObject>
#include <QProcess>
#include <QStringList>
#include <optional>

#include "app/models/whet_command.h"
#include "core/run/protocol.h"

namespace wb::app {

// The child process `whet engine --stdio` and its conversation. It is started by the first request and stays warm; if
// it dies, died() tells what to show and the next request starts a new one. GUI thread only.
class EngineClient : public QObject {
    Q_OBJECT

public:
    explicit EngineClient(QObject* parent = nullptr);
    ~EngineClient() override;

    void setLibrary(const QString& library) { m_library = library; }
    // Starts the engine if it is not running and queues the request. Returns the id its replies will carry.
    QString send(core::RequestBody body);
    // Ends the process. Without force it is asked to shut down and killed after two seconds.
    void stop();
    // A fresh process, whatever state the old one is in.
    void restart();

    bool isRunning() const { return m_process != nullptr; }
    qint64 processId() const { return m_process ? m_process->processId() : 0; }
    const std::optional<core::HelloReply>& hello() const { return m_hello; }

signals:
    void replied(const wb::core::Reply& reply);
    // The process ended although nobody asked it to, or could not be started. Requests under way are lost.
    void died(const wb::app::Problem& problem);
    void logged(const QString& line);

private:
    bool ensureStarted();
    void readReplies();
    void readLog();
    void onFinished(int exitCode, QProcess::ExitStatus status);
    void dropProcess();

    QProcess* m_process = nullptr;
    QString m_library;
    QByteArray m_pending;
    QByteArray m_logTail;
    std::optional<core::HelloReply> m_hello;
    qint64 m_nextId = 1;
};

}  // namespace wb::app
