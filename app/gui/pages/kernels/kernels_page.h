// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "app/gui/pages/page.h"

class QStackedWidget;

namespace wb::app {

class LabView;
class ProfileView;
class SegmentSwitch;

// Profile: what the kernels of a job cost. Lab: what the kernels of this machine can do, measured here.
class KernelsPage : public Page {
    Q_OBJECT

public:
    enum class Tab { Profile, Lab };

    KernelsPage(Workbench& workbench, QWidget* parent = nullptr);

    void activated() override;
    void showTab(Tab tab);
    ProfileView& profile() { return *m_profile; }
    LabView& lab() { return *m_lab; }

private:
    ProfileView* m_profile = nullptr;
    LabView* m_lab = nullptr;
    SegmentSwitch* m_tabs = nullptr;
    QStackedWidget* m_stack = nullptr;
};

}  // namespace wb::app
