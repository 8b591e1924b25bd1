// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QJsonObject>
#include <QObject>

#include "app/models/whet_command.h"

namespace wb::app {

// What an export proved about itself: it was reloaded and replayed.
struct Certificate {
    bool isKnown = false;
    bool isOk = false;
    QString format;
    double maxLogitError = 0.0;
    double tolerance = 0.0;
    double tokenAgreement = 0.0;
    qint64 prompts = 0;
    qint64 positions = 0;
    QString exportedHash;
};
Certificate certificateFromJson(const QJsonObject& certificate);

// The newest export of a run that is still in its folder; the folder is empty if there is none.
struct KeptExport {
    QString folder;
    Certificate certificate;
};
KeptExport newestExport(const QString& runFolder);

// A folder under the run's exports that does not exist yet: "peft", "peft-2", ...
QString freshExportFolder(const QString& runFolder, const QString& format);

// `whet export` of one run, and the certificate that comes with it. GUI thread only.
class ExportModel : public QObject {
    Q_OBJECT

public:
    explicit ExportModel(QObject* parent = nullptr);

    // format: "peft" or "safetensors".
    void start(const QString& run, const QString& format, const QString& folder, const QString& library);
    void cancel() { m_command.cancel(); }
    bool isRunning() const { return m_command.isRunning(); }
    QString folder() const { return m_folder; }
    QString run() const { return m_run; }
    QString format() const { return m_format; }
    const Certificate& certificate() const { return m_certificate; }

signals:
    void started();
    void exported();
    void failed(const wb::app::Problem& problem);

private:
    WhetCommand m_command;
    QString m_run;
    QString m_format;
    QString m_folder;
    Certificate m_certificate;
};

}  // namespace wb::app
