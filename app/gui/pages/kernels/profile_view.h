// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QWidget>

#include "app/models/kernel_table_model.h"

class QComboBox;
class QPushButton;
class QTableView;

namespace wb::app {

class ElidedLabel;
class MessageBar;
class RooflinePlot;
class StateStack;
class Workbench;

// What every kernel of the running or last job cost, against the ceilings of this machine: table and roofline.
class ProfileView : public QWidget {
    Q_OBJECT

public:
    explicit ProfileView(Workbench& workbench, QWidget* parent = nullptr);

    void activated();
    QWidget* tools() const { return m_tools; }  // for the header of the page
    KernelTableModel& model() { return m_model; }

private:
    enum class Source { Run, Compare };

    void makeTools();
    QWidget* makeContent();
    void refresh();
    Source source() const;

    Workbench& m_workbench;
    KernelTableModel m_model;
    StateStack* m_states = nullptr;
    MessageBar* m_message = nullptr;
    QWidget* m_tools = nullptr;
    QComboBox* m_source = nullptr;
    QPushButton* m_measure = nullptr;
    ElidedLabel* m_summary = nullptr;
    QTableView* m_table = nullptr;
    RooflinePlot* m_roofline = nullptr;
};

}  // namespace wb::app
