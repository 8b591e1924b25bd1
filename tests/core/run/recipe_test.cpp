// SPDX-License-Identifier: Apache-2.0
#include "core/run/recipe.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <set>

#include "core/run/atomic_file.h"
#include "core/run/recipe_fields.h"
#include "kernels/base/error.h"
#include "tests/support/temporary_folder.h"

namespace wb::core {
namespace {

using testing::HasSubstr;
using testing::Not;

// The message of the error that `call` throws, with its code in front; "no error" if none.
template <class Call>
std::string errorOf(const Call& call) {
    try {
        call();
    } catch (const Error& error) {
        return std::string(errorCodeName(error.code())) + ": " + error.what();
    }
    return "no error";
}

// A value of the field that is allowed and is not its default.
RecipeValue otherValue(const RecipeField& field) {
    const RecipeValue value = field.defaultValue();
    switch (field.type) {
        case FieldType::Int: return static_cast<int64_t>(field.minimum) + 5;
        case FieldType::Real: return field.minimum + (field.maximum - field.minimum) / 7.0;
        case FieldType::Flag: return !std::get<bool>(value);
        case FieldType::Choice:
            return std::string(field.choices.back() == std::get<std::string>(value) ? field.choices.front()
                                                                                    : field.choices.back());
        case FieldType::Text:
        case FieldType::Path: return std::string("a \"quoted\" \\ name\nwith a line, ünïcode and # no comment");
    }
    return value;
}

Recipe recipeWithEverythingChanged() {
    Recipe recipe;
    for (const RecipeField& field : recipeFields()) setField(recipe, field, otherValue(field));
    return recipe;
}

TEST(Recipe, tomlGivesBackDefaults) {
    const Recipe recipe;
    EXPECT_EQ(recipeFromToml(recipeToToml(recipe), "recipe.toml"), recipe);
}

TEST(Recipe, tomlGivesBackEveryChangedSetting) {
    const Recipe recipe = recipeWithEverythingChanged();
    EXPECT_EQ(diffRecipes(recipe, Recipe{}).size(), recipeFields().size());
    const Recipe read = recipeFromToml(recipeToToml(recipe), "recipe.toml");
    for (const auto& difference : diffRecipes(recipe, read)) {
        ADD_FAILURE() << difference.field->key << ": " << difference.left << " became " << difference.right;
    }
    EXPECT_EQ(read, recipe);
}

TEST(Recipe, tomlKeepsEveryBitOfARealNumber) {
    Recipe recipe;
    for (const double value : {0.1, 1.0 / 3.0, 1e-5, 2e-4, 3.0000000000000004e-4, 5e-324, 1.0}) {
        recipe.learningRate = value;
        EXPECT_EQ(recipeFromToml(recipeToToml(recipe), "r").learningRate, value);
    }
}

TEST(Recipe, tomlKeepsTheTypesApart) {
    const std::string toml = recipeToToml(Recipe{});
    EXPECT_THAT(toml, HasSubstr("\nepochs = 3.0\n"));
    EXPECT_THAT(toml, HasSubstr("\nbatch_size = 16\n"));
}

TEST(Recipe, absentKeysKeepTheBase) {
    Recipe base;
    base.loraRank = 4;
    base.epochs = 9;
    const Recipe recipe = recipeFromToml("epochs = 2\nmethod = 'full'\n", "r", base);
    EXPECT_EQ(recipe.loraRank, 4);
    EXPECT_EQ(recipe.epochs, 2.0);
    EXPECT_EQ(recipe.method, TuneMethod::Full);
}

TEST(Recipe, unknownKeyNamesTheNearest) {
    const std::string error = errorOf([] { recipeFromToml("seed = 1\nlearning_rat = 1e-4\n", "my.toml"); });
    EXPECT_EQ(error, "invalid_argument: my.toml:2: unknown setting 'learning_rat': did you mean 'learning_rate'?");
}

TEST(Recipe, unknownKeyLikeNoneNamesTheWayOn) {
    const std::string error = errorOf([] { recipeFromToml("zzzzzzzzzz = 1\n", "my.toml"); });
    EXPECT_THAT(error, HasSubstr("my.toml:1: unknown setting 'zzzzzzzzzz'"));
    EXPECT_THAT(error, HasSubstr("whet recipe"));
    EXPECT_THAT(error, Not(HasSubstr("did you mean")));
}

TEST(Recipe, valueOutOfRangeNamesKeyValueAndRange) {
    EXPECT_EQ(errorOf([] { recipeFromToml("learning_rate = 7.5\n", "r.toml"); }),
              "invalid_argument: r.toml:1: learning_rate is 7.5: allowed is a number from 0 to 1");
    EXPECT_EQ(errorOf([] { recipeFromToml("\nbatch_size = 0\n", "r.toml"); }),
              "invalid_argument: r.toml:2: batch_size is 0: allowed is a whole number from 1 to 65536");
    EXPECT_EQ(errorOf([] { recipeFromToml("schedule = 'step'\n", "r.toml"); }),
              "invalid_argument: r.toml:1: schedule is step: allowed is cosine, linear or constant");
    EXPECT_EQ(errorOf([] { recipeFromToml("keep_best = 'maybe'\n", "r.toml"); }),
              "invalid_argument: r.toml:1: keep_best is maybe: allowed is true or false");
    EXPECT_THAT(errorOf([] { recipeFromToml("learning_rate = nan\n", "r.toml"); }), HasSubstr("learning_rate is nan"));
    EXPECT_THAT(errorOf([] { recipeFromToml("epochs = inf\n", "r.toml"); }), HasSubstr("epochs is inf"));
    EXPECT_THAT(errorOf([] { recipeFromToml("max_steps = 1.5\n", "r.toml"); }), HasSubstr("max_steps is 1.5"));
    EXPECT_THAT(errorOf([] { recipeFromToml("model = 3\n", "r.toml"); }), HasSubstr("model is 3: allowed is text"));
}

TEST(Recipe, wrongSyntaxNamesTheLine) {
    EXPECT_THAT(errorOf([] { recipeFromToml("seed = 1\nepochs = = 2\n", "r.toml"); }),
                HasSubstr("invalid_argument: r.toml:2: "));
    EXPECT_THAT(errorOf([] { recipeFromToml("[training]\nepochs = 2\n", "r.toml"); }), HasSubstr("r.toml:1: "));
    EXPECT_THAT(errorOf([] { recipeFromToml("epochs = [1, 2]\n", "r.toml"); }), HasSubstr("epochs must be"));
}

TEST(Recipe, deepNestingIsAnErrorAndNoCrash) {
    EXPECT_THAT(errorOf([] { recipeFromToml("epochs = " + std::string(100000, '['), "r.toml"); }),
                HasSubstr("invalid_argument: r.toml"));
}

TEST(Recipe, wholeNumbersServeAsReals) {
    EXPECT_EQ(recipeFromToml("clip_norm = 2\n", "r").clipNorm, 2.0);
}

// Recipes of runs made when this was a flag.
TEST(Recipe, formerFlagOfCheckpointingMeansAllOrNothing) {
    const auto read = [](const char* toml) { return recipeFromToml(toml, "old.toml").activationCheckpointing; };
    EXPECT_EQ(read("activation_checkpointing = true"), ActivationCheckpointing::Full);
    EXPECT_EQ(read("activation_checkpointing = false"), ActivationCheckpointing::None);
    EXPECT_EQ(read("activation_checkpointing = \"selective\""), ActivationCheckpointing::Selective);
    EXPECT_THAT(errorOf([&] { read("activation_checkpointing = \"some\""); }),
                HasSubstr("activation_checkpointing is some: allowed is none, selective or full"));
    EXPECT_THAT(errorOf([&] { read("activation_checkpointing = 1"); }),
                HasSubstr("allowed is none, selective or full"));
    EXPECT_THAT(errorOf([&] { read("attention = true"); }), HasSubstr("attention is true"));
}

TEST(Recipe, learningRateFollowsTheMethod) {
    Recipe recipe;
    EXPECT_EQ(effectiveLearningRate(recipe), 2e-4);
    recipe.method = TuneMethod::Full;
    EXPECT_EQ(effectiveLearningRate(recipe), 2e-5);
    recipe.fromConfig = "config.json";
    EXPECT_EQ(effectiveLearningRate(recipe), 1e-3);
    recipe.learningRate = 5e-6;
    EXPECT_EQ(effectiveLearningRate(recipe), 5e-6);
}

TEST(Recipe, validationNamesWhatIsMissing) {
    Recipe recipe;
    EXPECT_THAT(errorOf([&] { validateRecipe(recipe); }), HasSubstr("no model"));
    recipe.model = "m";
    EXPECT_THAT(errorOf([&] { validateRecipe(recipe); }), HasSubstr("no data"));
    recipe.data = "d.jsonl";
    EXPECT_EQ(errorOf([&] { validateRecipe(recipe); }), "no error");
    recipe.fromConfig = "config.json";
    EXPECT_THAT(errorOf([&] { validateRecipe(recipe); }), HasSubstr("both model and from_config"));
    recipe.model.clear();
    EXPECT_THAT(errorOf([&] { validateRecipe(recipe); }), HasSubstr("--method full"));
    recipe.method = TuneMethod::Full;
    EXPECT_EQ(errorOf([&] { validateRecipe(recipe); }), "no error");
    recipe.epochs = std::numeric_limits<double>::quiet_NaN();
    EXPECT_THAT(errorOf([&] { validateRecipe(recipe); }), HasSubstr("epochs is nan"));
}

TEST(Recipe, existingPathsBecomeAbsolute) {
    const test::TemporaryFolder folder;
    test::writeText(folder / "data.jsonl", "");
    const auto before = std::filesystem::current_path();
    std::filesystem::current_path(folder.path());
    Recipe recipe;
    recipe.data = "data.jsonl";
    recipe.model = "pocket";
    recipe.templateName = "alpaca";
    const Recipe absolute = withAbsolutePaths(recipe);
    std::filesystem::current_path(before);
    EXPECT_EQ(absolute.data, (folder / "data.jsonl").string());
    EXPECT_EQ(absolute.model, "pocket");
    EXPECT_EQ(absolute.templateName, "alpaca");
}

TEST(Recipe, titleIsTheNameOrModelAndData) {
    Recipe recipe;
    recipe.model = "/models/pocket/";
    recipe.data = "/data/facts.train.jsonl.gz";
    EXPECT_EQ(recipeTitle(recipe), "pocket on facts");
    recipe.name = "third try";
    EXPECT_EQ(recipeTitle(recipe), "third try");
}

TEST(RecipeFields, rowsAreWellFormed) {
    std::set<std::string_view> keys;
    int numBasic = 0;
    for (const RecipeField& field : recipeFields()) {
        SCOPED_TRACE(field.key);
        EXPECT_TRUE(keys.insert(field.key).second) << "the key is there twice";
        EXPECT_FALSE(field.group.empty());
        EXPECT_FALSE(field.label.empty());
        EXPECT_FALSE(field.help.empty());
        EXPECT_NE(field.help.back(), '.');
        EXPECT_LE(field.help.size(), 90U);
        EXPECT_EQ(field.choices.empty(), field.type != FieldType::Choice);
        Recipe recipe;
        EXPECT_NO_THROW(setField(recipe, field, field.defaultValue())) << "the default is not allowed";
        EXPECT_EQ(recipe, Recipe{});
        numBasic += field.isBasic ? 1 : 0;
    }
    EXPECT_EQ(numBasic, 6);
}

TEST(RecipeFields, textReadsBackAsTheSameValue) {
    const Recipe changed = recipeWithEverythingChanged();
    for (const RecipeField& field : recipeFields()) {
        Recipe recipe;
        setFieldText(recipe, field, valueText(field.get(changed)));
        EXPECT_EQ(field.get(recipe), field.get(changed)) << field.key;
    }
}

TEST(RecipeFields, textThatIsNoNumberIsRefused) {
    const RecipeField& rank = *findRecipeField("lora_rank");
    for (const char* text : {"", "four", "4x", "4.5", "1e3", "99999999999999999999", "-1", "0"}) {
        EXPECT_TRUE(fieldProblem(rank, text).has_value()) << text;
    }
    EXPECT_FALSE(fieldProblem(rank, " 8 ").has_value());
    EXPECT_EQ(fieldProblem(rank, "").value(), "lora_rank is empty: allowed is a whole number from 1 to 4096");
}

TEST(RecipeFields, optionNamesFollowTheKeys) {
    EXPECT_EQ(findRecipeField("learning_rate")->optionName(), "--learning-rate");
    EXPECT_EQ(findRecipeField("no_such_key"), nullptr);
}

TEST(RecipeFields, documentationPageIsUpToDate) {
    const auto page = std::filesystem::path(WHETBENCH_SOURCE_DIR) / "docs" / "recipe.md";
    EXPECT_EQ(test::readText(page), recipeFieldsMarkdown()) << "run: whet recipe --markdown > docs/recipe.md";
}

TEST(Recipe, relativePathsMeanTheFileBesideTheRecipe) {
    const test::TemporaryFolder folder;
    writeFileAtomically(folder.path() / "rows.jsonl", "{}");
    writeFileAtomically(folder.path() / "recipe.toml",
                        "model = \"pocket\"\ndata = \"rows.jsonl\"\nvalidation_data = \"elsewhere.jsonl\"\n");
    const Recipe recipe = loadRecipe(folder.path() / "recipe.toml");
    EXPECT_EQ(recipe.data, (folder.path() / "rows.jsonl").string());
    EXPECT_EQ(recipe.validationData, "elsewhere.jsonl") << "nothing of this name lies beside it";
    EXPECT_EQ(recipe.model, "pocket");
}

}  // namespace
}  // namespace wb::core
