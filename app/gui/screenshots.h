// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QString>

class QApplication;

namespace wb::app {

class Workbench;

// Renders every page, light and dark, at 1440 x 900 into `folder`, from a finished run of the library (`run`, or the
// newest). Uses the real engine for the comparison and the evaluation. Returns the exit code.
int takeScreenshots(QApplication& application, Workbench& workbench, const QString& folder, const QString& run);

}  // namespace wb::app
