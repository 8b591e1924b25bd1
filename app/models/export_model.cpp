// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/models/export_model.h"

#include <QDir>
#include <QFile>
#include <QFileInfo>
#include <QJsonDocument>

namespace wb::app {

Certificate certificateFromJson(const QJsonObject& certificate) {
    Certificate out;
    if (certificate.isEmpty()) return out;
    out.isKnown = true;
    out.isOk = certificate.value(QLatin1String("ok")).toBool();
    out.format = certificate.value(QLatin1String("format")).toString();
    out.maxLogitError = certificate.value(QLatin1String("max_logit_error")).toDouble();
    out.tolerance = certificate.value(QLatin1String("tolerance")).toDouble();
    out.tokenAgreement = certificate.value(QLatin1String("token_agreement")).toDouble();
    out.prompts = certificate.value(QLatin1String("prompts")).toInteger();
    out.positions = certificate.value(QLatin1String("positions")).toInteger();
    out.exportedHash = certificate.value(QLatin1String("exported_hash")).toString();
    return out;
}

KeptExport newestExport(const QString& runFolder) {
    const QDir exports(runFolder + QStringLiteral("/exports"));
    for (const QFileInfo& folder : exports.entryInfoList(QDir::Dirs | QDir::NoDotAndDotDot, QDir::Time)) {
        QFile file(folder.filePath() + QStringLiteral("/certificate.json"));
        if (!file.open(QIODevice::ReadOnly)) continue;
        const Certificate certificate = certificateFromJson(QJsonDocument::fromJson(file.read(1 << 20)).object());
        if (certificate.isKnown) return {folder.filePath(), certificate};
    }
    return {};
}

QString freshExportFolder(const QString& runFolder, const QString& format) {
    const QString first = QStringLiteral("%1/exports/%2").arg(runFolder, format);
    QString folder = first;
    for (int number = 2; QFileInfo::exists(folder); ++number) folder = QStringLiteral("%1-%2").arg(first).arg(number);
    return folder;
}

ExportModel::ExportModel(QObject* parent) : QObject(parent) {
    connect(&m_command, &WhetCommand::succeeded, this, [this](const QJsonObject& answer) {
        m_certificate = certificateFromJson(answer.value(QLatin1String("certificate")).toObject());
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
