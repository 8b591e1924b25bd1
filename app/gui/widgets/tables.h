// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

class QTableView;
class QWidget;

namespace wb::app {

// The house's table: whole rows, no grid, fixed row height, sortable header, Ctrl+C copies the selection as TSV.
QTableView* makeTable(const char* accessibleName, QWidget* parent = nullptr);

}  // namespace wb::app
