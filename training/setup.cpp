// SPDX-License-Identifier: Apache-2.0
#include "training/setup.h"

#include "core/format/hf_config.h"
#include "core/format/model_folder.h"
#include "core/model/architectures/architectures.h"
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

fs::path tokenizerPath(const TrainingSetup& setup) {
    return setup.recipe.tokenizer.empty() ? setup.modelPath : fs::path(setup.recipe.tokenizer);
}

// Files that make a checkpoint of all weights a model folder of its own: those beside the tokenizer, then those beside
// the model that have other names.
std::vector<fs::path> companionsOf(const TrainingSetup& setup) {
    const auto folderOf = [](const fs::path& path) { return fs::is_directory(path) ? path : path.parent_path(); };
    std::vector<fs::path> files = core::companionFilesOf(folderOf(tokenizerPath(setup)));
    for (const fs::path& file : core::companionFilesOf(folderOf(setup.modelPath))) {
        const bool isKnown =
            std::ranges::any_of(files, [&](const fs::path& other) { return other.filename() == file.filename(); });
        if (!isKnown) files.push_back(file);
    }
    return files;
}

core::GenerationConfig generationConfigOf(const TrainingSetup& setup) {
    return setup.source ? setup.source->generationConfig() : core::readGenerationConfig(setup.modelPath, setup.config);
}

// The vocabulary inside a GGUF file is no file that could be copied.
void requireTokenizerFiles(const TrainingSetup& setup) {
    if (setup.recipe.method != core::TuneMethod::Full || tokenizerPath(setup).extension() != ".gguf") return;
    throw Error{ErrorCode::Unsupported,
                "full tuning of a GGUF file is not supported: its checkpoints would have no tokenizer. Use method "
                "lora, or give "
                "the tokenizer of the original model folder with --tokenizer"};
}

}  // namespace

TrainingSetup prepareTraining(const core::Recipe& recipe, int threads) {
    core::validateRecipe(recipe);
    TrainingSetup setup;
    setup.recipe = recipe;
    openModel(setup);
    requireTokenizerFiles(setup);
    setup.tokenizer = core::loadTokenizer(tokenizerPath(setup));
    setup.companions = companionsOf(setup);
    checkVocabulary(setup);
    const core::GenerationConfig generation = generationConfigOf(setup);
    setup.rules = inference::tokenRulesOf(generation, setup.config);

    setup.data = prepareObjective({.recipe = setup.recipe,
                                   .tokenizer = *setup.tokenizer,
                                   .modelFolder = setup.modelPath,
                                   .modelLimit = core::positionLimitOf(setup.config).value_or(0),
                                   .answer = core::answerFrameOf(setup.config, generation, *setup.tokenizer),
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
