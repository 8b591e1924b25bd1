// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "core/run/recipe.h"

namespace wb::core {

enum class FieldType { Int, Real, Text, Choice, Path, Flag };

// A choice is passed as its name.
using RecipeValue = std::variant<int64_t, double, std::string, bool>;

// One setting, described once. The table order is the order of the form, of --help and of the TOML file.
struct RecipeField {
    std::string_view key{};    // TOML and JSON: "learning_rate"
    std::string_view group{};  // heading: "Model", "Data", ...
    std::string_view label{};  // form: "Learning rate"
    std::string_view help{};   // one line, no full stop
    std::string_view unit{};   // "rows", "tokens", "" if none
    FieldType type = FieldType::Text;
    double minimum = 0.0;  // Int and Real; inclusive
    double maximum = 0.0;
    std::vector<std::string_view> choices{};  // Choice only
    // What older recipes call a choice, and its name; "true" and "false" are those of a former flag.
    std::vector<std::pair<std::string_view, std::string_view>> formerNames{};
    std::string_view
        automatic;         // what an empty or 0 value means ("99th percentile of the data"), "" if nothing special
    bool isBasic = false;  // one of the six that matter: always visible in the form
    RecipeValue (*get)(const Recipe&) = nullptr;
    void (*assign)(Recipe&, const RecipeValue&) = nullptr;  // unchecked; callers use setField

    // "--learning-rate".
    std::string optionName() const;
    // The value in a default recipe; nothing else states defaults.
    RecipeValue defaultValue() const { return get(Recipe{}); }
};

std::span<const RecipeField> recipeFields();

// The field with this key, or null.
const RecipeField* findRecipeField(std::string_view key);

// The key most like `wrong`, or nothing if none is close.
std::optional<std::string_view> nearestRecipeKey(std::string_view wrong);

// Checks and assigns. Throws InvalidArgument "learning_rate is 7: allowed is 0 to 1".
void setField(Recipe& recipe, const RecipeField& field, const RecipeValue& value);

// The same from text as typed on the command line or in a form. Throws InvalidArgument.
void setFieldText(Recipe& recipe, const RecipeField& field, std::string_view text);

// Why `text` would be refused, or nothing: for a form that marks a field while one types.
std::optional<std::string> fieldProblem(const RecipeField& field, std::string_view text);

// "0.0002", "cosine", "true": what setFieldText reads back as the same value.
std::string valueText(const RecipeValue& value);

// "1 to 1000000", "cosine, linear or constant": the allowed values in words; empty for text and paths.
std::string allowedText(const RecipeField& field);

// A setting in which two recipes differ: what `runs diff` and the Runs page show.
struct RecipeDifference {
    const RecipeField* field = nullptr;
    std::string left;
    std::string right;
};
std::vector<RecipeDifference> diffRecipes(const Recipe& left, const Recipe& right);

// The names recipes use for the enums.
std::string_view choiceName(TuneMethod value);
std::string_view choiceName(Objective value);
std::string_view choiceName(ScheduleKind value);
std::string_view choiceName(AttentionChoice value);
std::string_view choiceName(ActivationCheckpointing value);
std::string_view choiceName(TrainOn value);
std::string_view choiceName(LoraBias value);
std::string_view choiceName(RowPolicy value);
std::string_view choiceName(LongRowPolicy value);

// docs/recipe.md: the table as Markdown.
std::string recipeFieldsMarkdown();

}  // namespace wb::core
