// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/models/kernel_lab_model.h"

#include <QDir>
#include <QFile>
#include <QJsonDocument>
#include <QSaveFile>
#include <algorithm>

#include "app/models/units.h"

namespace wb::app {

namespace {

constexpr int kVersion = 1;
constexpr qint64 kMaxFileBytes = 16 << 20;
constexpr int kPasses = 2;

QString joined(const QVector<qint64>& values) {
    QStringList out;
    for (const qint64 value : values) out << QString::number(value);
    return out.join(QLatin1Char(','));
}

}  // namespace

LabSweep LabSweep::quick(const QString& dtype) {
    return {.dtype = dtype, .lengths = {128, 256, 512, 1024, 2048}, .headDims = {32, 64, 128}};
}

LabSweep LabSweep::full(const QString& dtype) {
    return {.dtype = dtype,
            .lengths = {128, 256, 512, 1024, 2048, 4096, 8192},
            .headDims = {8, 16, 32, 64, 80, 96, 128, 256}};
}

qint64 LabSweep::total() const {
    return lengths.size() * headDims.size() * labBackends().size() * kPasses;
}

QStringList LabSweep::arguments() const {
    return {QStringLiteral("bench"),      QStringLiteral("attention"),
            QStringLiteral("--dtype"),    dtype,
            QStringLiteral("--tokens"),   joined(lengths),
            QStringLiteral("--head-dim"), joined(headDims),
            QStringLiteral("--backend"),  labBackends().join(QLatin1Char(',')),
            QStringLiteral("--progress")};
}

KernelLabModel::KernelLabModel(QObject* parent) : QObject(parent) {
    connect(&m_command, &WhetCommand::objectRead, this, &KernelLabModel::takePoint);
    connect(&m_command, &WhetCommand::succeeded, this, &KernelLabModel::takeAnswer);
    connect(&m_command, &WhetCommand::stopped, this, [this] { end(false); });
    connect(&m_command, &WhetCommand::failed, this, [this](const Problem& problem) {
        const Job job = m_job;
        end(false);
        emit failed(job, problem);
    });
}

void KernelLabModel::setLibrary(const QString& library) {
    m_command.cancel();
    m_job = Job::None;
    m_library = library;
    load();
    emit updated();
}

void KernelLabModel::setMachine(const QString& cpu, const QStringList& flags, int threads) {
    m_origin.cpu = cpu;
    m_origin.flags = flags;
    m_origin.threads = threads;
}

void KernelLabModel::start(Job job, const QStringList& arguments) {
    m_job = job;
    m_done = 0;
    m_phase = tr("Starting");
    m_origin.foreignCpu = 0;
    m_origin.arguments = arguments;
    m_command.start(arguments + QStringList{QStringLiteral("--library"), m_library});
    emit updated();
}

void KernelLabModel::measureAttention(const LabSweep& sweep) {
    if (isRunning()) return;
    m_growing = {.dtype = sweep.dtype};
    m_total = sweep.total();
    start(Job::Attention, sweep.arguments());
}

void KernelLabModel::measureGemm() {
    if (isRunning()) return;
    m_total = 0;
    start(Job::Gemm, {QStringLiteral("bench"), QStringLiteral("gemm")});
}

void KernelLabModel::stop() {
    m_command.stop();
}

void KernelLabModel::takePoint(const QJsonObject& object) {
    const auto point = m_job == Job::Attention ? AttentionPoint::fromJson(object) : std::nullopt;
    if (!point) return;
    m_growing.add(*point);
    m_done = m_growing.points.size();
    m_total = object.value(QLatin1String("total")).toInteger(m_total);
    m_phase = tr("%1, %2 tokens, head %3")
                  .arg(labBackendTitle(point->backend), formatCount(point->length))
                  .arg(point->headDim);
    emit updated();
}

void KernelLabModel::takeAnswer(const QJsonObject& answer) {
    m_origin.foreignCpu = answer.value(QLatin1String("foreign_cpu")).toDouble();
    if (m_job == Job::Attention) takeAttention(answer);
    if (m_job == Job::Gemm) takeGemm(answer);
    end(true);
}

void KernelLabModel::takeAttention(const QJsonObject& answer) {
    for (const QJsonValue item : answer.value(QLatin1String("attention")).toArray())
        if (const auto point = AttentionPoint::fromJson(item.toObject())) m_growing.add(*point);
}

void KernelLabModel::takeGemm(const QJsonObject& answer) {
    m_gemm = {};
    for (const QJsonValue item : answer.value(QLatin1String("gemm")).toArray())
        m_gemm.points.append(GemmPoint::fromJson(item.toObject()));
}

void KernelLabModel::end(bool isComplete) {
    const Job job = m_job;
    m_job = Job::None;
    LabOrigin origin = m_origin;
    origin.date = QDateTime::currentDateTimeUtc();
    origin.isComplete = isComplete;
    if (job == Job::Gemm && isComplete) m_gemm.origin = origin;
    if (isComplete) emit peakMeasured();
    if (job == Job::Attention && !m_growing.points.isEmpty()) {
        m_growing.origin = origin;
        const auto kept = std::find_if(m_kept.begin(), m_kept.end(), [this](const AttentionMeasurement& other) {
            return other.dtype == m_growing.dtype;
        });
        if (kept == m_kept.end())
            m_kept.append(m_growing);
        else if (isComplete || !kept->origin.isComplete)
            *kept = m_growing;
    }
    if (!save())
        emit failed(job, {tr("%1 could not be written: the results are shown, but not kept.").arg(file()),
                          tr("Make room there or choose another library folder, then measure again."), file()});
    emit updated();
}

const AttentionMeasurement* KernelLabModel::attention(const QString& dtype) const {
    if (m_job == Job::Attention && m_growing.dtype == dtype) return &m_growing;
    for (const AttentionMeasurement& kept : m_kept)
        if (kept.dtype == dtype) return &kept;
    return nullptr;
}

void KernelLabModel::load() {
    m_kept.clear();
    m_gemm = {};
    QFile in(file());
    if (!in.open(QIODevice::ReadOnly)) return;
    const QJsonObject json = QJsonDocument::fromJson(in.read(kMaxFileBytes)).object();
    if (json.value(QLatin1String("version")).toInt() != kVersion) return;
    for (const QJsonValue item : json.value(QLatin1String("attention")).toArray())
        m_kept.append(AttentionMeasurement::fromJson(item.toObject()));
    m_gemm = GemmMeasurement::fromJson(json.value(QLatin1String("gemm")).toObject());
}

bool KernelLabModel::save() {
    QJsonArray attention;
    for (const AttentionMeasurement& kept : m_kept) attention.append(kept.toJson());
    const QJsonObject json{{QStringLiteral("version"), kVersion},
                           {QStringLiteral("attention"), attention},
                           {QStringLiteral("gemm"), m_gemm.toJson()}};
    QDir().mkpath(m_library);
    QSaveFile out(file());
    const QByteArray text = QJsonDocument(json).toJson();
    return out.open(QIODevice::WriteOnly) && out.write(text) == text.size() && out.commit();
}

}  // namespace wb::app
