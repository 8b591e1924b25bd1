// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/gui/widgets/plot_legend.h"

#include <QPainter>

#include "app/gui/theme/theme.h"
#include "app/gui/widgets/plot_view.h"

namespace wb::app {

namespace {
constexpr int kSwatch = 20;  // two dashes and the gap between them
constexpr int kTextGap = 6;
}  // namespace

PlotLegend::PlotLegend(const PlotView& owner) : m_owner(owner) {}

void PlotLegend::setShowsValues(bool showsValues) {
    m_showsValues = showsValues;
    refresh();
}

QString PlotLegend::valueOf(const PlotSeries& series) const {
    return !m_showsValues || series.points.isEmpty() ? QString() : m_owner.yText(series.points.last().y());
}

int PlotLegend::widthOf(const PlotSeries& series) const {
    const QString value = valueOf(series);
    return kSwatch + kTextGap + fontMetrics().horizontalAdvance(series.name) +
           (value.isEmpty() ? 0 : kTextGap + fontMetrics().horizontalAdvance(value));
}

void PlotLegend::refresh() {
    QStringList parts;
    for (const PlotSeries& series : m_owner.series())
        if (!series.isFaint && !series.points.isEmpty())
            parts.append(QStringLiteral("%1 %2").arg(series.name, valueOf(series)).trimmed());
    setAccessibleName(parts.join(QStringLiteral(", ")));
    setToolTip(parts.join(QLatin1Char('\n')));
    updateGeometry();
    update();
}

QSize PlotLegend::sizeHint() const {
    if (m_showsValues) return {80, fontMetrics().height()};  // the chart's header gives it what is left
    int width = 0;
    for (const PlotSeries& series : m_owner.series())
        if (!series.isFaint) width += widthOf(series) + (width > 0 ? metrics::kGap : 0);
    return {width, fontMetrics().height()};
}

void PlotLegend::paintEvent(QPaintEvent*) {
    QPainter painter(this);
    painter.setRenderHint(QPainter::Antialiasing);
    const Tokens& theme = tokensOf(palette());
    int x = width();
    const auto& series = m_owner.series();
    for (auto item = series.rbegin(); item != series.rend(); ++item) {
        if (item->isFaint) continue;
        const QString value = valueOf(*item);
        const int total = widthOf(*item);
        x -= total;
        if (x < 0) return;
        painter.setPen(QPen(plotColor(*item, palette()), 2, item->isDashed ? Qt::DashLine : Qt::SolidLine));
        painter.drawLine(x, height() / 2, x + kSwatch, height() / 2);
        painter.setPen(theme.textMuted);
        painter.drawText(QRect(x + kSwatch + kTextGap, 0, total, height()), Qt::AlignVCenter, item->name);
        painter.setPen(theme.text);
        painter.drawText(QRect(x, 0, total, height()), Qt::AlignVCenter | Qt::AlignRight, value);
        x -= metrics::kGap;
    }
}

}  // namespace wb::app
