// SPDX-License-Identifier: Apache-2.0
#include "training/setup.h"

#include "kernels/base/error.h"

#include <fmt/format.h>
#include <algorithm>
#include <cmath>

namespace wb::training {
namespace {

namespace fs = std::filesystem;

void openModel(TrainingSetup& setup) {
    const core::Recipe& recipe = setup.recipe;
    if (!recipe.model.empty()) {
        setup.modelPath = recipe.model;
        setup.source = core::ModelSource::open(setup.modelPath);
        setup.config = setup.source->config();
        return;
    }
    if (recipe.method == core::TuneMethod::Lora) {
        throw Error{
            ErrorCode::InvalidArgument,
            "training from scratch (from_config) needs method full: an adapter on random weights teaches nothing"};
    }
    setup.config = core::readModelConfig(recipe.fromConfig);
    setup.modelPath =
        fs::is_directory(recipe.fromConfig) ? fs::path(recipe.fromConfig) : fs::path(recipe.fromConfig).parent_path();
}

void checkVocabulary(const TrainingSetup& setup) {
    if (setup.tokenizer->vocabularySize() <= setup.config.vocabularySize) return;
    throw Error{ErrorCode::InvalidArgument,
                fmt::format("the tokenizer has {} tokens, the model only {} rows: they do not belong together",
                            setup.tokenizer->vocabularySize(), setup.config.vocabularySize)};
}

}  // namespace

TrainingSetup prepareTraining(const core::Recipe& recipe, int threads) {
    core::validateRecipe(recipe);
    TrainingSetup setup;
    setup.recipe = recipe;
    openModel(setup);
    setup.tokenizer = core::loadTokenizer(recipe.tokenizer.empty() ? setup.modelPath : fs::path(recipe.tokenizer));
    checkVocabulary(setup);

    setup.data = prepareObjective({.recipe = setup.recipe,
                                   .tokenizer = *setup.tokenizer,
                                   .modelFolder = setup.modelPath,
                                   .modelLimit = setup.config.maxPositions,
                                   .threads = threads});
    const PreparedData& prepared = setup.data.prepared;
    setup.recipe.maxLength = prepared.maxLength;
    setup.packing = {.batchSize = recipe.batchSize,
                     .maxTokens = std::max(recipe.microBatchTokens, prepared.train.longest()),
                     .seed = static_cast<uint64_t>(recipe.seed)};
    setup.stepsPerEpoch = stepsPerEpoch(prepared.train, setup.packing);
    const auto wanted = static_cast<int64_t>(std::llround(recipe.epochs * static_cast<double>(setup.stepsPerEpoch)));
    setup.totalSteps = std::max<int64_t>(recipe.maxSteps > 0 ? std::min(recipe.maxSteps, wanted) : wanted, 1);
    setup.schedule = {.kind = recipe.schedule,
                      .peak = core::effectiveLearningRate(recipe),
                      .warmupRatio = recipe.warmupRatio,
                      .minRatio = recipe.minLrRatio,
                      .totalSteps = setup.totalSteps};
    return setup;
}

}  // namespace wb::training
