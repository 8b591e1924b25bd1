// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/models/recipe_model.h"

#include "app/models/whet_command.h"
#include "kernels/base/error.h"

namespace wb::app {

QString fromView(std::string_view text) {
    return QString::fromUtf8(text.data(), static_cast<qsizetype>(text.size()));
}

void RecipeModel::setText(const QString& key, const QString& text) {
    const QString trimmed = text.trimmed();
    if (m_texts.value(key) == trimmed) return;
    if (trimmed.isEmpty())
        m_texts.remove(key);
    else
        m_texts[key] = trimmed;
    emit textChanged(key);
    emit changed();
}

QString RecipeModel::problem(const QString& key) const {
    const core::RecipeField* field = core::findRecipeField(key.toStdString());
    const QString typed = text(key);
    if (!field || typed.isEmpty()) return {};
    const auto problem = core::fieldProblem(*field, typed.toStdString());
    return problem ? QString::fromStdString(*problem) : QString();
}

QString RecipeModel::placeholder(const core::RecipeField& field) {
    if (!field.automatic.empty()) return tr("automatic: %1").arg(fromView(field.automatic));
    return QString::fromStdString(core::valueText(field.defaultValue()));
}

core::Recipe RecipeModel::recipe() const {
    core::Recipe out;
    for (auto it = m_texts.begin(); it != m_texts.end(); ++it) {
        const core::RecipeField* field = core::findRecipeField(it.key().toStdString());
        if (!field || !problem(it.key()).isEmpty()) continue;
        core::setFieldText(out, *field, it.value().toStdString());
    }
    return out;
}

void RecipeModel::setRecipe(const core::Recipe& recipe) {
    QMap<QString, QString> texts;
    for (const core::RecipeField& field : core::recipeFields()) {
        const core::RecipeValue value = field.get(recipe);
        if (value != field.defaultValue()) texts[fromView(field.key)] = QString::fromStdString(core::valueText(value));
    }
    setTexts(texts);
}

void RecipeModel::setTexts(const QMap<QString, QString>& texts) {
    const QMap<QString, QString> before = std::exchange(m_texts, texts);
    for (const core::RecipeField& field : core::recipeFields()) {
        const QString key = fromView(field.key);
        if (before.value(key) != m_texts.value(key)) emit textChanged(key);
    }
    if (before != m_texts) emit changed();
}

QString RecipeModel::firstProblem() const {
    if (text(QStringLiteral("model")).isEmpty() && text(QStringLiteral("from_config")).isEmpty())
        return tr("Choose a model first.");
    if (text(QStringLiteral("data")).isEmpty()) return tr("Choose training data first.");
    for (auto it = m_texts.begin(); it != m_texts.end(); ++it)
        if (const QString wrong = problem(it.key()); !wrong.isEmpty()) return wrong;
    try {
        core::validateRecipe(recipe());
    } catch (const Error& error) {
        return QString::fromUtf8(error.what());
    }
    return {};
}

QString RecipeModel::asCommand() const {
    QStringList arguments{QStringLiteral("train")};
    for (const core::RecipeField& field : core::recipeFields()) {
        const QString typed = text(fromView(field.key));
        if (!typed.isEmpty()) arguments << QString::fromStdString(field.optionName()) << typed;
    }
    return commandLine(QStringLiteral("whet"), arguments);
}

}  // namespace wb::app
