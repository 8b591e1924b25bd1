// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/gui/frame/log_drawer.h"

#include <QClipboard>
#include <QGuiApplication>
#include <QListView>
#include <QScrollBar>

#include "app/gui/theme/theme.h"
#include "app/gui/widgets/ui.h"
#include "app/models/log_model.h"

namespace wb::app {

LogDrawer::LogDrawer(LogModel& log, QWidget* parent) : QFrame(parent) {
    setMinimumWidth(280);
    auto* layout = makeLayout<QVBoxLayout>(this, metrics::kGap, metrics::kGrid);
    auto* header = new QHBoxLayout;
    header->addWidget(makeLabel(tr("Log"), QStringLiteral("section")));
    header->addStretch(1);
    auto* copy = makeIconButton(QStringLiteral("copy"), tr("Copy the whole log"));
    auto* clear = makeIconButton(QStringLiteral("close"), tr("Clear the log"));
    header->addWidget(copy);
    header->addWidget(clear);
    layout->addLayout(header);
    auto* view = new QListView;
    view->setModel(&log);
    view->setFont(monospaceFont());
    view->setUniformItemSizes(true);
    view->setSelectionMode(QAbstractItemView::ExtendedSelection);
    view->setAccessibleName(tr("Log lines"));
    layout->addWidget(view, 1);
    connect(copy, &QToolButton::clicked, this, [&log] { QGuiApplication::clipboard()->setText(log.wholeText()); });
    connect(clear, &QToolButton::clicked, &log, &LogModel::clear);
    connect(&log, &LogModel::rowsInserted, view, [view] {
        const QScrollBar* bar = view->verticalScrollBar();
        if (bar->value() == bar->maximum())
            QMetaObject::invokeMethod(view, &QListView::scrollToBottom, Qt::QueuedConnection);
    });
}

}  // namespace wb::app
