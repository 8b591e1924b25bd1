// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QWidget>

#include "core/run/events.h"

namespace wb::app {

// The memory plan: one stacked bar by owner against what the machine has, and a legend with the amounts.
class MemoryBar : public QWidget {
    Q_OBJECT

public:
    explicit MemoryBar(QWidget* parent = nullptr);

    void setPlan(const core::PlanMade& plan);
    void clear();
    QSize sizeHint() const override { return {320, 96}; }
    QSize minimumSizeHint() const override { return {240, 96}; }

protected:
    void paintEvent(QPaintEvent* event) override;

private:
    core::PlanMade m_plan;
    bool m_hasPlan = false;
};

}  // namespace wb::app
