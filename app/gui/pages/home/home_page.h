// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "app/gui/pages/page.h"

class QTableView;

namespace wb::app {

// Three ways in, a place to drop things, the recent runs, the machine in one line.
class HomePage : public Page {
    Q_OBJECT

public:
    HomePage(Workbench& workbench, QWidget* parent = nullptr);

private:
    QWidget* makeActions();
    QWidget* makeDropArea();
    QWidget* makeRuns();
    QWidget* makeMachineLine();
    void refreshRuns();
    void chooseWith(const QString& title, const QString& filter, bool isFolder);

    QTableView* m_runs = nullptr;
    QLabel* m_noRuns = nullptr;
    ElidedLabel* m_machine = nullptr;
    QPushButton* m_examine = nullptr;
};

}  // namespace wb::app
