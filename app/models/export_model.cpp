// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/models/export_model.h"

#include <QJsonDocument>

namespace wb::app {

Certificate certificateFromJson(const QJsonObject& answer) {
    Certificate out;
    const QJsonObject object = answer.value(QLatin1String("certificate")).toObject();
    if (object.isEmpty()) return out;
    out.isKnown = true;
    out.isOk = object.value(QLatin1String("ok")).toBool();
    out.maxLogitError = object.value(QLatin1String("max_logit_error")).toDouble();
    out.tokenAgreement = object.value(QLatin1String("token_agreement")).toDouble();
    out.weightHash = object.value(QLatin1String("weight_hash")).toString();
    out.json = QString::fromUtf8(QJsonDocument(object).toJson());
    return out;
}

ExportModel::ExportModel(QObject* parent) : QObject(parent) {
    connect(&m_command, &WhetCommand::succeeded, this, [this](const QJsonObject& answer) {
        m_certificate = certificateFromJson(answer);
        emit exported();
    });
    connect(&m_command, &WhetCommand::failed, this, &ExportModel::failed);
}

void ExportModel::start(const QString& run, const QString& format, const QString& folder, const QString& library) {
    m_run = run;
    m_format = format;
    m_folder = folder;
    m_certificate = {};
    m_command.start({QStringLiteral("export"), QStringLiteral("--run"), run, QStringLiteral("--format"), format,
                     QStringLiteral("--out"), folder, QStringLiteral("--library"), library});
    emit started();
}

}  // namespace wb::app
