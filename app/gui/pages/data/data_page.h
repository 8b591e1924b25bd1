// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "app/gui/pages/page.h"

class QComboBox;
class QPushButton;
class QTableView;

namespace wb::app {

class AuditList;
class HistogramView;
class StateStack;
class TokenStrip;

// The data as the model will see it: rows, one row as token chips with its loss mask, lengths, audit.
class DataPage : public Page {
    Q_OBJECT

public:
    DataPage(Workbench& workbench, QWidget* parent = nullptr);

    QTableView& table() { return *m_table; }
    TokenStrip& strip() { return *m_strip; }
    HistogramView& histogram() { return *m_histogram; }

private:
    QWidget* makeContent();
    QWidget* makeFilters();
    QWidget* makeRowView();
    QWidget* makeAudit();
    void refresh();
    void refreshAudit();
    void refreshRow();
    void showSelectedRow();
    void goToTrain();
    void fillFormats();
    void fillTemplates();
    void chooseTemplate(int index);

    StateStack* m_states = nullptr;
    ElidedLabel* m_file = nullptr;
    QComboBox* m_format = nullptr;
    QComboBox* m_template = nullptr;
    QComboBox* m_model = nullptr;
    HistogramView* m_histogram = nullptr;
    ElidedLabel* m_lengths = nullptr;
    QTableView* m_table = nullptr;
    QPushButton* m_showAll = nullptr;
    QLabel* m_rowTitle = nullptr;
    QLabel* m_rowFigures = nullptr;
    QLabel* m_rowProblem = nullptr;
    TokenStrip* m_strip = nullptr;
    AuditList* m_audit = nullptr;
    QLabel* m_verdict = nullptr;
    QPushButton* m_next = nullptr;
};

}  // namespace wb::app
