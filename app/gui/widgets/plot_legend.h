// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QWidget>

namespace wb::app {

class PlotView;
struct PlotSeries;

// One swatch, name and newest value per series, right-aligned.
class PlotLegend : public QWidget {
    Q_OBJECT

public:
    explicit PlotLegend(const PlotView& owner);
    void refresh();
    void setShowsValues(bool showsValues);
    QSize sizeHint() const override;

protected:
    void paintEvent(QPaintEvent* event) override;

private:
    QString valueOf(const PlotSeries& series) const;
    int widthOf(const PlotSeries& series) const;

    const PlotView& m_owner;
    bool m_showsValues = true;
};

}  // namespace wb::app
