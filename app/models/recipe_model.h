// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QMap>
#include <QObject>
#include <QString>

#include "core/run/recipe.h"
#include "core/run/recipe_fields.h"

namespace wb::app {

QString fromView(std::string_view text);

// The form of a run: what a person typed per key of the descriptor table. Empty text means the default. GUI thread
// only.
class RecipeModel : public QObject {
    Q_OBJECT

public:
    explicit RecipeModel(QObject* parent = nullptr) : QObject(parent) {}

    // As typed; empty if the field is at its default.
    QString text(const QString& key) const { return m_texts.value(key); }
    void setText(const QString& key, const QString& text);
    // Why the text of this field would be refused; empty if it would not.
    QString problem(const QString& key) const;
    // The default as the form shows it: "16", or "automatic: 99th percentile of the data".
    static QString placeholder(const core::RecipeField& field);

    // The recipe the form stands for. Fields with a problem keep their default.
    core::Recipe recipe() const;
    // Shows a recipe: what equals a default becomes empty.
    void setRecipe(const core::Recipe& recipe);

    // The first reason why training cannot start, in words for the place beside the button; empty if it can.
    QString firstProblem() const;

    // All texts that are not empty, for saving the form, and back.
    QMap<QString, QString> texts() const { return m_texts; }
    void setTexts(const QMap<QString, QString>& texts);

    // "whet train --model ... --learning-rate 0.001": the same run from a terminal.
    QString asCommand() const;

signals:
    void textChanged(const QString& key);
    // Any field changed; once for setRecipe and setTexts.
    void changed();

private:
    QMap<QString, QString> m_texts;
};

}  // namespace wb::app
