// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QWidget>
#include <optional>

#include "app/models/lab_results.h"

class QBoxLayout;
class QComboBox;
class QLabel;
class QLayout;

namespace wb::app {

class PlotView;

// Time and peak memory of attention, one line a backend on logarithmic axes: above against sequence length at a chosen
// head dimension, below against head dimension at a chosen length.
class LabCharts : public QWidget {
    Q_OBJECT

public:
    explicit LabCharts(QWidget* parent = nullptr);

    void show(const AttentionMeasurement& measurement, LabPass pass);
    PlotView& plot(LabAxis axis, LabQuantity quantity);
    QComboBox& held(LabAxis axis);  // the choice of what is held while the axis varies
    // Why lines are missing, one a line; empty if none is.
    QString refusals(LabAxis axis) const;
    QWidget* legend() const { return m_legend; }

private:
    struct Row {
        QComboBox* held = nullptr;
        std::optional<qint64> chosen;  // by the user
        QLabel* refusals = nullptr;
        PlotView* time = nullptr;
        PlotView* memory = nullptr;
    };
    Row makeRow(LabAxis axis, QBoxLayout& layout);
    QLayout* makePlots(LabAxis axis, Row& row);
    void offer(Row& row, const QVector<qint64>& values, qint64 preferred);
    void draw(LabAxis axis);
    const Row& row(LabAxis axis) const { return axis == LabAxis::Length ? m_byLength : m_byHeadDim; }
    Row& row(LabAxis axis) { return axis == LabAxis::Length ? m_byLength : m_byHeadDim; }

    AttentionMeasurement m_measurement;
    LabPass m_pass = LabPass::Forward;
    Row m_byLength;
    Row m_byHeadDim;
    QWidget* m_legend = nullptr;
};

}  // namespace wb::app
