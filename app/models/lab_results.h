// SPDX-License-Identifier: GPL-3.0-or-later
// What `whet bench attention` and `whet bench gemm` measured on a machine, and what the Lab draws of it.
#pragma once

#include <QDateTime>
#include <QJsonArray>
#include <QJsonObject>
#include <QPointF>
#include <QStringList>
#include <QVector>
#include <optional>

namespace wb::app {

enum class LabPass { Forward, ForwardBackward };
enum class LabAxis { Length, HeadDim };
enum class LabQuantity { Seconds, PeakBytes };

// The backends in the order of legends: math, memory_efficient, flash.
const QStringList& labBackends();
QString labBackendTitle(const QString& backend);  // "memory efficient"

// The machine, date and command line of a measurement: without them a figure means nothing.
struct LabOrigin {
    QString cpu;
    QStringList flags;
    int threads = 0;
    QDateTime date;
    QStringList arguments;
    double foreignCpu = 0;    // share of the processor that other programs used meanwhile, 0 to 1
    bool isComplete = false;  // false: stopped before its end

    QJsonObject toJson() const;
    static LabOrigin fromJson(const QJsonObject& json);
    // "20 Nov 2026, 14:31 · Intel Xeon, AVX512F, 2 threads"
    QString text() const;
};

// One backend at one point of a sweep.
struct AttentionPoint {
    QString backend;
    QString pass;  // "forward", "backward" or "forward_backward"
    qint64 length = 0;
    qint64 headDim = 0;
    double seconds = 0;  // 0: refused
    double gflops = 0;
    qint64 peakBytes = 0;
    QString reason;  // why it was refused, or chosen

    bool hasRun() const { return seconds > 0; }
    QJsonObject toJson() const;
    // Nothing if the object is no such point.
    static std::optional<AttentionPoint> fromJson(const QJsonObject& json);
};

// One sweep over sequence lengths and head dimensions in one number format.
struct AttentionMeasurement {
    QString dtype;  // "f32", "bf16"
    LabOrigin origin;
    QVector<AttentionPoint> points;

    void add(const AttentionPoint& point);  // in place of the one at the same place
    QVector<qint64> lengths() const;        // ascending
    QVector<qint64> headDims() const;
    // Forward and backward in one: times add up, the higher peak counts. Nothing if it was not measured.
    std::optional<AttentionPoint> at(const QString& backend, LabPass pass, qint64 length, qint64 headDim) const;
    // The points of a line over one axis while the other is held; only those that ran.
    QVector<QPointF> line(const QString& backend, LabPass pass, LabAxis axis, qint64 held, LabQuantity quantity) const;
    // Why lines or parts of them are missing: "At 8,192: flash ...", one entry a backend and reason.
    QStringList refusals(LabPass pass, LabAxis axis, qint64 held) const;

    QJsonObject toJson() const;
    static AttentionMeasurement fromJson(const QJsonObject& json);
};

// A pass of a linear layer: `tokens` rows through a weight [outputs, inputs].
struct GemmPoint {
    QString dtype;  // "f32", "bf16"
    QString pass;   // "forward", "input_gradient", "weight_gradient"
    qint64 tokens = 0;
    qint64 outputs = 0;
    qint64 inputs = 0;
    double seconds = 0;
    double gflops = 0;
    double gbPerSecond = 0;
    double percentOfCeiling = 0;  // of arithmetic, measured in the same run

    QJsonObject toJson() const;
    static GemmPoint fromJson(const QJsonObject& json);
};

struct GemmMeasurement {
    LabOrigin origin;
    QVector<GemmPoint> points;

    bool isEmpty() const { return points.isEmpty(); }
    QJsonObject toJson() const;
    static GemmMeasurement fromJson(const QJsonObject& json);
};

}  // namespace wb::app
