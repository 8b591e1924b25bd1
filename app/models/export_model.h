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
    double maxLogitError = 0.0;
    double tokenAgreement = 0.0;
    QString weightHash;
    QString json;  // all of it, for the evidence view
};
Certificate certificateFromJson(const QJsonObject& answer);

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
