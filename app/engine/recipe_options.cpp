// SPDX-License-Identifier: Apache-2.0
#include "app/engine/recipe_options.h"

#include <fmt/format.h>

#include "core/run/recipe_fields.h"

namespace wb::app {
namespace {

using core::FieldType;
using core::RecipeField;

// whet has these itself, for every command.
bool isGlobal(const RecipeField& field) {
    return field.key == "device" || field.key == "threads";
}

std::string helpText(const RecipeField& field) {
    const std::string value = core::valueText(field.defaultValue());
    const bool isAutomatic = (value.empty() || value == "0") && !field.automatic.empty();
    const std::string shown = isAutomatic ? std::string(field.automatic) : value;
    std::string text(field.help);
    if (!shown.empty() && field.type != FieldType::Flag) text += fmt::format(" (default: {})", shown);
    return text;
}

std::string typeName(const RecipeField& field) {
    switch (field.type) {
        case FieldType::Int: return "N";
        case FieldType::Real: return "X";
        case FieldType::Path: return "PATH";
        case FieldType::Text: return "TEXT";
        case FieldType::Choice: return fmt::format("{}", fmt::join(field.choices, "|"));
        case FieldType::Flag: return "";
    }
    return "";
}

}  // namespace

void RecipeOptions::addTo(CLI::App& command) {
    command.add_option("--recipe", m_recipeFile, "TOML file with settings; options win over it")->type_name("FILE");
    for (const RecipeField& field : core::recipeFields()) {
        if (isGlobal(field)) continue;
        const std::string key(field.key);
        const std::string name = field.optionName();
        CLI::Option* option = nullptr;
        if (field.type == FieldType::Flag) {
            const std::string names = fmt::format("{},!--no-{}", name, name.substr(2));
            option = command.add_flag_function(
                names, [this, key](std::int64_t count) { m_given[key] = count > 0 ? "true" : "false"; },
                helpText(field));
        } else {
            option = command.add_option_function<std::string>(
                name, [this, key](const std::string& text) { m_given[key] = text; }, helpText(field));
            option->type_name(typeName(field));
        }
        option->group(std::string(field.group));
    }
}

bool RecipeOptions::isGiven(std::string_view key) const {
    return m_given.contains(key);
}

core::Recipe RecipeOptions::resolve(const CommandContext& context, const core::Recipe& base) const {
    try {
        core::Recipe recipe = m_recipeFile.empty() ? base : core::loadRecipe(m_recipeFile, base);
        for (const auto& [key, text] : m_given) core::setFieldText(recipe, *core::findRecipeField(key), text);
        if (!context.options().device.empty()) recipe.device = context.options().device;
        if (context.options().threads > 0) recipe.threads = context.options().threads;
        return recipe;
    } catch (const Error& error) {
        if (error.code() == ErrorCode::InvalidArgument) throw UsageError(error.what());
        throw;
    }
}

}  // namespace wb::app
