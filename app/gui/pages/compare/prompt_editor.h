// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QWidget>

#include "core/run/protocol.h"

class QHBoxLayout;
class QPlainTextEdit;

namespace wb::app {

// The question for both panes: one field per column that the template fills in, or one for the whole prompt.
class PromptEditor : public QWidget {
    Q_OBJECT

public:
    explicit PromptEditor(QWidget* parent = nullptr);

    // One name or none: a single field. Keeps texts of fields whose name stays.
    void setColumns(const QStringList& names);
    void setText(const QString& text);
    bool isEmpty() const;
    core::PromptSpec prompt() const;
    QPlainTextEdit* field(int index) const { return m_fields.value(index).edit; }

signals:
    void changed();

private:
    struct Field {
        QString name;
        QPlainTextEdit* edit = nullptr;
        QWidget* holder = nullptr;
    };

    QHBoxLayout* m_layout = nullptr;
    QList<Field> m_fields;
};

}  // namespace wb::app
