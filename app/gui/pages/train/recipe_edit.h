// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QMap>
#include <QString>
#include <QUndoCommand>

namespace wb::app {

class RecipeModel;

// One edited setting; keystrokes in the same field become one step of undo.
class RecipeEdit : public QUndoCommand {
public:
    RecipeEdit(RecipeModel& model, const QString& key, const QString& label, const QString& text);

    void undo() override;
    void redo() override;
    int id() const override;
    bool mergeWith(const QUndoCommand* other) override;

private:
    RecipeModel& m_model;
    QString m_key;
    QString m_before;
    QString m_after;
};

// A preset or a whole recipe put into the form.
class RecipeReplace : public QUndoCommand {
public:
    RecipeReplace(RecipeModel& model, const QString& label, const QMap<QString, QString>& texts);

    void undo() override;
    void redo() override;

private:
    RecipeModel& m_model;
    QMap<QString, QString> m_before;
    QMap<QString, QString> m_after;
};

}  // namespace wb::app
