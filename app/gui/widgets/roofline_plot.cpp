// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/gui/widgets/roofline_plot.h"

#include <QHelpEvent>
#include <QKeyEvent>
#include <QMouseEvent>
#include <QPainter>
#include <QToolTip>
#include <algorithm>
#include <cmath>

#include "app/gui/theme/theme.h"
#include "app/models/units.h"

namespace wb::app {

namespace {

double lowerDecade(double value) {
    return std::pow(10.0, std::floor(std::log10(value)));
}
double upperDecade(double value) {
    return std::pow(10.0, std::ceil(std::log10(value) + 1e-9));
}

}  // namespace

RooflinePlot::RooflinePlot(QWidget* parent) : QWidget(parent) {
    setFocusPolicy(Qt::StrongFocus);
    setMinimumSize(280, 220);
    setAccessibleName(tr("Roofline"));
}

void RooflinePlot::setRows(const std::vector<core::KernelRow>& rows, const MachinePeak& peak) {
    m_rows = rows;
    m_peak = peak;
    m_totalSeconds = 0;
    for (const core::KernelRow& row : m_rows) m_totalSeconds += row.seconds;
    if (m_current >= static_cast<int>(m_rows.size())) m_current = -1;
    updateRanges();
    update();
}

void RooflinePlot::setCurrent(int row) {
    m_current = row;
    update();
}

void RooflinePlot::updateRanges() {
    double xLow = INFINITY, xHigh = 0, yLow = INFINITY, yHigh = 0;
    const auto include = [&](double x, double y) {
        xLow = std::min(xLow, x), xHigh = std::max(xHigh, x);
        yLow = std::min(yLow, y), yHigh = std::max(yHigh, y);
    };
    for (const core::KernelRow& row : m_rows)
        if (isDrawn(row)) include(row.flops / row.bytes, row.flops / row.seconds);
    if (m_peak.isKnown()) include(m_peak.flopsPerSecond / m_peak.bytesPerSecond * 4, m_peak.flopsPerSecond);
    if (xHigh <= 0) return;
    m_x = {lowerDecade(xLow), upperDecade(xHigh)};
    m_y = {lowerDecade(yLow), upperDecade(yHigh)};
}

QRectF RooflinePlot::plotArea() const {
    return QRectF(rect()).adjusted(92, 12, -28, -50);
}

QPointF RooflinePlot::at(double intensity, double rate) const {
    const QRectF area = plotArea();
    const double x = std::log10(intensity / m_x.low) / std::log10(m_x.high / m_x.low);
    const double y = std::log10(rate / m_y.low) / std::log10(m_y.high / m_y.low);
    return {area.left() + x * area.width(), area.bottom() - y * area.height()};
}

void RooflinePlot::paintAxes(QPainter& painter) const {
    const Tokens& theme = tokensOf(palette());
    const QRectF area = plotArea();
    QFont small = font();
    small.setPointSizeF(8.5);
    painter.setFont(small);
    for (double x = m_x.low; x <= m_x.high * 1.001; x *= 10) {
        const double px = at(x, m_y.low).x();
        painter.setPen(theme.sunken);
        painter.drawLine(QPointF(px, area.top()), QPointF(px, area.bottom()));
        painter.setPen(theme.textMuted);
        painter.drawText(QRectF(px - 40, area.bottom() + 9, 80, 16), Qt::AlignHCenter,
                         QString::number(x, x < 1e5 ? 'g' : 'e', x < 1e5 ? 5 : 0));
    }
    for (double y = m_y.low; y <= m_y.high * 1.001; y *= 10) {
        const double py = at(m_x.low, y).y();
        painter.setPen(theme.sunken);
        painter.drawLine(QPointF(area.left(), py), QPointF(area.right(), py));
        painter.setPen(theme.textMuted);
        const QString label = withoutZeros(formatRate(y * 1.0000001, QStringLiteral("FLOP")));
        painter.drawText(QRectF(0, py - 8, area.left() - 6, 16), Qt::AlignRight | Qt::AlignVCenter, label);
    }
    painter.drawText(QRectF(area.left(), height() - 20, area.width(), 16), Qt::AlignHCenter,
                     tr("arithmetic intensity (FLOP per byte)"));
}

void RooflinePlot::paintRoof(QPainter& painter) const {
    if (!m_peak.isKnown()) return;
    const Tokens& theme = tokensOf(palette());
    const QRectF area = plotArea();
    const double ridge = m_peak.flopsPerSecond / m_peak.bytesPerSecond;
    const QPolygonF roof({at(m_x.low, m_x.low * m_peak.bytesPerSecond), at(ridge, m_peak.flopsPerSecond),
                          at(m_x.high, m_peak.flopsPerSecond)});
    painter.save();
    painter.setClipRect(area);
    painter.setPen(QPen(theme.text, 1.6));
    painter.drawPolyline(roof);
    painter.restore();
    painter.setPen(theme.textMuted);
    painter.drawText(QRectF(area.left(), roof[1].y() - 18, area.width() - 4, 16), Qt::AlignRight,
                     tr("%1, %2").arg(formatRate(m_peak.flopsPerSecond, QStringLiteral("FLOP")),
                                      formatRate(m_peak.bytesPerSecond, QStringLiteral("B"))));
}

void RooflinePlot::paintDots(QPainter& painter) const {
    const Tokens& theme = tokensOf(palette());
    QVector<QRectF> taken;
    for (size_t i = 0; i < m_rows.size(); ++i) {
        const core::KernelRow& row = m_rows[i];
        if (!isDrawn(row)) continue;
        const QPointF centre = at(row.flops / row.bytes, row.flops / row.seconds);
        const double share = m_totalSeconds > 0 ? row.seconds / m_totalSeconds : 0;
        const double radius = 3.5 + 12 * std::sqrt(share);
        const bool isCurrent = static_cast<int>(i) == m_current;
        QColor fill = theme.accent;
        fill.setAlphaF(isCurrent ? 0.9F : 0.45F);
        painter.setPen(QPen(theme.accent, isCurrent ? 2 : 1));
        painter.setBrush(fill);
        painter.drawEllipse(centre, radius, radius);
        const QString name = kernelTitle(row.name);
        QRectF label(centre.x() + radius + 4, centre.y() - 8, painter.fontMetrics().horizontalAdvance(name) + 2, 16);
        if (label.right() > plotArea().right()) label.moveRight(centre.x() - radius - 4);
        const bool isFree =
            std::none_of(taken.begin(), taken.end(), [&](const QRectF& box) { return box.intersects(label); });
        if (!isCurrent && (!isFree || share < 0.01)) continue;
        taken.append(label);
        painter.setPen(theme.text);
        painter.drawText(label, Qt::AlignVCenter, name);
    }
}

void RooflinePlot::paintEvent(QPaintEvent*) {
    QPainter painter(this);
    painter.setRenderHint(QPainter::Antialiasing);
    const Tokens& theme = tokensOf(palette());
    if (m_rows.empty()) {
        painter.setPen(theme.textMuted);
        painter.drawText(rect(), Qt::AlignCenter, tr("No kernel has been reported yet."));
        return;
    }
    paintAxes(painter);
    paintRoof(painter);
    paintDots(painter);
}

int RooflinePlot::dotAt(const QPointF& position) const {
    int best = -1;
    double bestDistance = 14;
    for (size_t i = 0; i < m_rows.size(); ++i) {
        if (!isDrawn(m_rows[i])) continue;
        const QPointF delta = at(m_rows[i].flops / m_rows[i].bytes, m_rows[i].flops / m_rows[i].seconds) - position;
        const double distance = std::hypot(delta.x(), delta.y());
        if (distance < bestDistance) best = static_cast<int>(i), bestDistance = distance;
    }
    return best;
}

void RooflinePlot::mousePressEvent(QMouseEvent* event) {
    setCurrent(dotAt(event->position()));
    if (m_current >= 0) emit rowChosen(m_current);
}

void RooflinePlot::keyPressEvent(QKeyEvent* event) {
    const int step = event->key() == Qt::Key_Right ? 1 : event->key() == Qt::Key_Left ? -1 : 0;
    if (step == 0 || m_rows.empty()) return QWidget::keyPressEvent(event);
    setCurrent(std::clamp(m_current + step, 0, static_cast<int>(m_rows.size()) - 1));
    emit rowChosen(m_current);
}

bool RooflinePlot::event(QEvent* event) {
    if (event->type() != QEvent::ToolTip) return QWidget::event(event);
    const auto* help = static_cast<QHelpEvent*>(event);
    const int index = dotAt(help->pos());
    if (index < 0) {
        QToolTip::hideText();
        return true;
    }
    const core::KernelRow& row = m_rows[static_cast<size_t>(index)];
    const KernelFigures figures = kernelFigures(row, m_totalSeconds, m_peak);
    QString text = tr("%1 (%2)\n%3, %4 FLOP per byte\n%5 of the time")
                       .arg(QString::fromStdString(row.name), QString::fromStdString(row.backend),
                            formatRate(figures.flopsPerSecond, QStringLiteral("FLOP")),
                            QString::number(figures.intensity, 'g', 3), formatPercent(figures.share));
    if (figures.percentOfPeak >= 0)
        text += tr("\n%1 of what the roof allows").arg(formatPercent(figures.percentOfPeak));
    QToolTip::showText(help->globalPos(), text, this);
    return true;
}

}  // namespace wb::app
