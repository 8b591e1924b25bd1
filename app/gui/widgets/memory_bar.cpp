// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/gui/widgets/memory_bar.h"

#include <QPainter>
#include <algorithm>

#include "app/gui/theme/theme.h"
#include "app/models/units.h"

namespace wb::app {

namespace {

struct Part {
    QString name;
    int64_t bytes;
    double strength;  // shade of the accent: chrome colours, since owners are no variants
};

QVector<Part> partsOf(const core::MemoryByOwner& owner) {
    return {
        {MemoryBar::tr("weights"), owner.weights, 0.95},     {MemoryBar::tr("gradients"), owner.gradients, 0.72},
        {MemoryBar::tr("optimizer"), owner.optimizer, 0.54}, {MemoryBar::tr("activations"), owner.activations, 0.38},
        {MemoryBar::tr("KV cache"), owner.kvCache, 0.26},    {MemoryBar::tr("workspace"), owner.workspace, 0.16}};
}

}  // namespace

MemoryBar::MemoryBar(QWidget* parent) : QWidget(parent) {
    setSizePolicy(QSizePolicy::Expanding, QSizePolicy::Fixed);
    setAccessibleName(tr("Memory plan"));
}

void MemoryBar::setPlan(const core::PlanMade& plan) {
    m_plan = plan;
    m_hasPlan = true;
    QStringList lines;
    for (const Part& part : partsOf(plan.byOwner))
        lines.append(QStringLiteral("%1: %2").arg(part.name, formatBytes(static_cast<double>(part.bytes))));
    setToolTip(lines.join(QLatin1Char('\n')));
    setAccessibleDescription(lines.join(QStringLiteral(", ")));
    update();
}

void MemoryBar::clear() {
    m_hasPlan = false;
    setToolTip({});
    update();
}

void MemoryBar::paintEvent(QPaintEvent*) {
    QPainter painter(this);
    painter.setRenderHint(QPainter::Antialiasing);
    const Tokens& theme = tokensOf(palette());
    const QRectF bar(0.5, 2.5, width() - 1, 15);
    painter.setPen(theme.line);
    painter.setBrush(theme.sunken);
    painter.drawRoundedRect(bar, 4, 4);
    if (!m_hasPlan) return;

    const double peak = static_cast<double>(m_plan.peakBytes);
    const double available = static_cast<double>(m_plan.availableBytes);
    // A plan of a few MB on a machine with many GB would be a hair line: the bar then spans twice the plan.
    const double span = available > 0 ? std::max(peak * 1.02, std::min(available, peak * 2)) : peak * 1.25;
    QFont small = font();
    small.setPointSizeF(8.5);
    painter.setFont(small);
    const int line = painter.fontMetrics().height() + 3;
    double x = bar.left() + 1;
    int column = 0;
    const int columnWidth = width() / 3;
    for (const Part& part : partsOf(m_plan.byOwner)) {
        const double w = span > 0 ? (bar.width() - 2) * static_cast<double>(part.bytes) / span : 0;
        const QColor color = blended(m_plan.fits ? theme.accent : theme.error, theme.raised, part.strength);
        painter.setPen(Qt::NoPen);
        painter.setBrush(color);
        if (part.bytes > 0) painter.drawRect(QRectF(x, bar.top() + 1, std::max(w - 1, 1.0), bar.height() - 2));
        x += w;
        const QRect cell((column % 3) * columnWidth, 26 + (column / 3) * 2 * line, columnWidth, 2 * line);
        painter.drawRoundedRect(QRect(cell.left(), cell.top() + 4, 8, 8), 2, 2);
        painter.setPen(theme.textMuted);
        painter.drawText(cell.adjusted(14, 0, 0, -line), Qt::AlignVCenter | Qt::AlignLeft, part.name);
        painter.setPen(theme.text);
        painter.drawText(cell.adjusted(14, line - 4, 0, -4), Qt::AlignVCenter | Qt::AlignLeft,
                         formatBytes(static_cast<double>(part.bytes)));
        ++column;
    }
    if (!m_plan.fits && available > 0) {
        const double at = bar.left() + bar.width() * available / span;
        painter.setPen(QPen(theme.error, 2));
        painter.drawLine(QPointF(at, 0), QPointF(at, 20));
    }
}

}  // namespace wb::app
