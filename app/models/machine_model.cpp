// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/models/machine_model.h"

#include <QFile>
#include <QJsonArray>
#include <QJsonDocument>

#include "app/models/units.h"

namespace wb::app {

QString machineSummary(const QJsonObject& doctor) {
    const QJsonObject cpu = doctor.value(QLatin1String("cpu")).toObject();
    const QJsonObject memory = doctor.value(QLatin1String("memory")).toObject();
    const QJsonObject gpu = doctor.value(QLatin1String("gpu")).toObject();
    QStringList processor{cpu.value(QLatin1String("model")).toString()};
    if (const int cores = cpu.value(QLatin1String("cores")).toInt(); cores > 0)
        processor << (cores == 1 ? MachineModel::tr("1 core") : MachineModel::tr("%1 cores").arg(cores));
    const QJsonArray flags = cpu.value(QLatin1String("flags")).toArray();
    for (const char* best : {"avx512f", "avx2", "avx", "sse4_2"}) {
        if (!flags.contains(QLatin1String(best))) continue;
        processor << QString::fromLatin1(best).toUpper();
        break;
    }
    processor.removeAll(QString());
    QStringList parts{processor.join(QStringLiteral(", "))};
    if (const double bytes = memory.value(QLatin1String("total_bytes")).toDouble(); bytes > 0)
        parts << MachineModel::tr("%1 memory").arg(formatBytes(bytes));
    const QJsonArray devices = gpu.value(QLatin1String("devices")).toArray();
    const QString reason = gpu.value(QLatin1String("reason")).toString();
    const QJsonObject first = devices.first().toObject();
    const QString name = first.value(QLatin1String("name")).toString();
    if (!devices.isEmpty() && first.value(QLatin1String("usable")).toBool(true))
        parts << name;
    else if (!devices.isEmpty())
        parts << MachineModel::tr("%1 not used: %2").arg(name, first.value(QLatin1String("reason")).toString());
    else
        parts << (reason.isEmpty() ? MachineModel::tr("no GPU") : MachineModel::tr("no GPU: %1").arg(reason));
    parts.removeAll(QString());
    return parts.join(QStringLiteral("  ·  "));
}

MachinePeak machinePeakFromJson(const QJsonObject& answer) {
    constexpr double kGiga = 1e9;
    const auto rate = [&answer](const char* key) { return kGiga * answer.value(QLatin1String(key)).toDouble(); };
    return {.flopsPerSecond = rate("f32_gflops"),
            .bytesPerSecond = rate("memory_gb_per_s"),
            .oneThreadFlopsPerSecond = rate("f32_gflops_one_thread"),
            .bf16FlopsPerSecond = rate("bf16_gflops"),
            .threads = answer.value(QLatin1String("threads")).toInt(),
            .cpu = answer.value(QLatin1String("cpu")).toString(),
            .isa = answer.value(QLatin1String("isa")).toString()};
}

MachineModel::MachineModel(QObject* parent) : QObject(parent) {
    connect(&m_doctor, &WhetCommand::succeeded, this, [this](const QJsonObject& answer) {
        m_problem = {};
        m_summary = machineSummary(answer);
        const QJsonObject cpu = answer.value(QLatin1String("cpu")).toObject();
        m_cpu = cpu.value(QLatin1String("model")).toString();
        m_cpuFlags = cpu.value(QLatin1String("flags")).toVariant().toStringList();
        forgetForeignPeak();
        emit changed();
    });
    connect(&m_doctor, &WhetCommand::failed, this, [this](const Problem& problem) {
        m_problem = problem;
        m_summary = problem.what;
        emit changed();
    });
    connect(&m_bench, &WhetCommand::succeeded, this, [this](const QJsonObject& answer) {
        m_peak = machinePeakFromJson(answer);
        emit changed();
    });
    connect(&m_bench, &WhetCommand::failed, this, &MachineModel::peakFailed);
}

QString MachineModel::peakFile() const {
    return m_library + QStringLiteral("/machine.json");
}

void MachineModel::setLibrary(const QString& library) {
    m_library = library;
    reloadPeak();
}

void MachineModel::reloadPeak() {
    m_peak = {};
    QFile file(peakFile());
    if (file.open(QIODevice::ReadOnly))
        m_peak = machinePeakFromJson(QJsonDocument::fromJson(file.read(1 << 20)).object());
    forgetForeignPeak();
    emit changed();
}

void MachineModel::examine() {
    m_doctor.start({QStringLiteral("doctor")});
}

void MachineModel::measurePeak() {
    m_bench.start({QStringLiteral("bench"), QStringLiteral("peak")});
    emit changed();
}

// The library may lie on a disk that several machines use.
void MachineModel::forgetForeignPeak() {
    if (!m_cpu.isEmpty() && !m_peak.cpu.isEmpty() && m_peak.cpu.simplified() != m_cpu.simplified()) m_peak = {};
}

}  // namespace wb::app
