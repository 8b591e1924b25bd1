// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/gui/widgets/kernel_lane.h"

#include <QHelpEvent>
#include <QPainter>
#include <QToolTip>
#include <algorithm>

#include "app/gui/theme/theme.h"
#include "app/models/units.h"

namespace wb::app {

namespace {
constexpr int kNarrow = 520;
}

KernelLane::KernelLane(QWidget* parent) : QWidget(parent) {
    setAccessibleName(tr("Kernel lane"));
    setMinimumHeight(72);
}

void KernelLane::setRows(const std::vector<core::KernelRow>& rows, const MachinePeak& peak) {
    m_rows = rows;
    m_peak = peak;
    m_totalSeconds = 0;
    for (const core::KernelRow& row : m_rows) m_totalSeconds += row.seconds;
    std::stable_sort(m_rows.begin(), m_rows.end(),
                     [](const core::KernelRow& a, const core::KernelRow& b) { return a.seconds > b.seconds; });
    QStringList spoken;
    for (size_t i = 0; i < std::min<size_t>(m_rows.size(), 5); ++i)
        spoken.append(QStringLiteral("%1 %2").arg(QString::fromStdString(m_rows[i].name),
                                                  formatPercent(m_rows[i].seconds / m_totalSeconds)));
    setAccessibleDescription(spoken.join(QStringLiteral(", ")));
    update();
}

void KernelLane::setModels(const QStringList& models) {
    m_models = models;
    update();
}

void KernelLane::setEmptyText(const QString& text) {
    m_emptyText = text;
    update();
}

int KernelLane::visibleRows() const {
    return std::min(static_cast<int>(m_rows.size()), std::max(1, height() / rowHeight()));
}

void KernelLane::paintEvent(QPaintEvent*) {
    QPainter painter(this);
    painter.setRenderHint(QPainter::Antialiasing);
    const Tokens& theme = tokensOf(palette());
    if (m_rows.empty()) {
        painter.setPen(theme.textMuted);
        painter.drawText(rect(), Qt::AlignLeft | Qt::AlignTop | Qt::TextWordWrap, m_emptyText);
        return;
    }
    const int row = rowHeight();
    const bool isNarrow = width() < kNarrow;
    const int nameWidth = isNarrow ? width() * 9 / 20 : std::min(240, width() / 3);
    const int figuresWidth = fontMetrics().horizontalAdvance(isNarrow ? tr("00.0 %  > 100 % of peak")
                                                                      : tr("00.0 %  0 min 00 s  > 100 % of peak"));
    const int barWidth = std::max(20, width() - nameWidth - figuresWidth - 24);
    const double longest = std::max(m_rows.front().seconds, 1e-12);
    for (int i = 0; i < visibleRows(); ++i) {
        const core::KernelRow& kernel = m_rows[static_cast<size_t>(i)];
        const int y = i * row;
        const int variant = static_cast<int>(m_models.indexOf(QString::fromStdString(kernel.model)));
        const QColor color = variant >= 0 ? variantColor(theme, variant) : blended(theme.accent, theme.raised, 0.6);
        QString name = kernelTitle(kernel.name);
        // A backend is news only where there is a choice.
        if (!kernel.reason.empty()) name += QStringLiteral(" · ") + QString::fromStdString(kernel.backend);
        painter.setPen(theme.text);
        painter.drawText(QRect(0, y, nameWidth, row), Qt::AlignVCenter | Qt::AlignLeft,
                         fontMetrics().elidedText(name, Qt::ElideRight, nameWidth - 8));
        painter.setPen(Qt::NoPen);
        painter.setBrush(theme.sunken);
        painter.drawRoundedRect(QRectF(nameWidth, y + 5, barWidth, row - 10), 2, 2);
        painter.setBrush(color);
        painter.drawRoundedRect(QRectF(nameWidth, y + 5, std::max(2.0, barWidth * kernel.seconds / longest), row - 10),
                                2, 2);
        const KernelFigures figures = kernelFigures(kernel, m_totalSeconds, m_peak);
        QString text = formatPercent(figures.share);
        if (!isNarrow) text += QStringLiteral("  ") + formatDuration(kernel.seconds);
        if (figures.percentOfPeak >= 0) text += tr("  %1 of peak").arg(peakText(figures));
        painter.setPen(theme.textMuted);
        painter.drawText(QRect(nameWidth + barWidth + 12, y, figuresWidth + 12, row), Qt::AlignVCenter | Qt::AlignLeft,
                         text);
    }
}

bool KernelLane::event(QEvent* event) {
    if (event->type() != QEvent::ToolTip) return QWidget::event(event);
    const auto* help = static_cast<QHelpEvent*>(event);
    const int index = help->pos().y() / rowHeight();
    if (index < 0 || index >= visibleRows()) {
        QToolTip::hideText();
        return true;
    }
    const core::KernelRow& row = m_rows[static_cast<size_t>(index)];
    QStringList lines{QString::fromStdString(row.name + (row.model.empty() ? "" : " (" + row.model + ")")),
                      tr("%1 calls, %2").arg(formatCount(row.calls), formatDuration(row.seconds))};
    if (!row.reason.empty())
        lines.append(tr("%1: %2").arg(QString::fromStdString(row.backend), QString::fromStdString(row.reason)));
    QToolTip::showText(help->globalPos(), lines.join(QLatin1Char('\n')), this);
    return true;
}

}  // namespace wb::app
