// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/gui/pages/kernels/kernels_page.h"

#include <QAction>
#include <QStackedWidget>

#include "app/gui/pages/kernels/lab_view.h"
#include "app/gui/pages/kernels/profile_view.h"
#include "app/gui/widgets/segment_switch.h"

namespace wb::app {

KernelsPage::KernelsPage(Workbench& workbench, QWidget* parent) : Page(workbench, tr("Kernels"), parent) {
    m_profile = new ProfileView(workbench);
    m_lab = new LabView(workbench);
    m_tabs = new SegmentSwitch(tr("Tab"), {{tr("Profile"), tr("What the kernels of a run or comparison cost")},
                                           {tr("Lab"), tr("Attention and matrix products measured on this machine")}});
    m_tabs->setObjectName(QStringLiteral("kernelTabs"));
    header().addSpacing(metrics::kGap);
    header().addWidget(m_tabs);
    header().addSpacing(metrics::kGap);
    header().addWidget(m_profile->tools(), 1);
    header().addWidget(m_lab->tools(), 1);
    m_stack = new QStackedWidget;
    m_stack->addWidget(m_profile);
    m_stack->addWidget(m_lab);
    body().addWidget(m_stack, 1);
    connect(m_tabs, &SegmentSwitch::chosen, this, [this](int index) { showTab(static_cast<Tab>(index)); });
    for (const auto& [tab, text] : {std::pair{Tab::Profile, tr("Kernels: profile")}, {Tab::Lab, tr("Kernels: lab")}}) {
        auto* action = new QAction(lineIcon(QStringLiteral("kernels")), text, this);
        connect(action, &QAction::triggered, this, [this, tab = tab] {
            showTab(tab);
            emit bench().pageRequested(PageId::Kernels);
        });
        addAction(action);
    }
    showTab(Tab::Profile);
}

void KernelsPage::showTab(Tab tab) {
    m_tabs->setCurrent(static_cast<int>(tab));
    m_stack->setCurrentIndex(static_cast<int>(tab));
    m_profile->tools()->setVisible(tab == Tab::Profile);
    m_lab->tools()->setVisible(tab == Tab::Lab);
}

void KernelsPage::activated() {
    m_profile->activated();
}

}  // namespace wb::app
