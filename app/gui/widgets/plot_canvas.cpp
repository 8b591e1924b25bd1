// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/gui/widgets/plot_canvas.h"

#include <QKeyEvent>
#include <QLineSeries>
#include <QMouseEvent>
#include <QValueAxis>
#include <algorithm>
#include <cmath>

#include "app/gui/theme/theme.h"
#include "app/gui/widgets/plot_view.h"
#include "app/models/series.h"
#include "app/models/units.h"

namespace wb::app {

namespace {

std::optional<QPointF> nearestPoint(const QVector<QPointF>& points, double x) {
    if (points.isEmpty()) return std::nullopt;
    auto right =
        std::lower_bound(points.begin(), points.end(), x, [](const QPointF& p, double at) { return p.x() < at; });
    if (right == points.end()) --right;
    if (right != points.begin() && x - (right - 1)->x() < right->x() - x) --right;
    return *right;
}

std::optional<QPointF> lowestPoint(const QVector<QPointF>& points) {
    if (points.isEmpty()) return std::nullopt;
    return *std::min_element(points.begin(), points.end(),
                             [](const QPointF& a, const QPointF& b) { return a.y() < b.y(); });
}

}  // namespace

PlotCanvas::PlotCanvas(QChart* chart, PlotView& owner) : QChartView(chart), m_owner(owner) {
    setMouseTracking(true);
    setFocusPolicy(Qt::StrongFocus);
    setFrameShape(QFrame::NoFrame);
    setRenderHint(QPainter::Antialiasing);
    setAccessibleName(tr("%1 chart").arg(owner.title()));
    setToolTip({});
}

double PlotCanvas::xAt(const QPointF& position) const {
    const QRectF area = chart()->plotArea();
    const double fraction = area.width() > 0 ? (position.x() - area.left()) / area.width() : 0;
    return m_owner.m_xAxis->min() + fraction * (m_owner.m_xAxis->max() - m_owner.m_xAxis->min());
}

double PlotCanvas::xPosition(double x) const {
    const QRectF area = chart()->plotArea();
    const QValueAxis& axis = *m_owner.m_xAxis;
    const double at = m_owner.m_isLogarithmicX ? std::log10(x) : x;
    return area.left() + (at - axis.min()) / (axis.max() - axis.min()) * area.width();
}

void PlotCanvas::drawBackground(QPainter* painter, const QRectF& rect) {
    QChartView::drawBackground(painter, rect);
    painter->save();
    painter->setFont(m_owner.m_xAxis->labelsFont());
    if (m_owner.m_isLogarithmic) drawYTicks(*painter);
    if (m_owner.m_isLogarithmicX) drawXTicks(*painter);
    painter->restore();
}

void PlotCanvas::drawYTicks(QPainter& painter) const {
    const Tokens& theme = tokensOf(palette());
    const QRectF area = chart()->plotArea();
    const QValueAxis& axis = *m_owner.m_leftAxis;
    const int line = painter.fontMetrics().height();
    painter.setPen(theme.line);
    painter.drawLine(area.topLeft(), area.bottomLeft());
    for (const double tick : m_owner.yTicks()) {
        const double y = area.bottom() - (std::log10(tick) - axis.min()) / (axis.max() - axis.min()) * area.height();
        painter.setPen(theme.sunken);
        painter.drawLine(QPointF(area.left(), y), QPointF(area.right(), y));
        painter.setPen(theme.textMuted);
        painter.drawText(QRectF(0, y - line / 2.0, area.left() - 6, line), Qt::AlignRight | Qt::AlignVCenter,
                         m_owner.yText(tick));
    }
}

void PlotCanvas::drawXTicks(QPainter& painter) const {
    const Tokens& theme = tokensOf(palette());
    const QRectF area = chart()->plotArea();
    const int line = painter.fontMetrics().height();
    painter.setPen(theme.line);
    painter.drawLine(area.bottomLeft(), area.bottomRight());
    double taken = -INFINITY;
    for (const double tick : m_owner.xTicks()) {
        const double x = xPosition(tick);
        if (x < area.left() - 1 || x > area.right() + 1) continue;
        painter.setPen(theme.line);
        painter.drawLine(QPointF(x, area.bottom()), QPointF(x, area.bottom() + 4));
        const QString text = m_owner.xText(tick);
        const double half = painter.fontMetrics().horizontalAdvance(text) / 2.0;
        if (x - half < taken + 4) continue;
        taken = x + half;
        painter.setPen(theme.textMuted);
        painter.drawText(QRectF(x - half - 2, area.bottom() + 5, 2 * half + 4, line), Qt::AlignCenter, text);
    }
    painter.drawText(QRectF(area.left(), area.bottom() + 6 + line, area.width(), line), Qt::AlignCenter,
                     m_owner.m_xTitle);
}

void PlotCanvas::drawForeground(QPainter* painter, const QRectF&) {
    painter->save();
    painter->setRenderHint(QPainter::Antialiasing);
    const bool isEmpty = std::all_of(m_owner.m_series.begin(), m_owner.m_series.end(),
                                     [](const PlotSeries& series) { return series.points.isEmpty(); });
    if (isEmpty) {
        painter->setPen(tokensOf(palette()).textMuted);
        painter->drawText(chart()->plotArea(), Qt::AlignCenter | Qt::TextWordWrap, m_owner.m_emptyText);
    } else {
        drawLowest(*painter);
        if (m_mouse && !m_dragFrom) drawCrosshair(*painter);
    }
    painter->restore();
}

void PlotCanvas::drawLowest(QPainter& painter) const {
    const Tokens& theme = tokensOf(palette());
    const QRectF area = chart()->plotArea();
    for (int i = 0; i < m_owner.m_lines.size() && i < m_owner.m_series.size(); ++i) {
        const PlotSeries& series = m_owner.m_series[i];
        const auto lowest = series.marksLowest ? lowestPoint(series.points) : std::nullopt;
        if (!lowest) continue;
        const QPointF at = chart()->mapToPosition(m_owner.placed(series, *lowest), m_owner.m_lines[i]);
        if (!area.adjusted(-1, -1, 1, 1).contains(at)) continue;
        const QColor color = plotColor(series, palette());
        painter.setPen(QPen(color, 2));
        painter.setBrush(theme.raised);
        painter.drawEllipse(at, 5, 5);
        const QString text = tr("best %1 at step %2").arg(formatMetric(lowest->y())).arg(lowest->x(), 0, 'f', 0);
        QRectF box(painter.fontMetrics().boundingRect(text));
        box.moveCenter(at + QPointF(0, -16));
        if (box.top() < area.top()) box.moveTop(at.y() + 10);
        box.moveLeft(
            std::clamp(box.left(), area.left() + 4, std::max(area.left() + 4, area.right() - box.width() - 4)));
        painter.setPen(Qt::NoPen);
        painter.setBrush(theme.raised);
        painter.drawRect(box.adjusted(-3, -1, 3, 1));
        painter.setPen(color);
        painter.drawText(box, Qt::AlignCenter, text);
    }
}

void PlotCanvas::drawCrosshair(QPainter& painter) const {
    const Tokens& theme = tokensOf(palette());
    const QRectF area = chart()->plotArea();
    if (!area.contains(*m_mouse)) return;
    const double x = m_owner.crosshairX(xAt(*m_mouse));
    const double mark = xPosition(x);
    painter.setPen(QPen(theme.textMuted, 1, Qt::DotLine));
    painter.drawLine(QPointF(mark, area.top()), QPointF(mark, area.bottom()));

    QVector<QPair<QColor, QString>> rows{
        {theme.textMuted, QStringLiteral("%1 %2").arg(m_owner.m_xTitle, m_owner.xText(x))}};
    for (int i = 0; i < m_owner.m_series.size() && i < m_owner.m_lines.size(); ++i) {
        const PlotSeries& series = m_owner.m_series[i];
        const auto point = series.isFaint ? std::nullopt : nearestPoint(series.points, x);
        if (!point || !m_owner.isDrawn(series, *point)) continue;
        const QPointF at = chart()->mapToPosition(m_owner.placed(series, *point), m_owner.m_lines[i]);
        painter.setPen(Qt::NoPen);
        painter.setBrush(plotColor(series, palette()));
        if (area.contains(at)) painter.drawEllipse(at, 3, 3);
        rows.append(
            {plotColor(series, palette()), QStringLiteral("%1  %2").arg(series.name, m_owner.yText(point->y()))});
    }
    int width = 0;
    for (const auto& [color, text] : rows) width = std::max(width, painter.fontMetrics().horizontalAdvance(text));
    const int line = painter.fontMetrics().height();
    QRectF box(m_mouse->x() + 12, area.top() + 8, width + 16, line * static_cast<int>(rows.size()) + 12);
    if (box.right() > area.right()) box.moveRight(m_mouse->x() - 12);
    painter.setPen(theme.line);
    painter.setBrush(theme.raised);
    painter.drawRoundedRect(box, metrics::kRadius, metrics::kRadius);
    double y = box.top() + 6;
    for (const auto& [color, text] : rows) {
        painter.setPen(color);
        painter.drawText(QRectF(box.left() + 8, y, width, line), Qt::AlignVCenter | Qt::AlignLeft, text);
        y += line;
    }
}

void PlotCanvas::mouseMoveEvent(QMouseEvent* event) {
    if (m_dragFrom) m_owner.panBy(xAt(*m_dragFrom) - xAt(event->position()));
    if (m_dragFrom) m_dragFrom = event->position();
    m_mouse = event->position();
    viewport()->update();
}

void PlotCanvas::mousePressEvent(QMouseEvent* event) {
    if (event->button() == Qt::LeftButton) m_dragFrom = event->position();
    setFocus(Qt::MouseFocusReason);
}

void PlotCanvas::mouseReleaseEvent(QMouseEvent*) {
    m_dragFrom.reset();
    viewport()->update();
}

void PlotCanvas::mouseDoubleClickEvent(QMouseEvent*) {
    m_owner.resetZoom();
}

void PlotCanvas::leaveEvent(QEvent*) {
    m_mouse.reset();
    viewport()->update();
}

void PlotCanvas::wheelEvent(QWheelEvent* event) {
    m_owner.zoomBy(event->angleDelta().y() > 0 ? 0.8 : 1.25, xAt(event->position()));
    event->accept();
}

void PlotCanvas::keyPressEvent(QKeyEvent* event) {
    const double middle = xAt(chart()->plotArea().center());
    const double tenth = (m_owner.m_xAxis->max() - m_owner.m_xAxis->min()) / 10;
    switch (event->key()) {
        case Qt::Key_Plus: return m_owner.zoomBy(0.8, middle);
        case Qt::Key_Minus: return m_owner.zoomBy(1.25, middle);
        case Qt::Key_Left: return m_owner.panBy(-tenth);
        case Qt::Key_Right: return m_owner.panBy(tenth);
        case Qt::Key_Home: return m_owner.resetZoom();
        default: QChartView::keyPressEvent(event);
    }
}

}  // namespace wb::app
