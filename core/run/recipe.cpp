// SPDX-License-Identifier: Apache-2.0
#include "core/run/recipe.h"

#include <fmt/format.h>

#include <toml++/toml.h>
#include <sstream>
#include <system_error>

#include "core/run/atomic_file.h"
#include "core/run/recipe_fields.h"
#include "kernels/base/error.h"

namespace wb::core {
namespace {

constexpr size_t kMaxRecipeBytes = size_t{1} << 20;

[[noreturn]] void failAt(std::string_view sourceName, const toml::source_region& where, std::string_view what) {
    throw Error{ErrorCode::InvalidArgument, fmt::format("{}:{}: {}", sourceName, where.begin.line, what)};
}

RecipeValue valueOf(const toml::node& node, std::string_view key, std::string_view sourceName) {
    if (const auto* text = node.as_string()) return text->get();
    if (const auto* whole = node.as_integer()) return whole->get();
    if (const auto* real = node.as_floating_point()) return real->get();
    if (const auto* flag = node.as_boolean()) return flag->get();
    failAt(sourceName, node.source(), fmt::format("{} must be text, a number, true or false", key));
}

std::string tomlText(const RecipeValue& value) {
    if (const auto* text = std::get_if<std::string>(&value)) {
        std::ostringstream quoted;
        quoted << toml::value<std::string>(*text);
        return quoted.str();
    }
    std::string plain = valueText(value);
    // Without a point TOML would read a whole number.
    if (std::holds_alternative<double>(value) && plain.find_first_of(".e") == std::string::npos) plain += ".0";
    return plain;
}

std::string fileStem(const std::string& path) {
    const std::filesystem::path p(path);
    const auto name = p.filename().empty() ? p.parent_path().filename() : p.filename();
    const std::string text = name.string();
    return text.substr(0, text.find('.', 1));
}

// A template is a built-in name or a file; only a file has a place.
bool canBePath(const RecipeField& field) {
    return field.type == FieldType::Path || field.key == "template";
}

}  // namespace

double effectiveLearningRate(const Recipe& recipe) {
    if (recipe.learningRate > 0.0) return recipe.learningRate;
    if (!recipe.fromConfig.empty()) return 1e-3;
    return recipe.method == TuneMethod::Lora ? 2e-4 : 2e-5;
}

Recipe recipeFromToml(std::string_view text, std::string_view sourceName, const Recipe& base) {
    toml::table table;
    try {
        table = toml::parse(text, sourceName);
    } catch (const toml::parse_error& error) {
        failAt(sourceName, error.source(), error.description());
    }
    Recipe recipe = base;
    for (const auto& [key, node] : table) {
        const std::string_view name = key.str();
        const RecipeField* field = findRecipeField(name);
        if (field == nullptr) {
            const auto nearest = nearestRecipeKey(name);
            failAt(sourceName, node.source(),
                   nearest ? fmt::format("unknown setting '{}': did you mean '{}'?", name, *nearest)
                           : fmt::format("unknown setting '{}': `whet recipe` prints all there are", name));
        }
        const RecipeValue value = valueOf(node, name, sourceName);
        try {
            setField(recipe, *field, value);
        } catch (const Error& error) {
            failAt(sourceName, node.source(), error.what());
        }
    }
    return recipe;
}

std::string recipeToToml(const Recipe& recipe) {
    std::string text;
    std::string_view group;
    for (const RecipeField& field : recipeFields()) {
        if (field.group != group) {
            group = field.group;
            text += fmt::format("{}# ---- {} ----\n", text.empty() ? "" : "\n", group);
        }
        const bool isNumber = field.type == FieldType::Int || field.type == FieldType::Real;
        text += fmt::format("\n# {}.", field.help);
        if (!field.automatic.empty()) text += fmt::format(" {}: {}.", isNumber ? "0" : "Empty", field.automatic);
        if (isNumber || field.type == FieldType::Choice) text += fmt::format(" Allowed: {}.", allowedText(field));
        text += fmt::format("\n{} = {}\n", field.key, tomlText(field.get(recipe)));
    }
    return text;
}

Recipe loadRecipe(const std::filesystem::path& file, const Recipe& base) {
    Recipe recipe = recipeFromToml(readWholeFile(file, kMaxRecipeBytes), file.string(), base);
    for (const RecipeField& field : recipeFields()) {
        if (!canBePath(field)) continue;
        const std::string text = std::get<std::string>(field.get(recipe));
        const std::filesystem::path beside = file.parent_path() / text;
        std::error_code ignored;
        const bool isBeside =
            !text.empty() && std::filesystem::path(text).is_relative() && std::filesystem::exists(beside, ignored);
        if (isBeside) field.assign(recipe, beside.string());
    }
    return recipe;
}

void validateRecipe(const Recipe& recipe) {
    Recipe scratch;
    for (const RecipeField& field : recipeFields()) setField(scratch, field, field.get(recipe));
    const auto refuse = [](std::string_view what) { throw Error{ErrorCode::InvalidArgument, std::string(what)}; };
    if (recipe.model.empty() && recipe.fromConfig.empty()) {
        refuse("no model: give --model a model folder, or --from-config a config.json to train from scratch");
    }
    if (!recipe.model.empty() && !recipe.fromConfig.empty()) {
        refuse(
            "both model and from_config are given: a run starts from a model's weights or from random ones, not both");
    }
    if (!recipe.fromConfig.empty() && recipe.method == TuneMethod::Lora) {
        refuse("method lora needs a trained model under it: give --method full with --from-config");
    }
    if (recipe.method == TuneMethod::Full && recipe.baseDtype != BaseWeights::AsComputed) {
        refuse(
            "method full trains the weights themselves, which cannot be rounded to blocks: leave base_dtype at same, "
            "or take method lora");
    }
    if (recipe.data.empty()) refuse("no data: give --data a file with training rows");
}

Recipe withAbsolutePaths(Recipe recipe) {
    for (const RecipeField& field : recipeFields()) {
        if (!canBePath(field)) continue;
        const std::string text = std::get<std::string>(field.get(recipe));
        std::error_code ignored;
        if (text.empty() || !std::filesystem::exists(text, ignored)) continue;
        const auto absolute = std::filesystem::absolute(text, ignored);
        if (!ignored) field.assign(recipe, absolute.lexically_normal().string());
    }
    return recipe;
}

std::string recipeTitle(const Recipe& recipe) {
    if (!recipe.name.empty()) return recipe.name;
    const std::string model = fileStem(recipe.model.empty() ? recipe.fromConfig : recipe.model);
    const std::string data = fileStem(recipe.data);
    return fmt::format("{} on {}", model.empty() ? "no model" : model, data.empty() ? "no data" : data);
}

}  // namespace wb::core
