// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QMap>
#include <QWidget>

class QGridLayout;
class QLabel;
class QUndoStack;
class QVBoxLayout;

namespace wb::core {
struct RecipeField;
}

namespace wb::app {

class RecipeModel;

// The form of a recipe, generated from the descriptor table: the basic settings first, the rest folded by group. Each
// field shows its default as placeholder, a unit and its help; every edit can be undone.
class RecipeForm : public QWidget {
    Q_OBJECT

public:
    // One column of labels through all groups; longer ones take a second line.
    static constexpr int kLabelWidth = 136;

    RecipeForm(RecipeModel& model, QUndoStack& undo, QWidget* parent = nullptr);

    // The editor of a setting, for tests and focus; null if the table has no such key.
    QWidget* editor(const QString& key) const { return m_fields.value(key).editor; }

private:
    struct Field {
        QWidget* editor = nullptr;
        QLabel* help = nullptr;
        QString helpText;
    };

    void addField(QGridLayout& grid, const core::RecipeField& field);
    QWidget* makeEditor(const core::RecipeField& field);
    QWidget* makePathEditor(const core::RecipeField& field, const QString& key);
    void addGroups(QVBoxLayout& layout);
    void edit(const QString& key, const QString& text);
    void show(const QString& key);
    void browse(const QString& key);

    RecipeModel& m_model;
    QUndoStack& m_undo;
    QMap<QString, Field> m_fields;
    bool m_isShowing = false;  // the model's change is being shown: not an edit
};

}  // namespace wb::app
