// SPDX-License-Identifier: Apache-2.0
#include "training/objectives/objectives.h"

#include "kernels/base/error.h"

#include <algorithm>
#include <array>

namespace wb::training {
namespace {

struct ObjectiveRow {
    core::Objective objective;
    ObjectiveData (*prepare)(const ObjectiveInput& input);
};

constexpr std::array kObjectives{
    ObjectiveRow{core::Objective::Sft, prepareSupervised},
    ObjectiveRow{core::Objective::Lm, prepareLanguageModel},
};

}  // namespace

ObjectiveData prepareObjective(const ObjectiveInput& input) {
    const auto row = std::ranges::find(kObjectives, input.recipe.objective, &ObjectiveRow::objective);
    WB_CHECK(row != kObjectives.end(), "every objective has a row");
    return row->prepare(input);
}

PrepareOptions prepareOptionsOf(const ObjectiveInput& input) {
    const core::Recipe& recipe = input.recipe;
    return {.maxLength = recipe.maxLength,
            .modelLimit = input.modelLimit,
            .answer = input.answer,
            .trainOn = recipe.trainOn,
            .longRows = recipe.longRows,
            .badLines = recipe.badLines,
            .emptyTargets = recipe.emptyTargets,
            .split = {.validationShare = recipe.validationFraction,
                      .maxValidation = recipe.validationMaxRows,
                      .seed = static_cast<uint64_t>(recipe.seed)},
            .validation = nullptr,
            .threads = input.threads};
}

}  // namespace wb::training
