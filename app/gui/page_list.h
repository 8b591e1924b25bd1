// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QString>
#include <optional>
#include <span>

#include "app/models/page_id.h"

class QWidget;

namespace wb::app {

class Page;
class Workbench;

struct PageEntry {
    PageId id;
    const char* name;   // command line and settings: "train"
    const char* title;  // translated with context "PageList"
    const char* icon;
    Page* (*create)(Workbench& workbench, QWidget* parent);

    QString translatedTitle() const;
};

// In the order of the rail and of Ctrl+1..8.
std::span<const PageEntry> pageList();
std::optional<PageId> pageByName(const QString& name);

}  // namespace wb::app
