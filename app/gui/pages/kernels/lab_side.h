// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QWidget>

#include "app/models/gemm_table_model.h"

class QGridLayout;
class QPushButton;
class QTableView;

namespace wb::app {

class Workbench;

// Beside the charts: what this machine can do at best, and how close the matrix products of linear layers come.
class LabSide : public QWidget {
    Q_OBJECT

public:
    explicit LabSide(Workbench& workbench, QWidget* parent = nullptr);

    void setChoice(const QString& dtype, LabPass pass);
    void refresh();
    GemmTableModel& gemm() { return m_gemm; }

private:
    QWidget* makeCeilings();
    QWidget* makeGemm();
    void refreshCeilings();
    void refreshGemm();

    Workbench& m_workbench;
    GemmTableModel m_gemm;
    QString m_choice;
    QGridLayout* m_figures = nullptr;
    QLabel* m_machine = nullptr;
    QPushButton* m_measurePeak = nullptr;
    QLabel* m_gemmCaption = nullptr;
    QTableView* m_table = nullptr;
    QPushButton* m_measureGemm = nullptr;
};

// Why nothing new can be measured now; empty if it can.
QString whyLabIsBusy(Workbench& workbench);

}  // namespace wb::app
