// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/models/lab_results.h"

#include <QCoreApplication>
#include <QLocale>
#include <algorithm>

#include "app/models/units.h"

namespace wb::app {

namespace {

const QString kForward = QStringLiteral("forward");
const QString kBackward = QStringLiteral("backward");
const QString kBoth = QStringLiteral("forward_backward");

qint64 placeOn(LabAxis axis, const AttentionPoint& point) {
    return axis == LabAxis::Length ? point.length : point.headDim;
}

qint64 heldPlace(LabAxis axis, const AttentionPoint& point) {
    return axis == LabAxis::Length ? point.headDim : point.length;
}

bool belongsTo(LabPass pass, const AttentionPoint& point) {
    return pass == LabPass::ForwardBackward || point.pass == kForward;
}

QVector<qint64> placesOf(const QVector<AttentionPoint>& points, LabAxis axis) {
    QVector<qint64> out;
    for (const AttentionPoint& point : points) out.append(placeOn(axis, point));
    std::sort(out.begin(), out.end());
    out.erase(std::unique(out.begin(), out.end()), out.end());
    return out;
}

template <class Item>
QJsonArray arrayOf(const QVector<Item>& items) {
    QJsonArray out;
    for (const Item& item : items) out.append(item.toJson());
    return out;
}

// The engine's reasons name the backend first, or say only what is wrong.
QString whyMissing(const QString& backend, const QVector<qint64>& places, bool isWhole, const QString& reason) {
    const QString title = labBackendTitle(backend);
    const QString sentence =
        reason.startsWith(backend) ? title + reason.mid(backend.size()) : QStringLiteral("%1: %2").arg(title, reason);
    if (isWhole) return sentence;
    QStringList numbers;
    for (const qint64 place : places) numbers << formatCount(place);
    return QCoreApplication::translate("LabResults", "At %1: %2").arg(numbers.join(QStringLiteral(", ")), sentence);
}

}  // namespace

const QStringList& labBackends() {
    static const QStringList list{QStringLiteral("math"), QStringLiteral("memory_efficient"), QStringLiteral("flash")};
    return list;
}

QString labBackendTitle(const QString& backend) {
    return QString(backend).replace(QLatin1Char('_'), QLatin1Char(' '));
}

QJsonObject LabOrigin::toJson() const {
    return {{QStringLiteral("cpu"), cpu},
            {QStringLiteral("flags"), QJsonArray::fromStringList(flags)},
            {QStringLiteral("threads"), threads},
            {QStringLiteral("date"), date.toString(Qt::ISODate)},
            {QStringLiteral("arguments"), QJsonArray::fromStringList(arguments)},
            {QStringLiteral("foreign_cpu"), foreignCpu},
            {QStringLiteral("is_complete"), isComplete}};
}

LabOrigin LabOrigin::fromJson(const QJsonObject& json) {
    const auto strings = [&json](const char* key) { return json.value(QLatin1String(key)).toVariant().toStringList(); };
    return {.cpu = json.value(QLatin1String("cpu")).toString(),
            .flags = strings("flags"),
            .threads = json.value(QLatin1String("threads")).toInt(),
            .date = QDateTime::fromString(json.value(QLatin1String("date")).toString(), Qt::ISODate),
            .arguments = strings("arguments"),
            .foreignCpu = json.value(QLatin1String("foreign_cpu")).toDouble(),
            .isComplete = json.value(QLatin1String("is_complete")).toBool()};
}

QString LabOrigin::text() const {
    const auto say = [](const char* text) { return QCoreApplication::translate("LabResults", text); };
    QStringList machine{cpu};
    if (!flags.isEmpty()) machine << flags.last().toUpper();
    if (threads > 0) machine << (threads == 1 ? say("1 thread") : say("%1 threads").arg(threads));
    machine.removeAll(QString());
    QStringList parts{QLocale(QLocale::English).toString(date.toLocalTime(), QStringLiteral("d MMM yyyy, hh:mm")),
                      machine.join(QStringLiteral(", "))};
    parts.removeAll(QString());
    return parts.join(QStringLiteral("  ·  "));
}

QJsonObject AttentionPoint::toJson() const {
    return {{QStringLiteral("backend"), backend},      {QStringLiteral("pass"), pass},
            {QStringLiteral("length"), length},        {QStringLiteral("head_dim"), headDim},
            {QStringLiteral("seconds"), seconds},      {QStringLiteral("gflops"), gflops},
            {QStringLiteral("peak_bytes"), peakBytes}, {QStringLiteral("reason"), reason}};
}

std::optional<AttentionPoint> AttentionPoint::fromJson(const QJsonObject& json) {
    AttentionPoint point{.backend = json.value(QLatin1String("backend")).toString(),
                         .pass = json.value(QLatin1String("pass")).toString(),
                         .length = json.value(QLatin1String("length")).toInteger(),
                         .headDim = json.value(QLatin1String("head_dim")).toInteger(),
                         .seconds = json.value(QLatin1String("seconds")).toDouble(),
                         .gflops = json.value(QLatin1String("gflops")).toDouble(),
                         .peakBytes = json.value(QLatin1String("peak_bytes")).toInteger(),
                         .reason = json.value(QLatin1String("reason")).toString()};
    const bool isPass = point.pass == kForward || point.pass == kBackward || point.pass == kBoth;
    if (point.backend.isEmpty() || !isPass || point.length <= 0 || point.headDim <= 0) return std::nullopt;
    return point;
}

void AttentionMeasurement::add(const AttentionPoint& point) {
    const auto same = std::find_if(points.begin(), points.end(), [&](const AttentionPoint& other) {
        return other.backend == point.backend && other.pass == point.pass && other.length == point.length &&
               other.headDim == point.headDim;
    });
    if (same == points.end())
        points.append(point);
    else
        *same = point;
}

QVector<qint64> AttentionMeasurement::lengths() const {
    return placesOf(points, LabAxis::Length);
}

QVector<qint64> AttentionMeasurement::headDims() const {
    return placesOf(points, LabAxis::HeadDim);
}

std::optional<AttentionPoint> AttentionMeasurement::at(const QString& backend, LabPass pass, qint64 length,
                                                       qint64 headDim) const {
    const auto measured = [&](const QString& wanted) -> const AttentionPoint* {
        for (const AttentionPoint& point : points)
            if (point.backend == backend && point.pass == wanted && point.length == length && point.headDim == headDim)
                return &point;
        return nullptr;
    };
    const AttentionPoint* forward = measured(kForward);
    if (pass == LabPass::Forward) return forward ? std::optional(*forward) : std::nullopt;
    if (const AttentionPoint* both = measured(kBoth)) return *both;
    const AttentionPoint* backward = measured(kBackward);
    if (!forward || !backward) return std::nullopt;
    if (!forward->hasRun()) return *forward;
    if (!backward->hasRun()) return *backward;
    AttentionPoint sum = *forward;
    sum.pass = kBoth;
    sum.seconds += backward->seconds;
    sum.gflops = (forward->gflops * forward->seconds + backward->gflops * backward->seconds) / sum.seconds;
    sum.peakBytes = std::max(forward->peakBytes, backward->peakBytes);
    return sum;
}

QVector<QPointF> AttentionMeasurement::line(const QString& backend, LabPass pass, LabAxis axis, qint64 held,
                                            LabQuantity quantity) const {
    QVector<QPointF> out;
    for (const qint64 place : placesOf(points, axis)) {
        const auto point = axis == LabAxis::Length ? at(backend, pass, place, held) : at(backend, pass, held, place);
        if (!point || !point->hasRun()) continue;
        out.append({static_cast<double>(place),
                    quantity == LabQuantity::Seconds ? point->seconds : static_cast<double>(point->peakBytes)});
    }
    return out;
}

QStringList AttentionMeasurement::refusals(LabPass pass, LabAxis axis, qint64 held) const {
    QStringList out;
    for (const QString& backend : labBackends()) {
        QVector<QPair<QString, QVector<qint64>>> byReason;
        bool hasRun = false;
        for (const AttentionPoint& point : points) {
            if (point.backend != backend || heldPlace(axis, point) != held || !belongsTo(pass, point)) continue;
            hasRun = hasRun || point.hasRun();
            if (point.hasRun()) continue;
            auto known = std::find_if(byReason.begin(), byReason.end(),
                                      [&](const auto& entry) { return entry.first == point.reason; });
            if (known == byReason.end()) known = byReason.insert(byReason.end(), {point.reason, {}});
            if (!known->second.contains(placeOn(axis, point))) known->second.append(placeOn(axis, point));
        }
        for (auto& [reason, places] : byReason) {
            std::sort(places.begin(), places.end());
            out << whyMissing(backend, places, !hasRun && byReason.size() == 1, reason);
        }
    }
    return out;
}

QJsonObject AttentionMeasurement::toJson() const {
    return {{QStringLiteral("dtype"), dtype},
            {QStringLiteral("origin"), origin.toJson()},
            {QStringLiteral("points"), arrayOf(points)}};
}

AttentionMeasurement AttentionMeasurement::fromJson(const QJsonObject& json) {
    AttentionMeasurement out{.dtype = json.value(QLatin1String("dtype")).toString(),
                             .origin = LabOrigin::fromJson(json.value(QLatin1String("origin")).toObject())};
    for (const QJsonValue item : json.value(QLatin1String("points")).toArray())
        if (const auto point = AttentionPoint::fromJson(item.toObject())) out.add(*point);
    return out;
}

QJsonObject GemmPoint::toJson() const {
    return {{QStringLiteral("dtype"), dtype},
            {QStringLiteral("pass"), pass},
            {QStringLiteral("tokens"), tokens},
            {QStringLiteral("outputs"), outputs},
            {QStringLiteral("inputs"), inputs},
            {QStringLiteral("seconds"), seconds},
            {QStringLiteral("gflops"), gflops},
            {QStringLiteral("gb_per_s"), gbPerSecond},
            {QStringLiteral("percent_of_ceiling"), percentOfCeiling}};
}

GemmPoint GemmPoint::fromJson(const QJsonObject& json) {
    return {.dtype = json.value(QLatin1String("dtype")).toString().toLower(),
            .pass = json.value(QLatin1String("pass")).toString(),
            .tokens = json.value(QLatin1String("tokens")).toInteger(),
            .outputs = json.value(QLatin1String("outputs")).toInteger(),
            .inputs = json.value(QLatin1String("inputs")).toInteger(),
            .seconds = json.value(QLatin1String("seconds")).toDouble(),
            .gflops = json.value(QLatin1String("gflops")).toDouble(),
            .gbPerSecond = json.value(QLatin1String("gb_per_s")).toDouble(),
            .percentOfCeiling = json.value(QLatin1String("percent_of_ceiling")).toDouble()};
}

QJsonObject GemmMeasurement::toJson() const {
    return {{QStringLiteral("origin"), origin.toJson()}, {QStringLiteral("points"), arrayOf(points)}};
}

GemmMeasurement GemmMeasurement::fromJson(const QJsonObject& json) {
    GemmMeasurement out{.origin = LabOrigin::fromJson(json.value(QLatin1String("origin")).toObject())};
    for (const QJsonValue item : json.value(QLatin1String("points")).toArray())
        out.points.append(GemmPoint::fromJson(item.toObject()));
    return out;
}

}  // namespace wb::app
