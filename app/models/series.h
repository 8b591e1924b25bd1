// SPDX-License-Identifier: GPL-3.0-or-later
// Metric points of a run and their reduction to what a screen can show.
#pragma once

#include <QPointF>
#include <QVector>
#include <optional>

namespace wb::app {

// Points with non-decreasing x.
class MetricSeries {
public:
    // A point whose x is at or before the last one replaces the tail from there: that is how the steps which a
    // resumed run repeats end up in the curve once.
    void append(double x, double y);
    void clear();

    bool isEmpty() const { return m_points.isEmpty(); }
    qsizetype count() const { return m_points.size(); }
    const QVector<QPointF>& points() const { return m_points; }
    double lastY() const { return m_points.last().y(); }

    // The point with the smallest finite y.
    std::optional<QPointF> lowest() const;
    // The point with x nearest to `x`.
    std::optional<QPointF> nearest(double x) const;

private:
    QVector<QPointF> m_points;
};

// At most four points per pixel column (first, lowest, highest, last) of those with xMin <= x <= xMax and one neighbour
// at either side, so that the drawn line covers the same pixels as all points would. `points` are sorted by x.
QVector<QPointF> decimateMinMax(const QVector<QPointF>& points, double xMin, double xMax, int pixels);

// Exponential moving average with bias correction; weight 0 returns the points unchanged.
QVector<QPointF> smoothed(const QVector<QPointF>& points, double weight);

// Positions for at most `wanted` labels (two at least) of a logarithmic axis, 0 < low <= position <= high: powers of
// ten, two and five times them where there is room, equal steps where that leaves less than two.
QVector<double> logTicks(double low, double high, int wanted);

// A round step (1, 2 or 5 times a power of ten) that gives about `wanted` ticks over the range.
double niceTickStep(double range, int wanted);

}  // namespace wb::app
