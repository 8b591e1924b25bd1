// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/gui/frame/command_palette.h"

#include <QAction>
#include <QKeyEvent>
#include <QLineEdit>
#include <QListWidget>
#include <QPointer>
#include <algorithm>

#include "app/gui/theme/theme.h"
#include "app/gui/widgets/ui.h"

namespace wb::app {

CommandPalette::CommandPalette(QWidget* parent) : QDialog(parent, Qt::Popup | Qt::FramelessWindowHint) {
    setObjectName(QStringLiteral("commandPalette"));
    setAccessibleName(tr("Commands"));
    auto* layout = makeLayout<QVBoxLayout>(this, metrics::kGrid, metrics::kGrid);
    m_input = new QLineEdit;
    m_input->setPlaceholderText(tr("Type a command"));
    m_input->setAccessibleName(tr("Command"));
    m_list = new QListWidget;
    m_list->setUniformItemSizes(true);
    m_list->setFocusPolicy(Qt::NoFocus);
    m_list->setAccessibleName(tr("Matching commands"));
    layout->addWidget(m_input);
    layout->addWidget(m_list);
    m_input->installEventFilter(this);
    connect(m_input, &QLineEdit::textChanged, this, &CommandPalette::filter);
    connect(m_input, &QLineEdit::returnPressed, this, &CommandPalette::runCurrent);
    connect(m_list, &QListWidget::itemClicked, this, &CommandPalette::runCurrent);
}

void CommandPalette::open(const QList<QAction*>& actions) {
    m_actions = actions;
    std::sort(m_actions.begin(), m_actions.end(),
              [](const QAction* a, const QAction* b) { return a->text().localeAwareCompare(b->text()) < 0; });
    m_input->clear();
    filter({});
    resize(520, 360);
    const QWidget* window = parentWidget();
    move(window->mapToGlobal(QPoint((window->width() - width()) / 2, 64)));
    show();
    m_input->setFocus();
}

void CommandPalette::filter(const QString& text) {
    m_list->clear();
    const QStringList words = text.split(QLatin1Char(' '), Qt::SkipEmptyParts);
    for (int i = 0; i < m_actions.size(); ++i) {
        const QAction* action = m_actions[i];
        const QString name = action->text().remove(QLatin1Char('&'));
        const bool isWanted = std::all_of(
            words.begin(), words.end(), [&](const QString& word) { return name.contains(word, Qt::CaseInsensitive); });
        if (!isWanted) continue;
        QString line = name;
        if (!action->shortcut().isEmpty())
            line += QStringLiteral("    ") + action->shortcut().toString(QKeySequence::NativeText);
        if (!action->isEnabled() && !action->toolTip().isEmpty()) line += QStringLiteral("    ") + action->toolTip();
        auto* item = new QListWidgetItem(action->icon(), line, m_list);
        item->setData(Qt::UserRole, i);
        if (!action->isEnabled()) item->setFlags(item->flags() & ~Qt::ItemIsEnabled);
    }
    m_list->setCurrentRow(0);
}

void CommandPalette::runCurrent() {
    const QListWidgetItem* item = m_list->currentItem();
    if (!item) return;
    const QPointer<QAction> action = m_actions[item->data(Qt::UserRole).toInt()];
    hide();
    if (action && action->isEnabled()) action->trigger();
}

bool CommandPalette::eventFilter(QObject* watched, QEvent* event) {
    if (event->type() == QEvent::KeyPress) {
        const int key = static_cast<QKeyEvent*>(event)->key();
        const int step = key == Qt::Key_Down ? 1 : key == Qt::Key_Up ? -1 : 0;
        if (step != 0) {
            m_list->setCurrentRow(std::clamp(m_list->currentRow() + step, 0, std::max(0, m_list->count() - 1)));
            return true;
        }
    }
    return QDialog::eventFilter(watched, event);
}

}  // namespace wb::app
