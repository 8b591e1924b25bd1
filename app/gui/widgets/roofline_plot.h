// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QWidget>
#include <vector>

#include "app/models/kernel_table_model.h"

namespace wb::app {

// Log-log roofline: arithmetic intensity against arithmetic rate, one dot per op (area by time), under the two ceilings
// that were measured on this machine. Left and Right walk the dots.
class RooflinePlot : public QWidget {
    Q_OBJECT

public:
    explicit RooflinePlot(QWidget* parent = nullptr);

    void setRows(const std::vector<core::KernelRow>& rows, const MachinePeak& peak);
    // Highlights the dot of this row (index into the rows as set), -1 for none.
    void setCurrent(int row);

signals:
    void rowChosen(int row);

protected:
    void paintEvent(QPaintEvent* event) override;
    void mousePressEvent(QMouseEvent* event) override;
    void keyPressEvent(QKeyEvent* event) override;
    bool event(QEvent* event) override;

private:
    struct Range {
        double low;
        double high;
    };
    QRectF plotArea() const;
    QPointF at(double intensity, double rate) const;
    void updateRanges();
    void paintAxes(QPainter& painter) const;
    void paintRoof(QPainter& painter) const;
    void paintDots(QPainter& painter) const;
    int dotAt(const QPointF& position) const;
    bool isDrawn(const core::KernelRow& row) const { return row.flops > 0 && row.bytes > 0 && row.seconds > 0; }

    std::vector<core::KernelRow> m_rows;
    double m_totalSeconds = 0.0;
    MachinePeak m_peak;
    int m_current = -1;
    Range m_x{0.1, 1000};
    Range m_y{1e8, 1e12};
};

}  // namespace wb::app
