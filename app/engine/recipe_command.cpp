// SPDX-License-Identifier: Apache-2.0
#include "app/engine/recipe_command.h"

#include <memory>
#include <nlohmann/json.hpp>

#include "app/engine/recipe_options.h"
#include "core/run/recipe_fields.h"

namespace wb::app {
namespace {

struct Options {
    RecipeOptions recipe;
    bool isMarkdown = false;
};

nlohmann::ordered_json valuesOf(const core::Recipe& recipe) {
    nlohmann::ordered_json values;
    for (const core::RecipeField& field : core::recipeFields()) {
        std::visit([&](const auto& value) { values[std::string(field.key)] = value; }, field.get(recipe));
    }
    return values;
}

}  // namespace

void defineRecipe(CLI::App& command, CommandContext& context) {
    const auto options = std::make_shared<Options>();
    options->recipe.addTo(command);
    // Makes docs/recipe.md; an empty group keeps it out of the help.
    command.add_flag("--markdown", options->isMarkdown)->group("");
    command.footer("\nExample: whet recipe --model pocket --data facts.jsonl --epochs 5 > facts.toml");
    command.callback([options, &context] {
        const core::Recipe recipe = options->recipe.resolve(context);
        context.print(options->isMarkdown ? core::recipeFieldsMarkdown() : core::recipeToToml(recipe));
        context.printJson(valuesOf(recipe));
    });
}

}  // namespace wb::app
