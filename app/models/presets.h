// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QMap>
#include <QString>
#include <QVector>

namespace wb::app {

// A named set of settings; an empty text puts a field back to its default.
struct RecipePreset {
    QString title;
    QString meaning;
    QMap<QString, QString> texts;
};

QVector<RecipePreset> recipePresets();

}  // namespace wb::app
