// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/models/recipe_model.h"

#include <gtest/gtest.h>

#include <QComboBox>
#include <QLineEdit>
#include <QSignalSpy>
#include <QTest>
#include <QUndoStack>

#include "app/gui/pages/train/recipe_form.h"
#include "app/models/plan_model.h"
#include "app/models/presets.h"
#include "tests/gui/gui_test_support.h"

namespace wb::app {

TEST(RecipeModel, formAndRecipeRoundTrip) {
    core::Recipe recipe = test::sampleRecipe();
    recipe.method = core::TuneMethod::Full;
    recipe.learningRate = 0.0125;
    recipe.epochs = 2.5;
    recipe.seed = 7;
    recipe.keepBest = false;
    recipe.attention = core::AttentionChoice::Math;
    RecipeModel model;
    model.setRecipe(recipe);
    EXPECT_EQ(model.recipe(), recipe);
    // Only what differs from the defaults is typed.
    EXPECT_EQ(model.texts().size(), 8);
    RecipeModel copy;
    copy.setTexts(model.texts());
    EXPECT_EQ(copy.recipe(), recipe);
}

TEST(RecipeModel, badValueNamesTheFieldAndBlocksTheStart) {
    RecipeModel model;
    EXPECT_FALSE(model.firstProblem().isEmpty());
    model.setRecipe(test::sampleRecipe());
    EXPECT_EQ(model.firstProblem(), QString());
    model.setText(QStringLiteral("learning_rate"), QStringLiteral("seven"));
    EXPECT_TRUE(model.problem(QStringLiteral("learning_rate")).contains(QStringLiteral("learning_rate")));
    EXPECT_FALSE(model.firstProblem().isEmpty());
    EXPECT_EQ(model.recipe().learningRate, core::Recipe{}.learningRate);
}

TEST(RecipeModel, everyPresetIsARecipe) {
    for (const RecipePreset& preset : recipePresets()) {
        RecipeModel model;
        model.setRecipe(test::sampleRecipe());
        for (auto it = preset.texts.begin(); it != preset.texts.end(); ++it) model.setText(it.key(), it.value());
        EXPECT_EQ(model.firstProblem(), QString()) << preset.title.toStdString();
    }
}

TEST(RecipeForm, hasAnEditorForEverySettingAndUndoesTyping) {
    RecipeModel model;
    QUndoStack undo;
    RecipeForm form(model, undo);
    for (const core::RecipeField& field : core::recipeFields()) {
        QWidget* editor = form.editor(fromView(field.key));
        ASSERT_NE(editor, nullptr) << field.key;
        EXPECT_FALSE(editor->accessibleName().isEmpty()) << field.key;
    }
    auto* epochs = qobject_cast<QLineEdit*>(form.editor(QStringLiteral("epochs")));
    EXPECT_EQ(epochs->placeholderText(), "3");
    QTest::keyClicks(epochs, QStringLiteral("12"));
    EXPECT_EQ(model.recipe().epochs, 12);
    auto* batch = qobject_cast<QLineEdit*>(form.editor(QStringLiteral("batch_size")));
    QTest::keyClicks(batch, QStringLiteral("8"));
    EXPECT_EQ(model.recipe().batchSize, 8);
    EXPECT_EQ(undo.count(), 2);  // one step per field, not per key
    undo.undo();
    undo.undo();
    EXPECT_EQ(model.recipe(), core::Recipe{});
    EXPECT_EQ(epochs->text(), QString());
    undo.redo();
    EXPECT_EQ(epochs->text(), "12");
}

TEST(RecipeForm, followsTheModel) {
    RecipeModel model;
    QUndoStack undo;
    RecipeForm form(model, undo);
    core::Recipe recipe = test::sampleRecipe();
    recipe.method = core::TuneMethod::Full;
    model.setRecipe(recipe);
    EXPECT_EQ(qobject_cast<QComboBox*>(form.editor(QStringLiteral("method")))->currentText(), "full");
    EXPECT_EQ(qobject_cast<QLineEdit*>(form.editor(QStringLiteral("data")))->text().toStdString(), recipe.data);
    EXPECT_EQ(undo.count(), 0);
}

TEST(PlanModel, plansTheLatestRecipeOnly) {
    PlanModel plan;
    plan.setLibrary(QStringLiteral("/nonexistent"));
    core::Recipe recipe = test::sampleRecipe();
    for (int i = 1; i <= 5; ++i) {
        recipe.epochs = i;
        plan.request(recipe);
    }
    EXPECT_TRUE(plan.isBusy());
    ASSERT_TRUE(test::waitUntil([&] { return plan.plan().has_value(); }));
    EXPECT_EQ(plan.plan()->peakBytes, 60'000'000);
    EXPECT_EQ(plan.plan()->byOwner.optimizer, 15'000'000);
    EXPECT_TRUE(plan.plan()->fits);
    EXPECT_FALSE(plan.isBusy());
}

}  // namespace wb::app
