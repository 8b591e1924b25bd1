// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/gui/widgets/histogram_view.h"

#include <QHelpEvent>
#include <QKeyEvent>
#include <QMouseEvent>
#include <QPainter>
#include <QToolTip>
#include <algorithm>

#include "app/gui/theme/theme.h"
#include "app/models/series.h"
#include "app/models/units.h"

namespace wb::app {

HistogramView::HistogramView(QWidget* parent) : QWidget(parent) {
    setFocusPolicy(Qt::StrongFocus);
    setCursor(Qt::SizeHorCursor);
    setMinimumHeight(96);
    setAccessibleName(tr("Row lengths with the maximum length"));
}

void HistogramView::setBars(QVector<HistogramBar> bars, qint64 longest) {
    m_bars = std::move(bars);
    m_longest = longest;
    update();
}

void HistogramView::setLimit(qint64 tokens) {
    m_limit = tokens;
    setAccessibleDescription(tr("Maximum length %1 tokens").arg(tokens));
    update();
}

void HistogramView::setWindows(bool areWindows) {
    m_isWindow = areWindows;
    update();
}

QRect HistogramView::plotArea() const {
    return rect().adjusted(8, 26, -8, -20);
}

int HistogramView::xOf(qint64 tokens) const {
    const QRect area = plotArea();
    const double span = static_cast<double>(std::max<qint64>(1, m_longest));
    return area.left() + static_cast<int>(area.width() * std::min(1.0, static_cast<double>(tokens) / span));
}

qint64 HistogramView::tokensAt(int x) const {
    const QRect area = plotArea();
    const double fraction = std::clamp(static_cast<double>(x - area.left()) / std::max(1, area.width()), 0.0, 1.0);
    return std::max<qint64>(2, qRound64(fraction * static_cast<double>(m_longest)));
}

void HistogramView::paintEvent(QPaintEvent*) {
    QPainter painter(this);
    painter.setRenderHint(QPainter::Antialiasing);
    const Tokens& theme = tokensOf(palette());
    const QRect area = plotArea();
    painter.setPen(theme.line);
    painter.drawLine(area.bottomLeft(), area.bottomRight());
    qint64 highest = 1;
    for (const HistogramBar& bar : m_bars) highest = std::max(highest, bar.rows);
    painter.setPen(Qt::NoPen);
    for (const HistogramBar& bar : m_bars) {
        if (bar.rows == 0) continue;
        const int left = xOf(bar.begin);
        const int width = std::max(1, xOf(bar.end) - left - 1);
        const int height = std::max(2, static_cast<int>(area.height() * bar.rows / highest));
        const QRect box(left, area.bottom() - height, width, height);
        const bool isCut = m_limit > 0 && !m_isWindow && bar.begin >= m_limit;
        painter.setBrush(isCut ? blended(theme.textMuted, theme.raised, 0.25)
                               : blended(theme.accent, theme.raised, 0.55));
        painter.drawRect(box);
        if (!isCut) continue;
        painter.setBrush(QBrush(theme.textMuted, Qt::BDiagPattern));
        painter.drawRect(box);
    }
    QFont small = font();
    small.setPointSizeF(8.5);
    painter.setFont(small);
    painter.setPen(theme.textMuted);
    const double step = niceTickStep(static_cast<double>(m_longest), std::max(2, area.width() / 90));
    for (double tick = 0; m_longest > 0 && tick <= static_cast<double>(m_longest); tick += step) {
        const int x = xOf(static_cast<qint64>(tick));
        const QRect box(std::clamp(x - 40, 0, std::max(0, width() - 80)), area.bottom() + 3, 80, 16);
        const int align = x < 40 ? Qt::AlignLeft : x > width() - 48 ? Qt::AlignRight : Qt::AlignHCenter;
        painter.drawText(box, align, formatCount(static_cast<qint64>(tick)));
    }
    if (m_limit <= 0) return;
    const int x = xOf(m_limit);
    painter.setPen(QPen(theme.tuned, 2));
    painter.drawLine(x, area.top() - 14, x, area.bottom());
    painter.setBrush(hasFocus() ? theme.tuned : theme.raised);
    painter.drawEllipse(QPoint(x, area.top() - 14), 5, 5);
    painter.setPen(theme.tuned);
    const QString text = (m_isWindow ? tr("windows of %1 tokens") : tr("max %1 tokens")).arg(formatCount(m_limit));
    const int textWidth = painter.fontMetrics().horizontalAdvance(text) + 4;
    const int left = x + 10 + textWidth < width() ? x + 10 : x - 10 - textWidth;
    painter.drawText(QRect(left, area.top() - 23, textWidth, 18), Qt::AlignVCenter, text);
}

void HistogramView::moveTo(qint64 tokens) {
    const qint64 wanted = std::clamp<qint64>(tokens, 2, std::max<qint64>(2, m_longest));
    if (wanted == m_limit) return;
    setLimit(wanted);
    emit limitChanged(wanted);
}

void HistogramView::mousePressEvent(QMouseEvent* event) {
    moveTo(tokensAt(event->position().toPoint().x()));
}

void HistogramView::mouseMoveEvent(QMouseEvent* event) {
    if (event->buttons() & Qt::LeftButton) moveTo(tokensAt(event->position().toPoint().x()));
}

void HistogramView::mouseReleaseEvent(QMouseEvent*) {
    emit limitChosen(m_limit);
}

void HistogramView::keyPressEvent(QKeyEvent* event) {
    const qint64 page = std::max<qint64>(1, m_longest / 20);
    qint64 wanted = m_limit;
    switch (event->key()) {
        case Qt::Key_Left: wanted -= 1; break;
        case Qt::Key_Right: wanted += 1; break;
        case Qt::Key_PageDown: wanted -= page; break;
        case Qt::Key_PageUp: wanted += page; break;
        case Qt::Key_Home: wanted = 2; break;
        case Qt::Key_End: wanted = m_longest; break;
        default: return QWidget::keyPressEvent(event);
    }
    moveTo(wanted);
    emit limitChosen(m_limit);
}

void HistogramView::wheelEvent(QWheelEvent* event) {
    if (!hasFocus()) return event->ignore();
    moveTo(m_limit + (event->angleDelta().y() > 0 ? 1 : -1) * std::max<qint64>(1, m_longest / 50));
    emit limitChosen(m_limit);
}

bool HistogramView::event(QEvent* event) {
    if (event->type() == QEvent::ToolTip) {
        const auto* help = static_cast<QHelpEvent*>(event);
        const qint64 at = tokensAt(help->pos().x());
        for (const HistogramBar& bar : m_bars)
            if (at >= bar.begin && at < bar.end) {
                const QString range =
                    tr("%1 to %2 tokens: %3 rows").arg(bar.begin).arg(bar.end - 1).arg(formatCount(bar.rows));
                QToolTip::showText(help->globalPos(), range, this);
                return true;
            }
        QToolTip::hideText();
        return true;
    }
    return QWidget::event(event);
}

}  // namespace wb::app
