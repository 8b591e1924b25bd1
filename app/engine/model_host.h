// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "adapters/low_rank_adapter.h"
#include "app/engine/model_paths.h"
#include "core/format/model_folder.h"
#include "core/model/language_model.h"
#include "core/text/tokenizer.h"
#include "inference/generation.h"

namespace wb::app {

// A model in memory with everything that generating from it needs, and the adapters attached to it.
struct LoadedModel {
    std::filesystem::path path;
    core::ModelSource source;
    std::unique_ptr<core::Tokenizer> tokenizer;
    std::unique_ptr<core::LanguageModel> model;
    std::string hash;  // of the weights on disk

    struct Adapter {
        std::filesystem::path folder;
        std::unique_ptr<adapters::LowRankAdapter> adapter;
        std::string hash;
    };
    std::vector<Adapter> adapters;  // by adapter index; after `model`, which they detach from
};

// One model with at most one adapter: what a pane runs.
struct Variant {
    LoadedModel* loaded = nullptr;
    int32_t adapter = inference::GenerationRequest::kBase;

    const std::string& modelHash() const { return loaded->hash; }
    std::string adapterHash() const;
};

// How the weights of a model are held; nothing: as suits its file and the device.
using WeightTypes = std::optional<core::ElementTypes>;

// Loads models and adapters once and keeps them. Engine thread only; the context must outlive it.
class ModelHost {
public:
    // `types`: how its models are held.
    explicit ModelHost(const kernels::Context& context, const WeightTypes& types = core::ElementTypes{})
        : m_context(context), m_types(types) {}

    const kernels::Context& context() const { return m_context; }

    // Throws what the readers throw.
    LoadedModel& load(const std::filesystem::path& modelPath);
    Variant base(const std::filesystem::path& modelPath) { return {&load(modelPath)}; }
    // The tuned variant of a base. Throws InvalidArgument if the adapter belongs to another model.
    Variant tuned(const std::filesystem::path& basePath, const TunedSource& source);

private:
    const kernels::Context& m_context;
    WeightTypes m_types;
    std::map<std::filesystem::path, std::unique_ptr<LoadedModel>> m_models;
};

// What the model's own files say about its answers, whatever chooses their tokens: end-of-sequence ids (generation
// config, else config, else tokenizer), rules, early stopping of beams. A first token that was chosen already stays.
// Throws as inference::tokenRulesOf.
void addModelRules(inference::GenerationOptions& options, const LoadedModel& loaded);

}  // namespace wb::app
