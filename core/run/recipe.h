// SPDX-License-Identifier: Apache-2.0
// A recipe is everything a run depends on besides the files it names. recipe_fields.h describes each member once;
// command-line options, TOML keys, the form of the workbench and docs/recipe.md all follow from that table.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "kernels/base/dtype.h"

namespace wb::core {

enum class TuneMethod { Lora, Full };
enum class Objective { Sft, Lm };
enum class ScheduleKind { Cosine, Linear, Constant };
enum class AttentionChoice { Auto, Math, Flash, MemoryEfficient };
enum class ActivationCheckpointing { None, Selective, Full };  // what backward computes again instead of keeping it
enum class TrainOn { Response, All };
enum class LoraBias { None, All, LoraOnly };  // biases trained beside an adapter: none, every, the adapted layers'
enum class BaseWeights {
    AsComputed,
    Q8_0,
    Q4_0,
    Nf4
};                                              // under an adapter: in the number format, or in blocks of 8 or 4 bits
enum class OptimizerKind { AdamW, AdamW8bit };  // F32 moments, or moments of 8 bits for large matrices
enum class RowPolicy { Stop, Skip };            // rows that cannot teach: ask the user, or leave them out by name
enum class LongRowPolicy { Shorten, Cut, Skip, Stop };  // rows over max_length

// The initialisers are the defaults. Empty text and path, and 0 where the table says so, mean "automatic".
struct Recipe {
    std::string name;

    std::string model;
    std::string fromConfig;
    std::string tokenizer;
    TuneMethod method = TuneMethod::Lora;
    Objective objective = Objective::Sft;

    std::string data;
    std::string format = "auto";
    std::string templateName = "auto";
    std::string validationData;
    double validationFraction = 0.1;
    int64_t validationMaxRows = 200;
    TrainOn trainOn = TrainOn::Response;
    int64_t maxLength = 0;  // 0: 99th percentile of the data
    LongRowPolicy longRows = LongRowPolicy::Shorten;
    RowPolicy badLines = RowPolicy::Stop;
    RowPolicy emptyTargets = RowPolicy::Stop;

    double epochs = 3.0;
    int64_t maxSteps = 0;  // 0: no limit
    int64_t batchSize = 16;
    int64_t microBatchTokens = 2048;
    OptimizerKind optimizer = OptimizerKind::AdamW;
    double learningRate = 0.0;  // 0: by method, see effectiveLearningRate
    ScheduleKind schedule = ScheduleKind::Cosine;
    double warmupRatio = 0.05;
    double minLrRatio = 0.0;
    double weightDecay = 0.0;
    double beta1 = 0.9;
    double beta2 = 0.999;
    double epsilon = 1e-8;
    double clipNorm = 1.0;  // 0: off

    int64_t loraRank = 16;
    double loraAlpha = 32.0;
    double loraDropout = 0.0;
    BaseWeights baseDtype = BaseWeights::AsComputed;
    std::string loraTargets = "all-linear";
    bool useRslora = false;
    bool useDora = false;
    LoraBias loraBias = LoraBias::None;
    std::string modulesToSave;

    int64_t evalEvery = 0;        // 0: at the end of every epoch only
    int64_t checkpointEvery = 0;  // 0: at the end of every epoch only
    int64_t keepCheckpoints = 2;
    int64_t earlyStopping = 3;  // evaluations without improvement, 0: off
    bool keepBest = true;
    int64_t samplePrompts = 3;
    int64_t sampleMaxNewTokens = 64;

    int64_t seed = 42;
    std::string device = "auto";
    int64_t threads = 0;  // 0: every core
    DType dtype = DType::F32;
    AttentionChoice attention = AttentionChoice::Auto;
    ActivationCheckpointing activationCheckpointing = ActivationCheckpointing::None;
    bool deterministic = true;

    bool operator==(const Recipe&) const = default;
};

// The learning rate a run uses: the recipe's, or 2e-4 for lora, 2e-5 for full, 1e-3 from scratch if it is 0.
double effectiveLearningRate(const Recipe& recipe);

// Reads a recipe from TOML; keys that are absent keep the value they have in `base`. Throws InvalidArgument naming
// `sourceName`, line, key, value and what is allowed, and for an unknown key the nearest known one.
Recipe recipeFromToml(std::string_view toml, std::string_view sourceName, const Recipe& base = {});

// All keys, grouped, each with its help as a comment. recipeFromToml gives back an equal recipe.
std::string recipeToToml(const Recipe& recipe);

// A relative path means the file beside the recipe if there is one. Throws NotFound, Io or what recipeFromToml throws.
Recipe loadRecipe(const std::filesystem::path& file, const Recipe& base = {});

// Checks every value against its range and the settings against each other: a model or a config, data, a validation
// set that exists. Throws InvalidArgument.
void validateRecipe(const Recipe& recipe);

// The recipe with every path that exists made absolute, so that the run can be resumed from any folder.
Recipe withAbsolutePaths(Recipe recipe);

// The recipe's name, or one made of the model's and the data's file names ("pocket on facts").
std::string recipeTitle(const Recipe& recipe);

}  // namespace wb::core
