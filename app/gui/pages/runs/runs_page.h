// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "app/gui/pages/page.h"
#include "app/models/run_curves.h"

class QLineEdit;
class QPushButton;
class QTableView;
class QTableWidget;

namespace wb::app {

class PlotView;
class StateStack;

// All runs of the library; several selected: their curves over each other and the settings that differ.
class RunsPage : public Page {
    Q_OBJECT

public:
    RunsPage(Workbench& workbench, QWidget* parent = nullptr);

    void activated() override;
    QTableView& table() { return *m_table; }
    PlotView& plot() { return *m_plot; }

private:
    QWidget* makeContent();
    QWidget* makeDetails();
    QWidget* makeButtons();
    void refresh();
    void keepSelection();
    void selectionChanged();
    void showCurves();
    QStringList selectedFolders() const;

    RunsFilterModel m_shown;
    RunCurves m_curves;
    StateStack* m_states = nullptr;
    QLineEdit* m_search = nullptr;
    QTableView* m_table = nullptr;
    PlotView* m_plot = nullptr;
    QTableWidget* m_settings = nullptr;
    QLabel* m_settingsTitle = nullptr;
    QPushButton* m_open = nullptr;
    QPushButton* m_resume = nullptr;
    QPushButton* m_fork = nullptr;
    QPushButton* m_compare = nullptr;
    QPushButton* m_reveal = nullptr;
    QStringList m_kept;  // folders selected before the list changed
    bool m_isRestoring = false;
};

}  // namespace wb::app
