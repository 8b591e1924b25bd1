// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/models/machine_model.h"

#include <QFile>
#include <QJsonDocument>
#include <QSaveFile>

#include "app/models/units.h"

namespace wb::app {

QString machineSummary(const QJsonObject& doctor) {
    const QJsonObject cpu = doctor.value(QLatin1String("cpu")).toObject();
    const QJsonObject memory = doctor.value(QLatin1String("memory")).toObject();
    const QJsonObject gpu = doctor.value(QLatin1String("gpu")).toObject();
    QStringList processor;
    if (const QString name = cpu.value(QLatin1String("name")).toString(); !name.isEmpty()) processor << name;
    if (const int cores = cpu.value(QLatin1String("cores")).toInt(); cores > 0)
        processor << MachineModel::tr("%n core(s)", nullptr, cores);
    if (const QString simd = cpu.value(QLatin1String("simd")).toString(); !simd.isEmpty()) processor << simd;
    QStringList parts{processor.join(QStringLiteral(", "))};
    if (const double bytes = memory.value(QLatin1String("total_bytes")).toDouble(); bytes > 0)
        parts << MachineModel::tr("%1 memory").arg(formatBytes(bytes));
    const QString gpuName = gpu.value(QLatin1String("name")).toString();
    const QString reason = gpu.value(QLatin1String("reason")).toString();
    parts << (!gpuName.isEmpty() ? gpuName
              : reason.isEmpty() ? MachineModel::tr("no GPU")
                                 : MachineModel::tr("no GPU: %1").arg(reason));
    parts.removeAll(QString());
    return parts.join(QStringLiteral("  ·  "));
}

MachineModel::MachineModel(QObject* parent) : QObject(parent) {
    connect(&m_doctor, &WhetCommand::succeeded, this, [this](const QJsonObject& answer) {
        m_problem = {};
        m_summary = machineSummary(answer);
        emit changed();
    });
    connect(&m_doctor, &WhetCommand::failed, this, [this](const Problem& problem) {
        m_problem = problem;
        m_summary = problem.what;
        emit changed();
    });
    connect(&m_bench, &WhetCommand::succeeded, this, [this](const QJsonObject& answer) {
        readPeak(answer);
        QSaveFile out(peakFile());
        if (out.open(QIODevice::WriteOnly)) {
            out.write(QJsonDocument(answer).toJson());
            out.commit();
        }
        emit changed();
    });
    connect(&m_bench, &WhetCommand::failed, this, &MachineModel::peakFailed);
}

QString MachineModel::peakFile() const {
    return m_library + QStringLiteral("/peak.json");
}

void MachineModel::setLibrary(const QString& library) {
    m_library = library;
    m_peak = {};
    QFile file(peakFile());
    if (file.open(QIODevice::ReadOnly)) readPeak(QJsonDocument::fromJson(file.read(1 << 20)).object());
    emit changed();
}

void MachineModel::examine() {
    m_doctor.start({QStringLiteral("doctor")});
}

void MachineModel::measurePeak() {
    m_bench.start({QStringLiteral("bench"), QStringLiteral("peak")});
    emit changed();
}

void MachineModel::readPeak(const QJsonObject& answer) {
    m_peak.flopsPerSecond = answer.value(QLatin1String("flops_per_second")).toDouble();
    m_peak.bytesPerSecond = answer.value(QLatin1String("bytes_per_second")).toDouble();
}

}  // namespace wb::app
