// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/models/engine_client.h"

#include <QCoreApplication>
#include <QTimer>

#include "kernels/base/error.h"

namespace wb::app {

EngineClient::EngineClient(QObject* parent) : QObject(parent) {}

EngineClient::~EngineClient() {
    dropProcess();
}

QString EngineClient::send(core::RequestBody body) {
    const QString id = QString::number(m_nextId++);
    if (!ensureStarted()) return id;
    const std::string line = core::toJsonLine(core::Request{id.toStdString(), std::move(body)}) + "\n";
    m_process->write(line.data(), static_cast<qint64>(line.size()));
    return id;
}

bool EngineClient::ensureStarted() {
    if (m_process) return true;
    const QString engine = findEngine();
    if (engine.isEmpty()) {
        const Problem missing{tr("The engine 'whet' was not found beside this program."),
                              tr("Install it there or set WHETBENCH_ENGINE to its path, then restart the engine."),
                              tr("Looked in %1 and in PATH.").arg(QCoreApplication::applicationDirPath())};
        QMetaObject::invokeMethod(
            this, [this, missing] { emit died(missing); }, Qt::QueuedConnection);
        return false;
    }
    QStringList arguments{QStringLiteral("engine"), QStringLiteral("--stdio")};
    if (!m_library.isEmpty()) arguments << QStringLiteral("--library") << m_library;
    m_pending.clear();
    m_logTail.clear();
    m_hello.reset();
    m_process = new QProcess(this);
    connect(m_process, &QProcess::readyReadStandardOutput, this, &EngineClient::readReplies);
    connect(m_process, &QProcess::readyReadStandardError, this, &EngineClient::readLog);
    connect(m_process, &QProcess::finished, this, &EngineClient::onFinished);
    connect(m_process, &QProcess::errorOccurred, this, [this](QProcess::ProcessError error) {
        if (error != QProcess::FailedToStart) return;
        const Problem problem{tr("The engine could not be started: %1.").arg(m_process->errorString()),
                              tr("Check that it is executable, then restart the engine."), m_process->program()};
        dropProcess();
        emit died(problem);
    });
    m_process->start(engine, arguments);
    core::HelloRequest hello;
    hello.client = "whetbench " WHETBENCH_VERSION;
    const std::string line = core::toJsonLine(core::Request{"hello", hello}) + "\n";
    m_process->write(line.data(), static_cast<qint64>(line.size()));
    emit logged(tr("started %1").arg(commandLine(engine, arguments)));
    return true;
}

void EngineClient::readReplies() {
    m_pending += m_process->readAllStandardOutput();
    if (static_cast<size_t>(m_pending.size()) > core::kMaxProtocolLine) {
        emit died({tr("The engine sent a line of more than %1 MB.").arg(core::kMaxProtocolLine >> 20),
                   tr("Restart the engine; copy the details for a report."),
                   {}});
        return dropProcess();
    }
    for (qsizetype end = m_pending.indexOf('\n'); end >= 0; end = m_pending.indexOf('\n')) {
        const QByteArray line = m_pending.left(end);
        m_pending.remove(0, end + 1);
        try {
            const core::Reply reply =
                core::parseReply(std::string_view(line.constData(), static_cast<size_t>(line.size())));
            if (const auto* hello = std::get_if<core::HelloReply>(&reply.body)) m_hello = *hello;
            emit replied(reply);
        } catch (const Error& error) {
            emit logged(tr("not understood: %1").arg(QString::fromUtf8(error.what())));
        }
        if (!m_process) return;  // a slot has stopped the engine
    }
}

void EngineClient::readLog() {
    const QByteArray chunk = m_process->readAllStandardError();
    m_logTail = (m_logTail + chunk).right(16 * 1024);
    emit logged(QString::fromUtf8(chunk));
}

void EngineClient::onFinished(int exitCode, QProcess::ExitStatus status) {
    const Problem problem{
        status == QProcess::CrashExit ? tr("The engine ended unexpectedly (signal %1).").arg(exitCode)
                                      : tr("The engine ended with exit code %1.").arg(exitCode),
        tr("Your files are untouched. Restart the engine to go on."),
        QStringLiteral("$ %1\n%2")
            .arg(commandLine(m_process->program(), m_process->arguments()), QString::fromUtf8(m_logTail))};
    dropProcess();
    emit died(problem);
}

void EngineClient::dropProcess() {
    if (!m_process) return;
    QProcess* old = m_process;
    m_process = nullptr;
    m_hello.reset();
    old->disconnect(this);
    old->setParent(nullptr);
    if (old->state() == QProcess::NotRunning) return old->deleteLater();
    QObject::connect(old, &QProcess::finished, old, &QObject::deleteLater);
    old->closeWriteChannel();
    old->kill();
}

void EngineClient::stop() {
    if (!m_process) return;
    const std::string line = core::toJsonLine(core::Request{"shutdown", core::ShutdownRequest{}}) + "\n";
    QProcess* old = m_process;
    m_process = nullptr;
    m_hello.reset();
    old->disconnect(this);
    old->setParent(nullptr);
    old->write(line.data(), static_cast<qint64>(line.size()));
    old->closeWriteChannel();
    QObject::connect(old, &QProcess::finished, old, &QObject::deleteLater);
    QTimer::singleShot(2000, old, &QProcess::kill);
}

void EngineClient::restart() {
    dropProcess();
    ensureStarted();
}

}  // namespace wb::app
