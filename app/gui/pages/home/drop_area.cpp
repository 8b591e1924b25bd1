// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/gui/pages/home/drop_area.h"

#include <QDragEnterEvent>
#include <QMimeData>
#include <QPainter>

#include "app/gui/theme/icons.h"
#include "app/gui/theme/theme.h"

namespace wb::app {

DropArea::DropArea(const QString& text, QWidget* parent) : QWidget(parent), m_text(text) {
    setAcceptDrops(true);
    setFixedHeight(88);
    setAccessibleName(text);
}

void DropArea::paintEvent(QPaintEvent*) {
    QPainter painter(this);
    painter.setRenderHint(QPainter::Antialiasing);
    const Tokens& theme = tokensOf(palette());
    painter.setPen(QPen(m_isHovered ? theme.accent : blended(theme.textMuted, theme.surface, 0.6), m_isHovered ? 2 : 1,
                        Qt::DashLine));
    painter.setBrush(m_isHovered ? theme.sunken : theme.surface);
    painter.drawRoundedRect(QRectF(rect()).adjusted(1, 1, -1, -1), metrics::kRadius, metrics::kRadius);
    const int textWidth = painter.fontMetrics().horizontalAdvance(m_text);
    const int left = (width() - textWidth - metrics::kIcon - 10) / 2;
    lineIcon(QStringLiteral("drop"), IconTint::Muted)
        .paint(&painter, QRect(left, (height() - metrics::kIcon) / 2, metrics::kIcon, metrics::kIcon));
    painter.setPen(theme.textMuted);
    painter.drawText(QRect(left + metrics::kIcon + 10, 0, textWidth + 8, height()), Qt::AlignVCenter, m_text);
}

void DropArea::dragEnterEvent(QDragEnterEvent* event) {
    if (!event->mimeData()->hasUrls()) return;
    m_isHovered = true;
    event->acceptProposedAction();
    update();
}

void DropArea::dragLeaveEvent(QDragLeaveEvent*) {
    m_isHovered = false;
    update();
}

void DropArea::dropEvent(QDropEvent* event) {
    m_isHovered = false;
    update();
    const QList<QUrl> urls = event->mimeData()->urls();
    if (urls.isEmpty() || !urls.first().isLocalFile()) return;
    event->acceptProposedAction();
    emit dropped(urls.first().toLocalFile());
}

}  // namespace wb::app
