// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "app/gui/pages/page.h"
#include "app/models/kernel_table_model.h"

class QComboBox;
class QPushButton;
class QTableView;

namespace wb::app {

class MessageBar;
class RooflinePlot;
class StateStack;

// What every kernel of the running or last job cost, against the ceilings of this machine.
class KernelsPage : public Page {
    Q_OBJECT

public:
    KernelsPage(Workbench& workbench, QWidget* parent = nullptr);

    void activated() override;
    KernelTableModel& model() { return m_model; }

private:
    enum class Source { Run, Compare };

    QWidget* makeContent();
    void refresh();
    Source source() const;

    KernelTableModel m_model;
    StateStack* m_states = nullptr;
    MessageBar* m_message = nullptr;
    QComboBox* m_source = nullptr;
    QPushButton* m_measure = nullptr;
    QLabel* m_summary = nullptr;
    QTableView* m_table = nullptr;
    RooflinePlot* m_roofline = nullptr;
};

}  // namespace wb::app
