// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/gui/frame/nav_rail.h"

#include <QAction>
#include <QToolButton>
#include <QVBoxLayout>

#include "app/gui/theme/icons.h"
#include "app/gui/theme/theme.h"
#include "app/gui/widgets/ui.h"

namespace wb::app {

namespace {
constexpr int kWidth = 152;
}

NavRail::NavRail(QWidget* parent) : QFrame(parent) {
    setProperty("role", QStringLiteral("rail"));
    setFixedWidth(kWidth);
    auto* layout = makeLayout<QVBoxLayout>(this, metrics::kGrid, metrics::kGap);
    auto* brand = new QHBoxLayout;
    brand->setContentsMargins(8, 8, 0, 8);
    brand->setSpacing(8);
    auto* mark = new QLabel;
    mark->setPixmap(QIcon(QStringLiteral(":/icons/whetbench.svg")).pixmap(QSize(24, 24), devicePixelRatioF()));
    auto* name = makeLabel(QStringLiteral("Whetbench"));
    QFont font = bodyFont();
    font.setPointSizeF(11);
    font.setWeight(QFont::DemiBold);
    name->setFont(font);
    brand->addWidget(mark);
    brand->addWidget(name, 1);
    layout->addLayout(brand);
    m_pages = new QVBoxLayout;
    m_pages->setSpacing(2);
    m_tools = new QVBoxLayout;
    m_tools->setSpacing(2);
    layout->addLayout(m_pages);
    layout->addStretch(1);
    layout->addLayout(m_tools);
    setAccessibleName(tr("Pages"));
}

QToolButton* NavRail::makeButton(QAction* action) {
    auto* button = new QToolButton;
    button->setProperty("role", QStringLiteral("nav"));
    button->setDefaultAction(action);
    button->setToolButtonStyle(Qt::ToolButtonTextBesideIcon);
    button->setIconSize(QSize(metrics::kIcon + metrics::kGrid, metrics::kIcon));
    button->setFixedWidth(kWidth - 2 * metrics::kGrid - 1);
    button->setFocusPolicy(Qt::StrongFocus);
    button->setAccessibleName(action->text());
    return button;
}

void NavRail::addPage(PageId, QAction* action) {
    m_pages->addWidget(makeButton(action));
}

void NavRail::addTool(QAction* action) {
    m_tools->addWidget(makeButton(action));
}

}  // namespace wb::app
