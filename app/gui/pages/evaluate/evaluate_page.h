// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "app/gui/pages/page.h"

class QComboBox;
class QLineEdit;
class QPushButton;
class QTableView;

namespace wb::app {

class StateStack;

// Base against tuned on a test file, in numbers.
class EvaluatePage : public Page {
    Q_OBJECT

public:
    EvaluatePage(Workbench& workbench, QWidget* parent = nullptr);

    void activated() override;

private:
    QWidget* makeSetup();
    QWidget* makeContent();
    void refresh();
    void refreshTargets();
    void start();
    void browse();

    StateStack* m_states = nullptr;
    QComboBox* m_run = nullptr;
    QLineEdit* m_file = nullptr;
    QPushButton* m_start = nullptr;
    QPushButton* m_stop = nullptr;
    QTableView* m_table = nullptr;
    QLabel* m_caption = nullptr;
};

}  // namespace wb::app
