// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QFrame>

namespace wb::app {

class LogModel;

// On demand at the right: what the workbench and its child processes said. Follows the end unless scrolled up.
class LogDrawer : public QFrame {
    Q_OBJECT

public:
    LogDrawer(LogModel& log, QWidget* parent = nullptr);
};

}  // namespace wb::app
