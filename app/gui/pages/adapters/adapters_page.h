// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "app/gui/pages/page.h"
#include "app/models/adapter_list_model.h"

class QPushButton;
class QTableView;

namespace wb::app {

class MessageBar;
class StateStack;

// What finished runs left behind: their checkpoints, and the ways to take them away with a certificate.
class AdaptersPage : public Page {
    Q_OBJECT

public:
    AdaptersPage(Workbench& workbench, QWidget* parent = nullptr);

    void activated() override;

private:
    QWidget* makeContent();
    QWidget* makeDetails();
    void refresh();
    void selectionChanged();
    void exportAs(const QString& format);
    void showCertificate();
    QString selectedFolder() const;

    AdapterListModel m_model;
    StateStack* m_states = nullptr;
    MessageBar* m_message = nullptr;
    QTableView* m_table = nullptr;
    QLabel* m_title = nullptr;
    QLabel* m_versions = nullptr;
    QPushButton* m_try = nullptr;
    QPushButton* m_exportPeft = nullptr;
    QPushButton* m_exportMerged = nullptr;
    QLabel* m_exportState = nullptr;
    IconLabel* m_proof = nullptr;
    QLabel* m_certificate = nullptr;
    CopyChip* m_path = nullptr;
};

}  // namespace wb::app
