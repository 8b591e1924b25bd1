// SPDX-License-Identifier: Apache-2.0
#include "app/engine/model_host.h"

#include <fmt/format.h>

#include "adapters/peft.h"
#include "core/model/weights.h"
#include "core/run/events.h"
#include "kernels/base/error.h"

namespace wb::app {

namespace fs = std::filesystem;

namespace {

// An adapter means nothing on weights it was not trained on, even where its shapes fit.
void requireSameBase(const core::RunFolder& run, const LoadedModel& loaded) {
    for (const core::Event& event : core::readEvents(run.eventsPath())) {
        const auto* started = std::get_if<core::RunStarted>(&event.body);
        if (started == nullptr) continue;
        if (started->modelHash == loaded.hash) return;
        throw Error{ErrorCode::InvalidArgument,
                    fmt::format("run {} tuned another model (weights {:.12}) than {} (weights {:.12}); choose the one "
                                "it was trained on",
                                run.id(), started->modelHash, loaded.path.string(), loaded.hash)};
    }
}

std::vector<core::TokenId> eosIdsOf(const LoadedModel& loaded) {
    if (!loaded.source.generationConfig().eosTokenIds.empty()) return loaded.source.generationConfig().eosTokenIds;
    if (!loaded.source.config().eosTokenIds.empty()) return loaded.source.config().eosTokenIds;
    if (loaded.tokenizer->specialIds().eos) return {*loaded.tokenizer->specialIds().eos};
    return {};
}

// A GPU multiplies BF16 many times as fast as F32, and the values are those of the file. Elsewhere F32 is as fast and
// rounds less.
core::ElementTypes typesSuiting(const kernels::Context& context, const core::ModelSource& source) {
    const bool isOnGpu = context.device.type == DeviceType::Cuda;
    return isOnGpu && source.mainDtype() == DType::BF16 ? DType::BF16 : DType::F32;
}

}  // namespace

std::string Variant::adapterHash() const {
    return adapter < 0 ? std::string() : loaded->adapters[static_cast<size_t>(adapter)].hash;
}

LoadedModel& ModelHost::load(const fs::path& modelPath) {
    const fs::path key = fs::weakly_canonical(modelPath);
    const auto found = m_models.find(key);
    if (found != m_models.end()) return *found->second;
    core::ModelSource source = core::ModelSource::open(key);
    auto tokenizer = core::loadTokenizer(key);
    const core::ElementTypes types = m_types ? *m_types : typesSuiting(m_context, source);
    auto model = std::make_unique<core::LanguageModel>(m_context, source.config(), types);
    core::loadWeights(m_context, *model, source);
    std::string hash = source.weightHash();
    auto loaded = std::make_unique<LoadedModel>(
        LoadedModel{key, std::move(source), std::move(tokenizer), std::move(model), std::move(hash), {}});
    return *m_models.emplace(key, std::move(loaded)).first->second;
}

Variant ModelHost::tuned(const fs::path& basePath, const TunedSource& source) {
    if (source.kind == TunedSource::Kind::Model) return base(source.folder);
    LoadedModel& loaded = load(basePath);
    if (source.run) requireSameBase(*source.run, loaded);
    const fs::path folder = fs::weakly_canonical(source.folder);
    for (size_t i = 0; i < loaded.adapters.size(); ++i) {
        if (loaded.adapters[i].folder == folder) return {&loaded, static_cast<int32_t>(i)};
    }
    auto adapter = adapters::loadPeftAdapter(m_context, *loaded.model, folder);
    const auto index = static_cast<int32_t>(loaded.adapters.size());
    adapter->attach(index);
    loaded.adapters.push_back({folder, std::move(adapter), adapters::hashPeftFolder(folder)});
    return {&loaded, index};
}

void addModelRules(inference::GenerationOptions& options, const LoadedModel& loaded) {
    const core::GenerationConfig& generation = loaded.source.generationConfig();
    options.eosIds = eosIdsOf(loaded);
    const std::optional<core::TokenId> chosen = options.rules.first;
    options.rules = inference::tokenRulesOf(generation, loaded.source.config());
    if (chosen) options.rules.first = chosen;
    options.stopsEarly = generation.earlyStopping.value_or(false);
}

}  // namespace wb::app
