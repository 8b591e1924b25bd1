// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QWidget>

#include "app/models/kernel_lab_model.h"

class QComboBox;
class QProgressBar;
class QPushButton;

namespace wb::app {

class ElidedLabel;
class LabCharts;
class LabSide;
class MessageBar;
class SegmentSwitch;
class StateStack;
class Workbench;

// The Lab tab: attention by length and head dimension for every backend, matrix products and the ceilings, all measured
// on this machine.
class LabView : public QWidget {
    Q_OBJECT

public:
    explicit LabView(Workbench& workbench, QWidget* parent = nullptr);

    QWidget* tools() const { return m_tools; }  // for the header of the page
    LabCharts& charts() { return *m_charts; }
    LabSide& side() { return *m_side; }

private:
    void makeTools();
    QWidget* makeChoices();
    QWidget* makeProgress();
    void measure();
    void showFailure(KernelLabModel::Job job, const Problem& problem);
    void refresh();
    void refreshProgress();
    QString caption(const AttentionMeasurement* measured) const;
    QString dtype() const;
    LabPass pass() const;

    Workbench& m_workbench;
    QWidget* m_tools = nullptr;
    ElidedLabel* m_caption = nullptr;
    QComboBox* m_sweep = nullptr;
    QPushButton* m_measure = nullptr;
    QPushButton* m_stop = nullptr;
    MessageBar* m_message = nullptr;
    SegmentSwitch* m_dtype = nullptr;
    SegmentSwitch* m_pass = nullptr;
    QWidget* m_progress = nullptr;
    QProgressBar* m_bar = nullptr;
    ElidedLabel* m_progressText = nullptr;
    ElidedLabel* m_disturbed = nullptr;
    StateStack* m_states = nullptr;
    LabCharts* m_charts = nullptr;
    LabSide* m_side = nullptr;
};

}  // namespace wb::app
