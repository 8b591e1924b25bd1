// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/models/series.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace wb::app {

namespace {

bool isLeftOf(const QPointF& point, double x) {
    return point.x() < x;
}

}  // namespace

void MetricSeries::append(double x, double y) {
    if (!m_points.isEmpty() && x <= m_points.last().x()) {
        const auto from = std::lower_bound(m_points.begin(), m_points.end(), x, isLeftOf);
        m_points.erase(from, m_points.end());
    }
    m_points.append({x, y});
}

void MetricSeries::clear() {
    m_points.clear();
}

std::optional<QPointF> MetricSeries::lowest() const {
    std::optional<QPointF> best;
    for (const QPointF& point : m_points)
        if (std::isfinite(point.y()) && (!best || point.y() < best->y())) best = point;
    return best;
}

std::optional<QPointF> MetricSeries::nearest(double x) const {
    if (m_points.isEmpty()) return std::nullopt;
    const auto right = std::lower_bound(m_points.begin(), m_points.end(), x, isLeftOf);
    if (right == m_points.end()) return m_points.last();
    if (right == m_points.begin()) return *right;
    const auto left = std::prev(right);
    return x - left->x() <= right->x() - x ? *left : *right;
}

QVector<QPointF> decimateMinMax(const QVector<QPointF>& points, double xMin, double xMax, int pixels) {
    auto first = std::lower_bound(points.begin(), points.end(), xMin, isLeftOf);
    auto last = std::lower_bound(first, points.end(), std::nextafter(xMax, INFINITY), isLeftOf);
    if (first != points.begin()) --first;
    if (last != points.end()) ++last;
    pixels = std::max(pixels, 1);
    if (std::distance(first, last) <= 4LL * pixels || xMax <= xMin) return {first, last};

    QVector<QPointF> out;
    out.reserve(4LL * pixels + 8);
    const double width = (xMax - xMin) / pixels;
    while (first != last) {
        const auto column = std::floor((first->x() - xMin) / width);
        auto end = first;
        auto low = first;
        auto high = first;
        for (; end != last && std::floor((end->x() - xMin) / width) == column; ++end) {
            if (end->y() < low->y()) low = end;
            if (end->y() > high->y()) high = end;
        }
        std::array<decltype(first), 4> kept{first, std::min(low, high), std::max(low, high), end - 1};
        for (size_t i = 0; i < kept.size(); ++i)
            if (i == 0 || kept[i] != kept[i - 1]) out.append(*kept[i]);
        first = end;
    }
    return out;
}

QVector<QPointF> smoothed(const QVector<QPointF>& points, double weight) {
    if (weight <= 0) return points;
    QVector<QPointF> out;
    out.reserve(points.size());
    double average = 0;
    double correction = 1;
    for (const QPointF& point : points) {
        if (!std::isfinite(point.y())) continue;
        average = weight * average + (1 - weight) * point.y();
        correction *= weight;
        out.append({point.x(), average / (1 - correction)});
    }
    return out;
}

QVector<double> logTicks(double low, double high, int wanted) {
    if (!(low > 0) || !(high >= low)) return {};
    const int first = static_cast<int>(std::floor(std::log10(low)));
    const int last = static_cast<int>(std::ceil(std::log10(high)));
    const auto between = [&](const QVector<int>& mantissas, int every) {
        QVector<double> out;
        for (int exponent = first; exponent <= last; ++exponent)
            for (const int mantissa : mantissas)
                if (const double tick = mantissa * std::pow(10.0, exponent);
                    exponent % every == 0 && tick >= low * (1 - 1e-9) && tick <= high * (1 + 1e-9))
                    out.append(tick);
        return out;
    };
    const qsizetype most = std::max(2, wanted);
    QVector<double> ticks = between({1, 2, 5}, 1);
    for (int every = 1; ticks.size() > most; ++every) ticks = between({1}, every);
    if (ticks.size() >= 2) return ticks;
    // Within a decade equal steps are as good.
    ticks.clear();
    const double step = niceTickStep(high - low, wanted);
    for (double tick = std::ceil(low / step) * step; tick <= high; tick += step) ticks.append(tick);
    return ticks;
}

double niceTickStep(double range, int wanted) {
    if (!(range > 0) || wanted < 1) return 1;
    const double raw = range / wanted;
    const double power = std::pow(10.0, std::floor(std::log10(raw)));
    const double mantissa = raw / power;
    return (mantissa <= 1 ? 1 : mantissa <= 2 ? 2 : mantissa <= 5 ? 5 : 10) * power;
}

}  // namespace wb::app
