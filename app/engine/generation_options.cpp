// SPDX-License-Identifier: Apache-2.0
#include "app/engine/generation_options.h"

#include <fmt/format.h>

#include <cmath>

#include "app/engine/command_context.h"
#include "kernels/attention.h"
#include "kernels/base/error.h"

namespace wb::app {

void addDtypeOption(CLI::App& command, std::string& dtype) {
    command
        .add_option(
            "--dtype", dtype,
            "Weights in memory: f32, bf16, q8_0, q4_0 or nf4; blocks of a .gguf file in the same format are taken as "
            "they are, all others rounded. auto: bf16 on a GPU for a file of bf16, else f32")
        ->capture_default_str();
}

WeightTypes weightTypesOf(const std::string& dtype) {
    if (dtype == kAutoDtype) return std::nullopt;
    if (const auto types = core::elementTypesNamed(dtype)) return types;
    throw UsageError(
        fmt::format("--dtype is '{}', expected one of {}, {}", dtype, kAutoDtype, core::kElementTypeNames));
}

void GenerationArguments::addTo(CLI::App& command) {
    command.add_option("--model", model, "Model folder, .gguf file or bundled model")->required()->type_name("MODEL");
    command.add_option("--adapter", adapter, "Adapter folder, run or checkpoint to put on top")->type_name("ADAPTER");
    command
        .add_option(
            "--template", templateName,
            "Built-in template, template file, auto for the model's own, or none for the text as it is; not given: "
            "what the run of --adapter was trained with, else none")
        ->type_name("NAME");
    command.add_option("--max-new-tokens", generation.maxNewTokens, "Most tokens to generate")
        ->check(CLI::Range(int64_t{1}, int64_t{1} << 20))
        ->capture_default_str();
    m_given.numBeams = command.add_option("--num-beams", generation.numBeams, "Beam search of this width; 1: no beams")
                           ->check(CLI::Range(int64_t{1}, inference::GenerationOptions::kMaxRows))
                           ->capture_default_str();
    command.add_option("--num-return", generation.numReturn, "Outputs to return for one prompt")
        ->check(CLI::Range(int64_t{1}, inference::GenerationOptions::kMaxRows))
        ->capture_default_str();
    m_given.lengthPenalty = command
                                .add_option("--length-penalty", generation.lengthPenalty,
                                            "Beams: score is the sum of log-probs over length to this power")
                                ->capture_default_str();
    inference::SamplerOptions& sampler = generation.sampler;
    command
        .add_option("--temperature", sampler.temperature, "0 always takes the most likely token; higher is more varied")
        ->check(CLI::Range(0.0, 100.0))
        ->capture_default_str();
    command.add_option("--top-k", sampler.topK, "Sample from the K most likely tokens; 0: all")
        ->capture_default_str()
        ->check(CLI::NonNegativeNumber);
    command.add_option("--top-p", sampler.topP, "Sample from the smallest set with this probability")
        ->check(CLI::Range(0.0, 1.0));
    command.add_option("--min-p", sampler.minP, "Leave out tokens below this part of the best")
        ->check(CLI::Range(0.0, 1.0));
    m_given.repetitionPenalty = command
                                    .add_option("--repetition-penalty", sampler.repetitionPenalty,
                                                "Above 1: tokens seen before become less likely")
                                    ->check(CLI::Range(0.1, 10.0));
    command.add_option("--seed", sampler.seed, "Seed of the sampler: the same gives the same outputs")
        ->check(CLI::NonNegativeNumber)
        ->capture_default_str();
    command.add_option("--stop", generation.stop, "Text that ends an output; may be given more than once")
        ->type_name("TEXT");
    command
        .add_option("--first-token", firstToken,
                    "Encoder-decoders: what every answer begins with, such as a language code")
        ->type_name("TOKEN");
    command.add_option("--attention", attention, "Kernel: auto, math, memory_efficient or flash")
        ->capture_default_str();
    addDtypeOption(command, dtype);
}

WeightTypes GenerationArguments::weightTypes() const {
    return weightTypesOf(dtype);
}

void GenerationArguments::check() const {
    weightTypes();
    const inference::SamplerOptions& sampler = generation.sampler;
    for (const double value :
         {sampler.temperature, sampler.topP, sampler.minP, sampler.repetitionPenalty, generation.lengthPenalty}) {
        // No range excludes a NaN.
        if (!std::isfinite(value)) throw UsageError(fmt::format("{} is no value for an option of generation", value));
    }
    try {
        kernels::parseAttentionBackend(attention);
    } catch (const Error& error) {
        throw UsageError(error.what());
    }
    if (generation.numBeams > 1 && generation.sampler.temperature > 0) {
        throw UsageError("--num-beams searches for the most likely output; leave out --temperature");
    }
    if (generation.numBeams > 1 && generation.numReturn > generation.numBeams) {
        throw UsageError(
            fmt::format("--num-return {} exceeds --num-beams {}", generation.numReturn, generation.numBeams));
    }
    if (generation.numBeams == 1 && generation.numReturn > 1 && generation.sampler.temperature <= 0) {
        throw UsageError("several greedy outputs would be equal; give --num-beams or --temperature with --num-return");
    }
}

inference::GenerationOptions GenerationArguments::optionsFor(const LoadedModel& loaded) const {
    inference::GenerationOptions options = generation;
    const bool hasEncoder = loaded.source.config().isEncoderDecoder;
    if (!firstToken.empty()) {
        options.rules.first = loaded.tokenizer->findToken(firstToken);
        if (!hasEncoder) throw UsageError("--first-token is for encoder-decoders; a prompt begins other answers");
        if (!options.rules.first) throw UsageError(fmt::format("the model has no token '{}'", firstToken));
    }
    if (!hasEncoder) return options;
    const core::GenerationConfig& own = loaded.source.generationConfig();
    const auto isOpen = [](const CLI::Option* option) { return option->count() == 0; };
    // Drawing and searching exclude each other.
    if (isOpen(m_given.numBeams) && options.sampler.temperature <= 0) options.numBeams = own.numBeams.value_or(1);
    if (isOpen(m_given.lengthPenalty)) options.lengthPenalty = own.lengthPenalty.value_or(1);
    if (isOpen(m_given.repetitionPenalty)) options.sampler.repetitionPenalty = own.repetitionPenalty.value_or(1);
    return options;
}

}  // namespace wb::app
