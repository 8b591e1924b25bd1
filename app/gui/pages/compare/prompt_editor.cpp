// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/gui/pages/compare/prompt_editor.h"

#include <QPlainTextEdit>
#include <algorithm>

#include "app/gui/theme/theme.h"
#include "app/gui/widgets/ui.h"

namespace wb::app {

PromptEditor::PromptEditor(QWidget* parent) : QWidget(parent) {
    m_layout = makeLayout<QHBoxLayout>(this, 0, metrics::kGap);
    setColumns({});
}

void PromptEditor::setColumns(const QStringList& names) {
    const QStringList wanted = names.size() < 2 ? QStringList{QString()} : names;
    QStringList present;
    for (const Field& field : m_fields) present << field.name;
    if (present == wanted) return;
    QMap<QString, QString> texts;
    for (const Field& field : m_fields) {
        texts[field.name] = field.edit->toPlainText();
        delete field.holder;
    }
    m_fields.clear();
    for (const QString& name : wanted) {
        Field field{.name = name, .edit = new QPlainTextEdit, .holder = new QWidget};
        auto* layout = makeLayout<QVBoxLayout>(field.holder, 0, 4);
        if (!name.isEmpty()) layout->addWidget(makeLabel(name, QStringLiteral("muted")));
        field.edit->setAccessibleName(name.isEmpty() ? tr("Prompt") : tr("Prompt field %1").arg(name));
        field.edit->setPlaceholderText(name.isEmpty() ? tr("Ask both models the same thing") : QString());
        field.edit->setTabChangesFocus(true);
        field.edit->setPlainText(texts.value(name));
        layout->addWidget(field.edit, 1);
        m_layout->addWidget(field.holder, 1);
        connect(field.edit, &QPlainTextEdit::textChanged, this, &PromptEditor::changed);
        m_fields.append(field);
    }
}

void PromptEditor::setText(const QString& text) {
    m_fields.first().edit->setPlainText(text);
}

bool PromptEditor::isEmpty() const {
    return std::all_of(m_fields.begin(), m_fields.end(),
                       [](const Field& field) { return field.edit->toPlainText().trimmed().isEmpty(); });
}

core::PromptSpec PromptEditor::prompt() const {
    core::PromptSpec out;
    if (m_fields.size() == 1) {
        out.text = m_fields.first().edit->toPlainText().toStdString();
        return out;
    }
    for (const Field& field : m_fields)
        out.fields.emplace_back(field.name.toStdString(), field.edit->toPlainText().toStdString());
    return out;
}

}  // namespace wb::app
