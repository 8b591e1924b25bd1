// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QHBoxLayout>
#include <QLabel>
#include <QVBoxLayout>
#include <QWidget>

#include "app/gui/theme/theme.h"
#include "app/gui/widgets/ui.h"
#include "app/models/workbench.h"

namespace wb::app {

// One of the eight pages: margins, a title row, then whatever the page adds. Actions added to a page appear in the
// command palette.
class Page : public QWidget {
    Q_OBJECT

public:
    Page(Workbench& workbench, const QString& title, QWidget* parent = nullptr)
        : QWidget(parent), m_workbench(workbench) {
        m_layout = makeLayout<QVBoxLayout>(this, metrics::kMargin, metrics::kGap);
        m_header = new QHBoxLayout;
        m_header->setSpacing(metrics::kGrid);
        m_title = makeLabel(title, QStringLiteral("title"));
        m_header->addWidget(m_title);
        m_layout->addLayout(m_header);
        setAccessibleName(title);
        setFocusPolicy(Qt::ClickFocus);
    }

    // Called when the page comes to the front.
    virtual void activated() {}

protected:
    Workbench& bench() { return m_workbench; }
    QVBoxLayout& body() { return *m_layout; }
    QHBoxLayout& header() { return *m_header; }

private:
    Workbench& m_workbench;
    QVBoxLayout* m_layout = nullptr;
    QHBoxLayout* m_header = nullptr;
    QLabel* m_title = nullptr;
};

}  // namespace wb::app
