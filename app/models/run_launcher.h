// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QObject>
#include <QSet>
#include <QTimer>

#include "app/models/whet_command.h"
#include "core/run/recipe.h"

namespace wb::app {

// Starts `whet train` as a detached process: closing or killing the workbench never stops a run. GUI thread only.
class RunLauncher : public QObject {
    Q_OBJECT

public:
    explicit RunLauncher(QObject* parent = nullptr);

    // Each answers with runStarted(folder) once the run folder exists, or failed(problem).
    void start(const core::Recipe& recipe, const QString& library);
    void resume(const QString& runFolder, const QString& library);
    bool isBusy() const { return m_timer.isActive(); }

signals:
    void launched();
    void runStarted(const QString& folder);
    void failed(const wb::app::Problem& problem);

private:
    bool launch(const QStringList& arguments, const QString& library);
    void lookForRun();
    void fail(const Problem& problem);

    QTimer m_timer;
    QString m_library;
    QString m_logFile;
    QString m_commandLine;
    QString m_resumedFolder;
    QSet<QString> m_before;  // runs that existed already
    qint64 m_pid = 0;
};

}  // namespace wb::app
