// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "app/gui/pages/compare/compare_view_mode.h"
#include "app/gui/pages/page.h"

class QComboBox;
class QPushButton;

namespace wb::app {

class KernelLane;
class MessageBar;
class PaneView;
class ParameterRow;
class PromptEditor;
class SegmentSwitch;
class StateStack;

// One question, both models, side by side, with everything that tells them apart.
class ComparePage : public Page {
    Q_OBJECT

public:
    ComparePage(Workbench& workbench, QWidget* parent = nullptr);

    void activated() override;
    PromptEditor& prompt() { return *m_prompt; }
    PaneView* pane(int index) const { return m_panes.value(index); }
    void setView(CompareView view);

private:
    void makeTargetChoice();
    QWidget* makeContent();
    QWidget* makeViewSwitch();
    QWidget* makeKernels();
    void makeShortcuts();
    void refresh();
    void refreshKernels();
    void refreshRun();
    void refreshTargets();
    void rebuildPanes();
    void run();

    StateStack* m_states = nullptr;
    MessageBar* m_message = nullptr;
    QComboBox* m_target = nullptr;
    PromptEditor* m_prompt = nullptr;
    ParameterRow* m_parameters = nullptr;
    QPushButton* m_run = nullptr;
    QPushButton* m_stop = nullptr;
    QLabel* m_reason = nullptr;
    QLabel* m_divergence = nullptr;
    SegmentSwitch* m_views = nullptr;
    CompareView m_view = CompareView::Diff;
    QWidget* m_paneRow = nullptr;
    QVector<PaneView*> m_panes;
    KernelLane* m_lane = nullptr;
    QLabel* m_attention = nullptr;
};

}  // namespace wb::app
