// SPDX-License-Identifier: Apache-2.0
#include "training/tuning_model.h"

#include "kernels/base/error.h"

#include <fmt/format.h>

namespace wb::training {
namespace {

adapters::BiasTraining biasTrainingOf(core::LoraBias biases) {
    switch (biases) {
        case core::LoraBias::All: return adapters::BiasTraining::All;
        case core::LoraBias::LoraOnly: return adapters::BiasTraining::AdaptedLayers;
        case core::LoraBias::None: break;
    }
    return adapters::BiasTraining::None;
}

core::ElementTypes elementTypesOf(const core::Recipe& recipe) {
    switch (recipe.baseDtype) {
        case core::BaseWeights::Q8_0: return core::ElementTypes::quantized(recipe.dtype, DType::Q8_0);
        case core::BaseWeights::Q4_0: return core::ElementTypes::quantized(recipe.dtype, DType::Q4_0);
        case core::BaseWeights::Nf4: return core::ElementTypes::quantized(recipe.dtype, DType::NF4);
        case core::BaseWeights::AsComputed: break;
    }
    return recipe.dtype;
}

core::ActivationMemory activationMemoryOf(core::ActivationCheckpointing checkpointing) {
    switch (checkpointing) {
        case core::ActivationCheckpointing::Selective: return core::ActivationMemory::RecomputeCheap;
        case core::ActivationCheckpointing::Full: return core::ActivationMemory::RecomputeBlocks;
        case core::ActivationCheckpointing::None: break;
    }
    return core::ActivationMemory::KeepAll;
}

}  // namespace

adapters::LoraConfig loraConfigOf(const core::Recipe& recipe) {
    adapters::LoraConfig config{.rank = recipe.loraRank,
                                .alpha = recipe.loraAlpha,
                                .dropout = recipe.loraDropout,
                                .usesRankStabilisedScale = recipe.useRslora,
                                .usesMagnitude = recipe.useDora,
                                .biases = biasTrainingOf(recipe.loraBias)};
    adapters::setTargets(config, recipe.loraTargets);
    config.savedModules = adapters::namesIn(recipe.modulesToSave);
    return config;
}

TuningModel::TuningModel(const kernels::Context& context, const core::ModelConfig& config,
                         const core::ModelSource* source, const core::Recipe& recipe)
    : m_context(context), m_model(std::make_unique<core::LanguageModel>(context, config, elementTypesOf(recipe))) {
    const auto seed = static_cast<uint64_t>(recipe.seed);
    if (source != nullptr) {
        core::loadWeights(context, *m_model, *source);
    } else {
        core::initialiseWeights(context, *m_model, seed);
    }
    m_model->setActivationMemory(activationMemoryOf(recipe.activationCheckpointing));
    std::vector<core::Parameter*> trained;
    const auto train = [&](core::Parameter& parameter) {
        if (parameter.isConstant) return;
        if (isTiled(parameter.value.dtype())) {
            throw Error{ErrorCode::Unsupported,
                        fmt::format("'{}' is quantised and cannot be trained; take method lora, or base_dtype same",
                                    parameter.name)};
        }
        core::makeTrainable(context, parameter);
        trained.push_back(&parameter);
    };
    if (recipe.method == core::TuneMethod::Lora) {
        m_adapter = std::make_unique<adapters::LowRankAdapter>(context, *m_model, loraConfigOf(recipe));
        m_adapter->initialise(context, seed);
        m_adapter->attach(0);
        m_adapter->visitParameters(train);
    } else {
        m_model->visitParameters(train);
    }
    m_optimizer =
        std::make_unique<AdamW>(context, std::move(trained),
                                AdamWOptions{.beta1 = static_cast<float>(recipe.beta1),
                                             .beta2 = static_cast<float>(recipe.beta2),
                                             .epsilon = static_cast<float>(recipe.epsilon),
                                             .weightDecay = static_cast<float>(recipe.weightDecay),
                                             .clipNorm = static_cast<float>(recipe.clipNorm),
                                             .has8bitMoments = recipe.optimizer == core::OptimizerKind::AdamW8bit});
}

int64_t TuningModel::parameterCount() {
    int64_t count = m_adapter ? m_adapter->parameterCount() : 0;
    for (const core::NamedTensor& weight : core::storedWeights(*m_model)) count += weight.tensor.count();
    return count;
}

int64_t TuningModel::trainableCount() const {
    if (m_adapter) return m_adapter->parameterCount();
    int64_t count = 0;
    for (const core::Parameter* parameter : m_optimizer->parameters())
        count += m_model->storedValue(*parameter).count();
    return count;
}

std::vector<core::NamedTensor> TuningModel::trainedTensors() {
    if (!m_adapter) return core::storedWeights(*m_model);
    return m_adapter->storedTensors();
}

std::vector<core::NamedTensor> TuningModel::optimizerTensors() {
    std::vector<core::NamedTensor> tensors;
    m_optimizer->visitState([&tensors](const std::string& name, core::Tensor& tensor) {
        tensors.push_back({name, tensor});
    });
    return tensors;
}

std::string TuningModel::weightHash() {
    return core::hashTensors(m_context, trainedTensors());
}

std::vector<core::AdapterRows> TuningModel::adapterRows(int64_t rows) const {
    if (!m_adapter) return {};
    return {{.begin = 0, .end = rows, .adapter = 0}};
}

}  // namespace wb::training
