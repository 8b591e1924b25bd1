// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QFrame>
#include <QVector>

#include "app/models/page_id.h"

class QAction;
class QToolButton;
class QVBoxLayout;

namespace wb::app {

// The eight pages as icon and word, and below them what concerns the whole window.
class NavRail : public QFrame {
    Q_OBJECT

public:
    explicit NavRail(QWidget* parent = nullptr);

    void addPage(PageId id, QAction* action);
    // At the foot of the rail.
    void addTool(QAction* action);

private:
    QToolButton* makeButton(QAction* action);

    QVBoxLayout* m_pages = nullptr;
    QVBoxLayout* m_tools = nullptr;
};

}  // namespace wb::app
