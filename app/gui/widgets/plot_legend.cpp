// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/gui/widgets/plot_legend.h"

#include <QPainter>

#include "app/gui/theme/theme.h"
#include "app/gui/widgets/plot_view.h"
#include "app/models/units.h"

namespace wb::app {

namespace {
constexpr int kSwatch = 14;
constexpr int kTextGap = 6;
}  // namespace

PlotLegend::PlotLegend(const PlotView& owner) : m_owner(owner) {}

void PlotLegend::refresh() {
    QStringList parts;
    for (const PlotSeries& series : m_owner.series())
        if (!series.isFaint && !series.points.isEmpty())
            parts.append(QStringLiteral("%1 %2").arg(series.name, formatMetric(series.points.last().y())));
    setAccessibleName(parts.join(QStringLiteral(", ")));
    setToolTip(parts.join(QLatin1Char('\n')));
    update();
}

QSize PlotLegend::sizeHint() const {
    return {80, fontMetrics().height()};
}

void PlotLegend::paintEvent(QPaintEvent*) {
    QPainter painter(this);
    painter.setRenderHint(QPainter::Antialiasing);
    const Tokens& theme = tokensOf(palette());
    int x = width();
    const auto& series = m_owner.series();
    for (auto item = series.rbegin(); item != series.rend(); ++item) {
        if (item->isFaint) continue;
        const QString value = item->points.isEmpty() ? QString() : formatMetric(item->points.last().y());
        const int valueWidth = fontMetrics().horizontalAdvance(value);
        const int nameWidth = fontMetrics().horizontalAdvance(item->name);
        const int total = kSwatch + kTextGap + nameWidth + (value.isEmpty() ? 0 : kTextGap + valueWidth);
        x -= total;
        if (x < 0) return;
        painter.setPen(QPen(plotColor(*item, palette()), 2, item->isDashed ? Qt::DashLine : Qt::SolidLine));
        painter.drawLine(x, height() / 2, x + kSwatch, height() / 2);
        painter.setPen(theme.textMuted);
        painter.drawText(QRect(x + kSwatch + kTextGap, 0, nameWidth + 2, height()), Qt::AlignVCenter, item->name);
        painter.setPen(theme.text);
        painter.drawText(QRect(x + total - valueWidth, 0, valueWidth + 2, height()), Qt::AlignVCenter, value);
        x -= metrics::kGap;
    }
}

}  // namespace wb::app
