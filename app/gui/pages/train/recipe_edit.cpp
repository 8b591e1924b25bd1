// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/gui/pages/train/recipe_edit.h"

#include <QCoreApplication>

#include "app/models/recipe_model.h"

namespace wb::app {

RecipeEdit::RecipeEdit(RecipeModel& model, const QString& key, const QString& label, const QString& text)
    : QUndoCommand(QCoreApplication::translate("RecipeEdit", "change of %1").arg(label)),
      m_model(model),
      m_key(key),
      m_before(model.text(key)),
      m_after(text) {}

void RecipeEdit::undo() {
    m_model.setText(m_key, m_before);
}

void RecipeEdit::redo() {
    m_model.setText(m_key, m_after);
}

int RecipeEdit::id() const {
    return static_cast<int>(qHash(m_key) & 0x7fffffff);
}

bool RecipeEdit::mergeWith(const QUndoCommand* other) {
    const auto* edit = static_cast<const RecipeEdit*>(other);
    if (edit->m_key != m_key) return false;
    m_after = edit->m_after;
    return true;
}

RecipeReplace::RecipeReplace(RecipeModel& model, const QString& label, const QMap<QString, QString>& texts)
    : QUndoCommand(label), m_model(model), m_before(model.texts()), m_after(texts) {}

void RecipeReplace::undo() {
    m_model.setTexts(m_before);
}

void RecipeReplace::redo() {
    m_model.setTexts(m_after);
}

}  // namespace wb::app
