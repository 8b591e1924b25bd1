// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/gui/page_list.h"

#include <QCoreApplication>
#include <array>

#include "app/gui/pages/adapters/adapters_page.h"
#include "app/gui/pages/compare/compare_page.h"
#include "app/gui/pages/data/data_page.h"
#include "app/gui/pages/evaluate/evaluate_page.h"
#include "app/gui/pages/home/home_page.h"
#include "app/gui/pages/kernels/kernels_page.h"
#include "app/gui/pages/runs/runs_page.h"
#include "app/gui/pages/train/train_page.h"

namespace wb::app {

namespace {

template <class Type>
Page* make(Workbench& workbench, QWidget* parent) {
    return new Type(workbench, parent);
}

}  // namespace

QString PageEntry::translatedTitle() const {
    return QCoreApplication::translate("PageList", title);
}

std::span<const PageEntry> pageList() {
    static const std::array<PageEntry, 8> list{{
        {PageId::Home, "home", QT_TRANSLATE_NOOP("PageList", "Home"), "home", make<HomePage>},
        {PageId::Data, "data", QT_TRANSLATE_NOOP("PageList", "Data"), "data", make<DataPage>},
        {PageId::Train, "train", QT_TRANSLATE_NOOP("PageList", "Train"), "train", make<TrainPage>},
        {PageId::Compare, "compare", QT_TRANSLATE_NOOP("PageList", "Compare"), "compare", make<ComparePage>},
        {PageId::Evaluate, "evaluate", QT_TRANSLATE_NOOP("PageList", "Evaluate"), "evaluate", make<EvaluatePage>},
        {PageId::Adapters, "adapters", QT_TRANSLATE_NOOP("PageList", "Adapters"), "adapters", make<AdaptersPage>},
        {PageId::Kernels, "kernels", QT_TRANSLATE_NOOP("PageList", "Kernels"), "kernels", make<KernelsPage>},
        {PageId::Runs, "runs", QT_TRANSLATE_NOOP("PageList", "Runs"), "runs", make<RunsPage>},
    }};
    return list;
}

std::optional<PageId> pageByName(const QString& name) {
    for (const PageEntry& entry : pageList())
        if (name.compare(QLatin1String(entry.name), Qt::CaseInsensitive) == 0) return entry.id;
    return std::nullopt;
}

}  // namespace wb::app
