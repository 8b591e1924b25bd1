// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QWidget>
#include <vector>

#include "app/models/kernel_table_model.h"

namespace wb::app {

// Where the time goes: one bar per op (and model), longest first, with its share, time and percent of peak. Painted in
// one pass; updated with every kernel report.
class KernelLane : public QWidget {
    Q_OBJECT

public:
    explicit KernelLane(QWidget* parent = nullptr);

    void setRows(const std::vector<core::KernelRow>& rows, const MachinePeak& peak);
    // Names of models in the order of their variant colours; empty: one neutral colour.
    void setModels(const QStringList& models);
    void setEmptyText(const QString& text);
    QSize sizeHint() const override { return {480, 120}; }

protected:
    void paintEvent(QPaintEvent* event) override;
    bool event(QEvent* event) override;

private:
    int rowHeight() const { return fontMetrics().height() + 4; }
    int visibleRows() const;

    std::vector<core::KernelRow> m_rows;
    double m_totalSeconds = 0.0;
    MachinePeak m_peak;
    QStringList m_models;
    QString m_emptyText;
};

}  // namespace wb::app
