// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/gui/widgets/tables.h"

#include <QClipboard>
#include <QCoreApplication>
#include <QGuiApplication>
#include <QHeaderView>
#include <QShortcut>
#include <QTableView>

namespace wb::app {

namespace {

void copyAsTsv(const QTableView& table) {
    const QAbstractItemModel* model = table.model();
    if (!model || !table.selectionModel()) return;
    QStringList lines;
    for (const QModelIndex& row : table.selectionModel()->selectedRows()) {
        QStringList cells;
        for (int column = 0; column < model->columnCount(); ++column)
            cells << model->index(row.row(), column).data().toString();
        lines << cells.join(QLatin1Char('\t'));
    }
    QGuiApplication::clipboard()->setText(lines.join(QLatin1Char('\n')));
}

}  // namespace

QTableView* makeTable(const char* accessibleName, QWidget* parent) {
    auto* table = new QTableView(parent);
    table->setAccessibleName(QCoreApplication::translate("Tables", accessibleName));
    table->setSelectionBehavior(QAbstractItemView::SelectRows);
    table->setSelectionMode(QAbstractItemView::ExtendedSelection);
    table->setShowGrid(false);
    table->setWordWrap(false);
    table->setCornerButtonEnabled(false);
    table->setTabKeyNavigation(false);
    table->verticalHeader()->hide();
    table->verticalHeader()->setDefaultSectionSize(30);
    table->verticalHeader()->setSectionResizeMode(QHeaderView::Fixed);
    table->horizontalHeader()->setHighlightSections(false);
    table->horizontalHeader()->setMinimumSectionSize(48);
    table->setHorizontalScrollMode(QAbstractItemView::ScrollPerPixel);
    auto* copy = new QShortcut(QKeySequence::Copy, table);
    copy->setContext(Qt::WidgetShortcut);
    QObject::connect(copy, &QShortcut::activated, table, [table] { copyAsTsv(*table); });
    return table;
}

}  // namespace wb::app
