// SPDX-License-Identifier: Apache-2.0
#include "app/engine/model_host.h"

#include "adapters/peft.h"
#include "core/model/weights.h"

namespace wb::app {

namespace fs = std::filesystem;

std::string Variant::adapterHash() const {
    return adapter < 0 ? std::string() : loaded->adapters[static_cast<size_t>(adapter)].hash;
}

LoadedModel& ModelHost::load(const fs::path& modelPath) {
    const fs::path key = fs::weakly_canonical(modelPath);
    const auto found = m_models.find(key);
    if (found != m_models.end()) return *found->second;
    core::ModelSource source = core::ModelSource::open(key);
    auto tokenizer = core::loadTokenizer(key);
    auto model = std::make_unique<core::CausalLm>(m_context, source.config(), m_dtype);
    core::loadWeights(m_context, *model, source);
    std::string hash = source.weightHash();
    auto loaded = std::make_unique<LoadedModel>(
        LoadedModel{key, std::move(source), std::move(tokenizer), std::move(model), std::move(hash), {}});
    return *m_models.emplace(key, std::move(loaded)).first->second;
}

Variant ModelHost::tuned(const fs::path& basePath, const TunedSource& source) {
    if (source.kind == TunedSource::Kind::Model) return base(source.folder);
    LoadedModel& loaded = load(basePath);
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

std::vector<core::TokenId> eosIdsOf(const LoadedModel& loaded) {
    if (!loaded.source.generationConfig().eosTokenIds.empty()) return loaded.source.generationConfig().eosTokenIds;
    if (!loaded.source.config().eosTokenIds.empty()) return loaded.source.config().eosTokenIds;
    if (loaded.tokenizer->specialIds().eos) return {*loaded.tokenizer->specialIds().eos};
    return {};
}

}  // namespace wb::app
