// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QChartView>
#include <optional>

namespace wb::app {

class PlotView;

// The chart's surface: crosshair, lowest-point rings and the empty text are painted over it,
// the ticks of logarithmic axes under it; wheel zooms, drag pans.
class PlotCanvas : public QChartView {
    Q_OBJECT

public:
    PlotCanvas(QChart* chart, PlotView& owner);

protected:
    void drawBackground(QPainter* painter, const QRectF& rect) override;
    void drawForeground(QPainter* painter, const QRectF& rect) override;
    void mouseMoveEvent(QMouseEvent* event) override;
    void mousePressEvent(QMouseEvent* event) override;
    void mouseReleaseEvent(QMouseEvent* event) override;
    void mouseDoubleClickEvent(QMouseEvent* event) override;
    void leaveEvent(QEvent* event) override;
    void wheelEvent(QWheelEvent* event) override;
    void keyPressEvent(QKeyEvent* event) override;

private:
    void drawXTicks(QPainter& painter) const;
    void drawYTicks(QPainter& painter) const;
    void drawLowest(QPainter& painter) const;
    void drawCrosshair(QPainter& painter) const;
    double xAt(const QPointF& position) const;  // on the axis, which may carry logarithms
    double xPosition(double x) const;           // of a number of the data

    PlotView& m_owner;
    std::optional<QPointF> m_mouse;
    std::optional<QPointF> m_dragFrom;
};

}  // namespace wb::app
