// SPDX-License-Identifier: Apache-2.0
// The PEFT folder layout of LoRA adapters: adapter_config.json and adapter_model.safetensors.
#pragma once

#include "adapters/low_rank_adapter.h"

#include <filesystem>
#include <memory>
#include <string>

namespace wb::adapters {

inline constexpr const char* kPeftConfigFile = "adapter_config.json";
inline constexpr const char* kPeftWeightFile = "adapter_model.safetensors";

// What adapter_config.json says. Features the engine lacks are refused by name when it is read.
struct PeftConfig {
    LoraConfig lora;
    std::string baseModel;     // base_model_name_or_path, as written
    std::string sourceJson;    // the file's text; empty for an adapter made here
    std::string taskType{};    // CAUSAL_LM, SEQ_2_SEQ_LM; empty if the file does not say
    bool namesTargets = true;  // false: target_modules is absent, the tensors say what is adapted
};

// True if the folder looks like a PEFT adapter.
bool isPeftFolder(const std::filesystem::path& folder);

// Throws NotFound, CorruptFile, or Unsupported naming the feature (another peft_type, megatron_config,
// trainable_token_indices, initialisations that change the base weights ...).
PeftConfig readPeftConfig(const std::filesystem::path& folder);

// Reads an adapter for a model: the modules it attaches to are those the tensor names say, converted to the model's
// element type. Throws as readPeftConfig, InvalidArgument naming the first tensor that does not fit the model or that
// the configuration does not ask for, and Unsupported naming a module that cannot be adapted.
std::unique_ptr<LowRankAdapter> loadPeftAdapter(const kernels::Context& context, core::LanguageModel& model,
                                                const std::filesystem::path& folder);

// Fills an adapter from a folder that must hold exactly its tensors. Throws CorruptFile or InvalidArgument.
void readPeftWeights(const kernels::Context& context, LowRankAdapter& adapter, const std::filesystem::path& folder);

// Writes both files into an existing folder. Unknown keys of `source.sourceJson` are kept. Throws Io.
void writePeftAdapter(const kernels::Context& context, LowRankAdapter& adapter, const PeftConfig& source,
                      const std::filesystem::path& folder);

// core::WeightHash of the adapter's tensors as the file names them: the same adapter, the same hash.
std::string hashPeftFolder(const std::filesystem::path& folder);
std::string hashAdapter(const kernels::Context& context, LowRankAdapter& adapter);

// The shortest endings of names that select exactly the adapter's layers among all modules of its model.
std::vector<std::string> exactTargets(LowRankAdapter& adapter);

// True if it adapts Conv1D layers (GPT-2), whose weights files hold as [in, out]: fan_in_fan_out.
bool adaptsTransposed(LowRankAdapter& adapter);

// The text of adapter_config.json.
std::string peftConfigText(LowRankAdapter& adapter, const PeftConfig& source);

}  // namespace wb::adapters
