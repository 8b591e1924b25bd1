// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QWidget>

namespace wb::app {

class PlotView;

// One swatch, name and newest value per series, right-aligned in the chart's header.
class PlotLegend : public QWidget {
    Q_OBJECT

public:
    explicit PlotLegend(const PlotView& owner);
    void refresh();
    QSize sizeHint() const override;

protected:
    void paintEvent(QPaintEvent* event) override;

private:
    const PlotView& m_owner;
};

}  // namespace wb::app
