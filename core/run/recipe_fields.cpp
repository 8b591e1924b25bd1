// SPDX-License-Identifier: Apache-2.0
#include "core/run/recipe_fields.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <type_traits>
#include <utility>

#include "core/run/edit_distance.h"
#include "kernels/base/error.h"

namespace wb::core {
namespace {

template <class Enum>
using ChoiceList = std::span<const std::pair<std::string_view, Enum>>;

// The only place where a choice's name and its enumerator meet.
constexpr std::array kTuneMethods{std::pair{std::string_view("lora"), TuneMethod::Lora},
                                  std::pair{std::string_view("full"), TuneMethod::Full}};
constexpr std::array kObjectives{std::pair{std::string_view("sft"), Objective::Sft},
                                 std::pair{std::string_view("lm"), Objective::Lm}};
constexpr std::array kSchedules{std::pair{std::string_view("cosine"), ScheduleKind::Cosine},
                                std::pair{std::string_view("linear"), ScheduleKind::Linear},
                                std::pair{std::string_view("constant"), ScheduleKind::Constant}};
constexpr std::array kAttention{std::pair{std::string_view("auto"), AttentionChoice::Auto},
                                std::pair{std::string_view("math"), AttentionChoice::Math},
                                std::pair{std::string_view("flash"), AttentionChoice::Flash},
                                std::pair{std::string_view("memory_efficient"), AttentionChoice::MemoryEfficient}};
constexpr std::array kLoraBiases{std::pair{std::string_view("none"), LoraBias::None},
                                 std::pair{std::string_view("all"), LoraBias::All},
                                 std::pair{std::string_view("lora_only"), LoraBias::LoraOnly}};
constexpr std::array kBaseWeights{std::pair{std::string_view("same"), BaseWeights::AsComputed},
                                  std::pair{std::string_view("q8_0"), BaseWeights::Q8_0},
                                  std::pair{std::string_view("q4_0"), BaseWeights::Q4_0},
                                  std::pair{std::string_view("nf4"), BaseWeights::Nf4}};
constexpr std::array kOptimizers{std::pair{std::string_view("adamw"), OptimizerKind::AdamW},
                                 std::pair{std::string_view("adamw8bit"), OptimizerKind::AdamW8bit}};
constexpr std::array kCheckpointing{std::pair{std::string_view("none"), ActivationCheckpointing::None},
                                    std::pair{std::string_view("selective"), ActivationCheckpointing::Selective},
                                    std::pair{std::string_view("full"), ActivationCheckpointing::Full}};
constexpr std::array kTrainOn{std::pair{std::string_view("response"), TrainOn::Response},
                              std::pair{std::string_view("all"), TrainOn::All}};
constexpr std::array kRowPolicies{std::pair{std::string_view("stop"), RowPolicy::Stop},
                                  std::pair{std::string_view("skip"), RowPolicy::Skip}};
constexpr std::array kLongRowPolicies{std::pair{std::string_view("shorten"), LongRowPolicy::Shorten},
                                      std::pair{std::string_view("cut"), LongRowPolicy::Cut},
                                      std::pair{std::string_view("skip"), LongRowPolicy::Skip},
                                      std::pair{std::string_view("stop"), LongRowPolicy::Stop}};
constexpr std::array kDtypes{std::pair{std::string_view("f32"), DType::F32},
                             std::pair{std::string_view("bf16"), DType::BF16}};

ChoiceList<TuneMethod> choicesOf(TuneMethod) {
    return kTuneMethods;
}
ChoiceList<Objective> choicesOf(Objective) {
    return kObjectives;
}
ChoiceList<ScheduleKind> choicesOf(ScheduleKind) {
    return kSchedules;
}
ChoiceList<AttentionChoice> choicesOf(AttentionChoice) {
    return kAttention;
}
ChoiceList<LoraBias> choicesOf(LoraBias) {
    return kLoraBiases;
}
ChoiceList<BaseWeights> choicesOf(BaseWeights) {
    return kBaseWeights;
}
ChoiceList<ActivationCheckpointing> choicesOf(ActivationCheckpointing) {
    return kCheckpointing;
}
ChoiceList<OptimizerKind> choicesOf(OptimizerKind) {
    return kOptimizers;
}
ChoiceList<TrainOn> choicesOf(TrainOn) {
    return kTrainOn;
}
ChoiceList<RowPolicy> choicesOf(RowPolicy) {
    return kRowPolicies;
}
ChoiceList<LongRowPolicy> choicesOf(LongRowPolicy) {
    return kLongRowPolicies;
}
ChoiceList<DType> choicesOf(DType) {
    return kDtypes;
}

template <class Enum>
std::string_view nameOf(Enum value) {
    for (const auto& [name, enumerator] : choicesOf(value)) {
        if (enumerator == value) return name;
    }
    throw Error{ErrorCode::InvalidArgument,
                fmt::format("a recipe holds choice number {}, which has no name", static_cast<int>(value))};
}

template <auto Member>
using MemberType = std::remove_cvref_t<decltype(std::declval<Recipe>().*Member)>;

template <auto Member>
RecipeValue getMember(const Recipe& recipe) {
    if constexpr (std::is_enum_v<MemberType<Member>>) {
        return std::string(nameOf(recipe.*Member));
    } else {
        return recipe.*Member;
    }
}

template <auto Member>
void assignMember(Recipe& recipe, const RecipeValue& value) {
    using T = MemberType<Member>;
    if constexpr (std::is_enum_v<T>) {
        for (const auto& [name, enumerator] : choicesOf(T{})) {
            if (name == std::get<std::string>(value)) recipe.*Member = enumerator;
        }
    } else {
        recipe.*Member = std::get<T>(value);
    }
}

// Completes a row with what follows from the member's type.
template <auto Member>
RecipeField field(RecipeField row) {
    using T = MemberType<Member>;
    row.get = getMember<Member>;
    row.assign = assignMember<Member>;
    if constexpr (std::is_same_v<T, int64_t>) row.type = FieldType::Int;
    if constexpr (std::is_same_v<T, double>) row.type = FieldType::Real;
    if constexpr (std::is_same_v<T, bool>) row.type = FieldType::Flag;
    if constexpr (std::is_enum_v<T>) {
        row.type = FieldType::Choice;
        for (const auto& [name, enumerator] : choicesOf(T{})) row.choices.push_back(name);
    }
    return row;
}

constexpr double kMillion = 1e6;
constexpr double kBillion = 1e9;

using Rows = std::vector<RecipeField>;

Rows modelFields() {
    return {
        field<&Recipe::name>(
            {.key = "name", .label = "Name", .help = "What lists call this run", .automatic = "model and data"}),
        field<&Recipe::model>(
            {.key = "model",
             .label = "Model",
             .help = "Model to tune: a Hugging Face folder, a GGUF file, or the name of a bundled model",
             .type = FieldType::Path}),
        field<&Recipe::fromConfig>(
            {.key = "from_config",
             .label = "From configuration",
             .help = "Start from random weights of the shape in this config.json instead of a model",
             .type = FieldType::Path}),
        field<&Recipe::tokenizer>({.key = "tokenizer",
                                   .label = "Tokenizer",
                                   .help = "Tokenizer file or folder, if it is not beside the model or configuration",
                                   .type = FieldType::Path,
                                   .automatic = "the model's own"}),
        field<&Recipe::method>(
            {.key = "method",
             .label = "Method",
             .help = "lora trains a small adapter and leaves the model alone, full trains every weight"}),
        field<&Recipe::objective>({.key = "objective",
                                   .label = "Objective",
                                   .help = "sft learns responses to prompts, lm learns plain text"}),
    };
}

Rows dataFields() {
    return {
        field<&Recipe::data>({.key = "data",
                              .label = "Data",
                              .help = "Training file: JSONL, JSON, CSV or text, also .gz or .zst",
                              .type = FieldType::Path}),
        field<&Recipe::format>(
            {.key = "format", .label = "Format", .help = "Layout of the data file; auto detects it"}),
        field<&Recipe::templateName>(
            {.key = "template",
             .label = "Template",
             .help = "How rows become prompts: auto, plain, raw, alpaca, chatml, model, or a template.json"}),
        field<&Recipe::validationData>({.key = "validation_data",
                                        .label = "Validation data",
                                        .help = "File to validate on instead of a part of the training data",
                                        .type = FieldType::Path,
                                        .automatic = "split off the training data"}),
        field<&Recipe::validationFraction>({.key = "validation_fraction",
                                            .label = "Validation share",
                                            .help = "Share of the rows kept back for validation; 0 trains without",
                                            .maximum = 0.9,
                                            .isBasic = true}),
        field<&Recipe::validationMaxRows>({.key = "validation_max_rows",
                                           .label = "Validation rows, at most",
                                           .help = "Upper limit of the rows kept back for validation",
                                           .unit = "rows",
                                           .minimum = 1,
                                           .maximum = kMillion}),
        field<&Recipe::trainOn>({.key = "train_on",
                                 .label = "Train on",
                                 .help = "Tokens the loss is over: the response only, or the prompt too"}),
        field<&Recipe::maxLength>({.key = "max_length",
                                   .label = "Maximum length",
                                   .help = "Longest row in tokens; memory grows with it",
                                   .unit = "tokens",
                                   .maximum = kMillion,
                                   .automatic = "99th percentile of the data",
                                   .isBasic = true}),
        field<&Recipe::longRows>({.key = "long_rows",
                                  .label = "Rows over the maximum",
                                  .help = "Shorten their longest input, cut their end, skip them, or stop and ask"}),
        field<&Recipe::badLines>({.key = "bad_lines",
                                  .label = "Unreadable lines",
                                  .help = "stop names them and refuses to start, skip names them and goes on"}),
        field<&Recipe::emptyTargets>(
            {.key = "empty_targets",
             .label = "Rows without a target",
             .help = "Rows that would teach nothing: stop refuses to start, skip leaves them out"}),
    };
}

Rows optimizerFields() {
    return {
        field<&Recipe::epochs>({.key = "epochs",
                                .label = "Epochs",
                                .help = "Passes over the training data",
                                .minimum = 0.001,
                                .maximum = 10000,
                                .isBasic = true}),
        field<&Recipe::maxSteps>({.key = "max_steps",
                                  .label = "Steps, at most",
                                  .help = "Ends the run after this many optimiser steps",
                                  .unit = "steps",
                                  .maximum = kBillion,
                                  .automatic = "no limit"}),
        field<&Recipe::batchSize>({.key = "batch_size",
                                   .label = "Batch size",
                                   .help = "Rows per optimiser step",
                                   .unit = "rows",
                                   .minimum = 1,
                                   .maximum = 65536,
                                   .isBasic = true}),
        field<&Recipe::microBatchTokens>(
            {.key = "micro_batch_tokens",
             .label = "Tokens at once",
             .help = "Tokens per forward pass; lower needs less memory, the batch stays the same",
             .unit = "tokens",
             .minimum = 16,
             .maximum = 10 * kMillion}),
        field<&Recipe::optimizer>(
            {.key = "optimizer",
             .label = "Optimiser",
             .help = "AdamW; adamw8bit keeps its memory of large matrices in 8 instead of 32 bits"}),
        field<&Recipe::learningRate>({.key = "learning_rate",
                                      .label = "Learning rate",
                                      .help = "Peak of the schedule",
                                      .maximum = 1.0,
                                      .automatic = "2e-4 for lora, 2e-5 for full, 1e-3 from scratch",
                                      .isBasic = true}),
        field<&Recipe::schedule>(
            {.key = "schedule", .label = "Schedule", .help = "How the learning rate falls after warm-up"}),
        field<&Recipe::warmupRatio>({.key = "warmup_ratio",
                                     .label = "Warm-up share",
                                     .help = "Share of the steps over which the learning rate rises",
                                     .maximum = 1.0}),
        field<&Recipe::minLrRatio>({.key = "min_lr_ratio",
                                    .label = "Final rate share",
                                    .help = "Learning rate at the end as a share of the peak",
                                    .maximum = 1.0}),
        field<&Recipe::weightDecay>({.key = "weight_decay",
                                     .label = "Weight decay",
                                     .help = "Decoupled decay of matrices per unit of learning rate",
                                     .maximum = 10.0}),
        field<&Recipe::beta1>(
            {.key = "beta1", .label = "Beta 1", .help = "AdamW: memory of the gradient", .maximum = 0.9999999}),
        field<&Recipe::beta2>(
            {.key = "beta2", .label = "Beta 2", .help = "AdamW: memory of the squared gradient", .maximum = 0.9999999}),
        field<&Recipe::epsilon>({.key = "epsilon",
                                 .label = "Epsilon",
                                 .help = "AdamW: keeps the division finite",
                                 .minimum = 1e-20,
                                 .maximum = 1.0}),
        field<&Recipe::clipNorm>({.key = "clip_norm",
                                  .label = "Gradient clip",
                                  .help = "Gradients with a larger norm are scaled down to it",
                                  .maximum = kMillion,
                                  .automatic = "off"}),
    };
}

Rows loraFields() {
    return {
        field<&Recipe::loraRank>({.key = "lora_rank",
                                  .label = "Rank",
                                  .help = "Size of the adapter; higher can learn more and needs more memory",
                                  .minimum = 1,
                                  .maximum = 4096,
                                  .isBasic = true}),
        field<&Recipe::loraAlpha>({.key = "lora_alpha",
                                   .label = "Alpha",
                                   .help = "Strength of the adapter: its output is scaled by alpha / rank",
                                   .minimum = 0.001,
                                   .maximum = kMillion}),
        field<&Recipe::loraDropout>({.key = "lora_dropout",
                                     .label = "Dropout",
                                     .help = "Share of the adapter's input dropped while training",
                                     .maximum = 0.95}),
        field<&Recipe::loraTargets>({.key = "lora_targets",
                                     .label = "Target modules",
                                     .help =
                                         "all-linear, names divided by commas (q_proj,v_proj), or an expression for "
                                         "whole names"}),
        field<&Recipe::useRslora>({.key = "use_rslora",
                                   .label = "Rank-stabilised scale",
                                   .help = "Scales the adapter by alpha / root of the rank; for high ranks"}),
        field<&Recipe::useDora>(
            {.key = "use_dora",
             .label = "DoRA",
             .help = "Also trains the length of each weight row; slower, often better at low ranks"}),
        field<&Recipe::loraBias>({.key = "lora_bias",
                                  .label = "Trained biases",
                                  .help = "Biases of the model trained too: none, all, or lora_only (adapted layers)"}),
        field<&Recipe::baseDtype>(
            {.key = "base_dtype",
             .label = "Base weights",
             .help = "Frozen weights under the adapter: as dtype, or rounded to 8 or 4 bits, which is smaller"}),
        field<&Recipe::modulesToSave>({.key = "modules_to_save",
                                       .label = "Modules trained whole",
                                       .help = "Modules trained and stored beside the adapter: lm_head, embed_tokens",
                                       .automatic = "none"}),
    };
}

Rows proofFields() {
    return {
        field<&Recipe::evalEvery>({.key = "eval_every",
                                   .label = "Validate every",
                                   .help = "Steps between validations; the end of an epoch always has one",
                                   .unit = "steps",
                                   .maximum = kBillion,
                                   .automatic = "once per epoch"}),
        field<&Recipe::checkpointEvery>({.key = "checkpoint_every",
                                         .label = "Checkpoint every",
                                         .help = "Steps between checkpoints; the end of an epoch always has one",
                                         .unit = "steps",
                                         .maximum = kBillion,
                                         .automatic = "once per epoch"}),
        field<&Recipe::keepCheckpoints>({.key = "keep_checkpoints",
                                         .label = "Checkpoints kept",
                                         .help = "Newest checkpoints that stay on disk, besides the best",
                                         .minimum = 1,
                                         .maximum = 10000}),
        field<&Recipe::earlyStopping>({.key = "early_stopping",
                                       .label = "Patience",
                                       .help = "Ends the run after this many validations in a row without improvement",
                                       .unit = "validations",
                                       .maximum = 10000,
                                       .automatic = "off"}),
        field<&Recipe::keepBest>(
            {.key = "keep_best",
             .label = "Keep the best",
             .help = "The result is the checkpoint with the lowest validation loss, not the last"}),
        field<&Recipe::samplePrompts>({.key = "sample_prompts",
                                       .label = "Sample prompts",
                                       .help = "Validation prompts answered at every validation",
                                       .unit = "prompts",
                                       .maximum = 1000}),
        field<&Recipe::sampleMaxNewTokens>({.key = "sample_max_new_tokens",
                                            .label = "Sample length",
                                            .help = "Longest sample answer",
                                            .unit = "tokens",
                                            .minimum = 1,
                                            .maximum = 65536}),
    };
}

Rows machineFields() {
    return {
        field<&Recipe::seed>({.key = "seed",
                              .label = "Seed",
                              .help = "Same seed, device and threads give the same bits",
                              .maximum = 9007199254740992.0}),
        field<&Recipe::device>({.key = "device",
                                .label = "Device",
                                .help = "auto takes the best one present; cpu, cuda or cuda:0 force one"}),
        field<&Recipe::threads>({.key = "threads",
                                 .label = "Threads",
                                 .help = "Processor threads",
                                 .maximum = 1024,
                                 .automatic = "every core"}),
        field<&Recipe::dtype>({.key = "dtype",
                               .label = "Number format",
                               .help = "Storage of weights and activations; sums are always in 32 bits"}),
        field<&Recipe::attention>({.key = "attention",
                                   .label = "Attention",
                                   .help = "Attention kernel; auto takes the fastest that can do the job"}),
        field<&Recipe::activationCheckpointing>(
            {.key = "activation_checkpointing",
             .label = "Recompute activations",
             .help = "What backward makes again: norms and activations, or whole blocks (a third slower)",
             .formerNames = {{"false", "none"}, {"true", "full"}}}),
        field<&Recipe::deterministic>({.key = "deterministic",
                                       .label = "Deterministic",
                                       .help = "Only kernels that give the same bits every time"}),
    };
}

Rows buildTable() {
    const std::pair<std::string_view, Rows> groups[] = {{"Model", modelFields()},
                                                        {"Data", dataFields()},
                                                        {"Training", optimizerFields()},
                                                        {"Adapter", loraFields()},
                                                        {"Validation and checkpoints", proofFields()},
                                                        {"Machine", machineFields()}};
    Rows table;
    for (const auto& [group, rows] : groups) {
        for (RecipeField row : rows) {
            row.group = group;
            table.push_back(std::move(row));
        }
    }
    return table;
}

[[noreturn]] void refuse(const RecipeField& field, std::string_view value) {
    throw Error{ErrorCode::InvalidArgument,
                fmt::format("{} is {}: allowed is {}", field.key, value.empty() ? "empty" : value, allowedText(field))};
}

std::string_view trimmed(std::string_view text) {
    const auto begin = text.find_first_not_of(" \t");
    if (begin == std::string_view::npos) return {};
    return text.substr(begin, text.find_last_not_of(" \t") - begin + 1);
}

template <class T>
T parseNumber(const RecipeField& field, std::string_view text) {
    T value{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size()) refuse(field, text);
    return value;
}

RecipeValue parseValue(const RecipeField& field, std::string_view raw) {
    const std::string_view text = trimmed(raw);
    switch (field.type) {
        case FieldType::Int: return parseNumber<int64_t>(field, text);
        case FieldType::Real: return parseNumber<double>(field, text);
        case FieldType::Flag:
            for (const auto yes : {"true", "yes", "on", "1"}) {
                if (text == yes) return true;
            }
            for (const auto no : {"false", "no", "off", "0"}) {
                if (text == no) return false;
            }
            refuse(field, text);
        case FieldType::Choice: return std::string(text);
        case FieldType::Text:
        case FieldType::Path: return std::string(raw);
    }
    refuse(field, text);
}

// The value as the member is: a whole number may stand for a real one, a former name for a choice.
RecipeValue asFieldHolds(const RecipeField& field, const RecipeValue& value) {
    const auto* whole = std::get_if<int64_t>(&value);
    if (field.type == FieldType::Real && whole != nullptr) return static_cast<double>(*whole);
    for (const auto& [former, name] : field.formerNames) {
        if (valueText(value) == former) return std::string(name);
    }
    return value;
}

bool isAllowed(const RecipeField& field, const RecipeValue& value) {
    switch (field.type) {
        case FieldType::Int: {
            const auto* number = std::get_if<int64_t>(&value);
            return number != nullptr && static_cast<double>(*number) >= field.minimum &&
                   static_cast<double>(*number) <= field.maximum;
        }
        case FieldType::Real: {
            const auto* number = std::get_if<double>(&value);
            return number != nullptr && *number >= field.minimum && *number <= field.maximum;
        }
        case FieldType::Flag: return std::holds_alternative<bool>(value);
        case FieldType::Choice: {
            const auto* name = std::get_if<std::string>(&value);
            return name != nullptr && std::ranges::find(field.choices, *name) != field.choices.end();
        }
        case FieldType::Text:
        case FieldType::Path: return std::holds_alternative<std::string>(value);
    }
    return false;
}

}  // namespace

std::string RecipeField::optionName() const {
    std::string name = "--" + std::string(key);
    std::ranges::replace(name, '_', '-');
    return name;
}

std::span<const RecipeField> recipeFields() {
    static const Rows table = buildTable();
    return table;
}

const RecipeField* findRecipeField(std::string_view key) {
    for (const RecipeField& field : recipeFields()) {
        if (field.key == key) return &field;
    }
    return nullptr;
}

std::optional<std::string_view> nearestRecipeKey(std::string_view wrong) {
    std::vector<std::string_view> keys;
    for (const RecipeField& field : recipeFields()) keys.push_back(field.key);
    return nearestWord(wrong, keys);
}

void setField(Recipe& recipe, const RecipeField& field, const RecipeValue& value) {
    const RecipeValue wanted = asFieldHolds(field, value);
    if (!isAllowed(field, wanted)) refuse(field, valueText(value));
    field.assign(recipe, wanted);
}

void setFieldText(Recipe& recipe, const RecipeField& field, std::string_view text) {
    setField(recipe, field, parseValue(field, text));
}

std::optional<std::string> fieldProblem(const RecipeField& field, std::string_view text) {
    try {
        Recipe scratch;
        setFieldText(scratch, field, text);
        return std::nullopt;
    } catch (const Error& error) {
        return error.what();
    }
}

std::string valueText(const RecipeValue& value) {
    if (const auto* text = std::get_if<std::string>(&value)) return *text;
    if (const auto* flag = std::get_if<bool>(&value)) return *flag ? "true" : "false";
    if (const auto* whole = std::get_if<int64_t>(&value)) return fmt::format("{}", *whole);
    return fmt::format("{}", std::get<double>(value));
}

std::string allowedText(const RecipeField& field) {
    switch (field.type) {
        case FieldType::Int: return fmt::format("a whole number from {:.0f} to {:.0f}", field.minimum, field.maximum);
        case FieldType::Real: return fmt::format("a number from {} to {}", field.minimum, field.maximum);
        case FieldType::Flag: return "true or false";
        case FieldType::Choice: {
            std::string words;
            for (size_t i = 0; i < field.choices.size(); ++i) {
                if (i > 0) words += i + 1 == field.choices.size() ? " or " : ", ";
                words += field.choices[i];
            }
            return words;
        }
        case FieldType::Text:
        case FieldType::Path: return "text";
    }
    return {};
}

std::vector<RecipeDifference> diffRecipes(const Recipe& left, const Recipe& right) {
    std::vector<RecipeDifference> differences;
    for (const RecipeField& field : recipeFields()) {
        const RecipeValue a = field.get(left);
        const RecipeValue b = field.get(right);
        if (a != b) differences.push_back({&field, valueText(a), valueText(b)});
    }
    return differences;
}

std::string_view choiceName(TuneMethod value) {
    return nameOf(value);
}
std::string_view choiceName(Objective value) {
    return nameOf(value);
}
std::string_view choiceName(ScheduleKind value) {
    return nameOf(value);
}
std::string_view choiceName(AttentionChoice value) {
    return nameOf(value);
}
std::string_view choiceName(ActivationCheckpointing value) {
    return nameOf(value);
}
std::string_view choiceName(TrainOn value) {
    return nameOf(value);
}
std::string_view choiceName(LoraBias value) {
    return nameOf(value);
}
std::string_view choiceName(RowPolicy value) {
    return nameOf(value);
}
std::string_view choiceName(LongRowPolicy value) {
    return nameOf(value);
}

std::string recipeFieldsMarkdown() {
    std::string page =
        "# Recipe\n\n"
        "Every setting of a run. A recipe file is TOML with these keys; `whet train` and `whet plan` take each of them "
        "as\n"
        "an option as well, and an option wins over the file. `whet recipe` prints a file with all defaults.\n"
        "This page is made from the table in `core/run/recipe_fields.cpp` by `whet recipe --markdown`.\n";
    std::string_view group;
    for (const RecipeField& field : recipeFields()) {
        if (field.group != group) {
            group = field.group;
            page += fmt::format("\n## {}\n\n| Key | Option | Default | Allowed | Meaning |\n|---|---|---|---|---|\n",
                                group);
        }
        const std::string value = valueText(field.defaultValue());
        const bool isEmpty = value.empty() || value == "0";
        std::string shown = value.empty() ? "" : "`" + value + "`";
        if (isEmpty && !field.automatic.empty())
            shown += fmt::format("{}{}", shown.empty() ? "" : ": ", field.automatic);
        const bool isFlag = field.type == FieldType::Flag;
        const std::string off = "--no-" + field.optionName().substr(2);
        page += fmt::format("| `{}` | `{}`{} | {} | {} | {}{} |\n", field.key, field.optionName(),
                            isFlag ? ", `" + off + "`" : "", shown, allowedText(field), field.help,
                            field.unit.empty() ? "" : fmt::format(" ({})", field.unit));
    }
    return page;
}

}  // namespace wb::core
