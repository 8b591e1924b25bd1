// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/gui/widgets/sparkline_delegate.h"

#include <QPainter>
#include <QPainterPath>
#include <QStyle>
#include <QWidget>
#include <algorithm>

#include "app/gui/theme/theme.h"
#include "app/models/runs_model.h"

namespace wb::app {

void SparklineDelegate::paint(QPainter* painter, const QStyleOptionViewItem& option, const QModelIndex& index) const {
    QStyledItemDelegate::paint(painter, option, index);
    const auto values = index.data(RunsModel::SparklineRole).value<QVector<double>>();
    if (values.size() < 2) return;
    const Tokens& theme = tokensOf(option.palette);
    const QRectF area = QRectF(option.rect).adjusted(8, 6, -8, -6);
    const auto [low, high] = std::minmax_element(values.begin(), values.end());
    const double span = std::max(*high - *low, 1e-9);
    const auto at = [&](qsizetype i) {
        return QPointF(area.left() + area.width() * static_cast<double>(i) / static_cast<double>(values.size() - 1),
                       area.bottom() - area.height() * (values[i] - *low) / span);
    };
    QPainterPath path(at(0));
    for (qsizetype i = 1; i < values.size(); ++i) path.lineTo(at(i));
    painter->save();
    painter->setRenderHint(QPainter::Antialiasing);
    painter->setPen(QPen(theme.tuned, 1.4));
    painter->drawPath(path);
    painter->setBrush(theme.tuned);
    painter->drawEllipse(at(low - values.begin()), 2, 2);
    painter->restore();
}

void RunStateDelegate::paint(QPainter* painter, const QStyleOptionViewItem& option, const QModelIndex& index) const {
    QStyleOptionViewItem shifted = option;
    initStyleOption(&shifted, index);
    const Tokens& theme = tokensOf(option.palette);
    const auto state = static_cast<core::RunState>(index.data(RunsModel::StateRole).toInt());
    const QColor color = state == core::RunState::Failed                                            ? theme.error
                         : state == core::RunState::Running || state == core::RunState::Paused      ? theme.tuned
                         : state == core::RunState::Interrupted || state == core::RunState::Stopped ? theme.warn
                                                                                                    : theme.textMuted;
    QPixmap dot(QSize(10, 10) * option.widget->devicePixelRatioF());
    dot.setDevicePixelRatio(option.widget->devicePixelRatioF());
    dot.fill(Qt::transparent);
    QPainter dotPainter(&dot);
    dotPainter.setRenderHint(QPainter::Antialiasing);
    dotPainter.setPen(Qt::NoPen);
    dotPainter.setBrush(color);
    dotPainter.drawEllipse(QRectF(1, 1, 8, 8));
    dotPainter.end();
    shifted.icon = QIcon(dot);
    shifted.decorationSize = QSize(10, 10);
    shifted.features |= QStyleOptionViewItem::HasDecoration;
    option.widget->style()->drawControl(QStyle::CE_ItemViewItem, &shifted, painter, option.widget);
}

}  // namespace wb::app
