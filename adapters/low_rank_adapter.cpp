// SPDX-License-Identifier: Apache-2.0
#include "adapters/low_rank_adapter.h"

#include "kernels/base/error.h"
#include "kernels/base/philox.h"
#include "kernels/elementwise.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <algorithm>
#include <cmath>
#include <set>

namespace wb::adapters {
namespace {

using kernels::MemoryOwner;

std::string lastPart(const std::string& name) {
    const size_t dot = name.rfind('.');
    return dot == std::string::npos ? name : name.substr(dot + 1);
}

std::string moduleOf(const std::string& parameterName) {
    return parameterName.substr(0, parameterName.rfind('.'));
}

// A target that names nothing is a slip of the user's.
void requireTargetsExist(core::LanguageModel& model, const LoraConfig& config) {
    std::set<std::string> parts;
    std::vector<std::string> names;
    model.visitLinears([&](core::LinearLayer& layer) {
        parts.insert(lastPart(layer.name));
        names.push_back(layer.name);
    });
    const auto fail = [&parts](const std::string& target) {
        throw Error{ErrorCode::InvalidArgument,
                    fmt::format("adapter target '{}' names no projection of the model; there are {}", target,
                                fmt::join(parts, ", "))};
    };
    const auto namesOne = [&names](const LoraConfig& one) {
        const ModuleMatcher matcher(one);
        return std::ranges::any_of(names, [&matcher](const std::string& name) { return matcher.isTarget(name, true); });
    };
    if (!config.targetExpression.empty()) {
        if (!namesOne(config)) fail(config.targetExpression);
        return;
    }
    for (const std::string& target : config.targets) {
        if (!namesOne({.targets = {target}})) fail(target);
    }
}

core::Parameter makeParameter(const kernels::Context& context, std::string name, DType dtype, const Shape& shape) {
    return {std::move(name), core::Tensor::empty(context, dtype, shape, MemoryOwner::Weights), {}};
}

// Throws Unsupported unless the ops that read a weight know that adapters may bring their own.
void requireReplaceable(core::LanguageModel& model, const core::Parameter& parameter) {
    if (isReplaceable(model, parameter)) return;
    throw Error{ErrorCode::Unsupported,
                fmt::format("an adapter with '{}' of its own is not supported (projections, norms, the head and the "
                            "embedding of decoder-only models can be)",
                            parameter.name)};
}

// The magnitude of an adapter that changes nothing yet: the norms of the weight itself.
void initialiseMagnitude(const kernels::Context& context, core::LowRankDelta& delta, const core::Tensor& weight) {
    if (!delta.hasMagnitude()) return;
    core::refreshNorms(context, delta, weight);
    std::vector<float> norms = core::toFloats(context, delta.inverseNorms);
    for (float& norm : norms) norm = norm > 0 ? 1.0F / norm : 0.0F;
    core::assignFloats(context, delta.magnitude.value, norms);
}

}  // namespace

bool isReplaceable(core::LanguageModel& model, const core::Parameter& parameter) {
    if (&parameter == &model.embeddingTable()) return !model.isEncoderDecoder();
    const std::string module = moduleOf(parameter.name);
    if (module == model.headName()) return true;
    bool isLinear = false;
    model.visitLinears([&](const core::LinearLayer& layer) { isLinear = isLinear || layer.name == module; });
    // Norms are the only other vectors; tables of positions and of relative distances are matrices.
    const std::string name = lastPart(module);
    const bool isNorm = name.find("norm") != std::string::npos || name.starts_with("ln_");
    return isLinear || (isNorm && parameter.value.shape().rank() == 1);
}

LowRankAdapter::LowRankAdapter(const kernels::Context& context, core::LanguageModel& model, LoraConfig config)
    : m_model(model), m_config(std::move(config)) {
    requireTargetsExist(model, m_config);
    const ModuleMatcher matcher(m_config);
    model.visitLinears([&](core::LinearLayer& layer) {
        if (matcher.isTarget(layer.name, true)) addSlot(context, layer, matcher);
    });
    addSavedModules(context, matcher);
    addTrainedBiases(context);
}

LowRankAdapter::LowRankAdapter(const kernels::Context& context, core::LanguageModel& model, LoraConfig config,
                               const std::vector<std::string>& layers)
    : m_model(model), m_config(std::move(config)) {
    const std::set<std::string> wanted(layers.begin(), layers.end());
    const ModuleMatcher matcher(m_config);
    model.visitLinears([&](core::LinearLayer& layer) {
        if (wanted.contains(layer.name)) addSlot(context, layer, matcher);
    });
}

LowRankAdapter::~LowRankAdapter() {
    detach();
}

void LowRankAdapter::addSlot(const kernels::Context& context, core::LinearLayer& layer, const ModuleMatcher& matcher) {
    const int64_t rank = matcher.rankOf(layer.name);
    const int64_t out = layer.outFeatures();
    const DType dtype = m_model.dtype();
    auto delta = std::make_unique<core::LowRankDelta>();
    delta->a = makeParameter(context, layer.name + ".lora_A.weight", dtype, Shape{rank, layer.inFeatures()});
    delta->b = makeParameter(context, layer.name + ".lora_B.weight", dtype, Shape{out, rank});
    if (m_config.hasBiasB) delta->biasB = makeParameter(context, layer.name + ".lora_B.bias", dtype, Shape{out});
    if (m_config.usesMagnitude) {
        delta->magnitude = makeParameter(context, layer.name + ".lora_magnitude_vector", dtype, Shape{out});
    }
    delta->scale = static_cast<float>(m_config.scaleOf(rank, matcher.alphaOf(layer.name)));
    delta->dropout = static_cast<float>(m_config.dropout);
    m_slots.push_back({&layer, std::move(delta)});
}

void LowRankAdapter::addTrainedBiases(const kernels::Context& context) {
    if (m_config.biases == BiasTraining::None) return;
    std::set<const core::Parameter*> added;
    for (const OwnWeight& weight : m_ownWeights) added.insert(weight.base);
    for (const Slot& slot : m_slots) {
        if (!slot.layer->bias) continue;
        addOwnWeight(context, *slot.layer->bias, slot.layer->name + ".base_layer.bias");
        added.insert(&*slot.layer->bias);
    }
    if (m_config.biases == BiasTraining::AdaptedLayers) return;
    m_model.visitParameters([&](core::Parameter& parameter) {
        if (!parameter.name.ends_with(".bias") || parameter.isConstant || added.contains(&parameter)) return;
        addOwnWeight(context, parameter, parameter.name);
    });
}

void LowRankAdapter::addSavedModules(const kernels::Context& context, const ModuleMatcher& matcher) {
    if (m_config.savedModules.empty()) return;
    const std::string head = m_model.headName();
    if (m_model.isHeadTied() && matcher.savesWhole(head)) addOwnHead(context, head + ".weight");
    m_model.visitParameters([&](core::Parameter& parameter) {
        const std::string module = moduleOf(parameter.name);
        if (parameter.isConstant || !matcher.savesWhole(module)) return;
        requireReplaceable(m_model, parameter);
        if (module == head && parameter.name.ends_with(".weight")) {
            addOwnHead(context, parameter.name);
        } else {
            addOwnWeight(context, parameter, parameter.name);
        }
    });
    if (!m_ownWeights.empty()) return;
    throw Error{ErrorCode::InvalidArgument, fmt::format("modules_to_save ({}) names no module of the model",
                                                        fmt::join(m_config.savedModules, ", "))};
}

OwnWeight& LowRankAdapter::addOwnWeight(const kernels::Context& context, core::Parameter& base, std::string name) {
    WB_CHECK(m_index < 0, "weights are added before the adapter is attached");
    auto own = std::make_unique<core::Parameter>(
        makeParameter(context, std::move(name), isTiled(base.value.dtype()) ? m_model.dtype() : base.value.dtype(),
                      base.value.shape()));
    own->isTransposedInFile = base.isTransposedInFile;
    own->isLookedUp = base.isLookedUp;
    core::copyWeight(context, base.value, own->value);
    const core::Tensor stored = own->value.rows(0, m_model.storedValue(base).shape()[0]);
    m_ownWeights.push_back({.base = &base, .own = std::move(own), .isHead = false, .stored = stored});
    return m_ownWeights.back();
}

OwnWeight& LowRankAdapter::addOwnHead(const kernels::Context& context, std::string name) {
    OwnWeight& weight = addOwnWeight(context, m_model.headTable(), std::move(name));
    weight.isHead = true;
    return weight;
}

core::Parameter& LowRankAdapter::addSourceWeight(const kernels::Context& context, std::string name,
                                                 const Shape& shape) {
    m_sourceWeights.push_back(
        std::make_unique<core::Parameter>(makeParameter(context, std::move(name), m_model.dtype(), shape)));
    return *m_sourceWeights.back();
}

void LowRankAdapter::initialise(const kernels::Context& context, uint64_t seed) {
    uint64_t stream = 0;
    for (const Slot& slot : m_slots) {
        core::LowRankDelta& delta = *slot.delta;
        const float bound = 1.0F / std::sqrt(static_cast<float>(slot.layer->inFeatures()));
        std::vector<float> values(static_cast<size_t>(delta.a.value.count()));
        for (size_t i = 0; i < values.size(); ++i) {
            values[i] = bound * (2.0F * philoxUnit(philoxWord(seed, i, stream)) - 1.0F);
        }
        core::assignFloats(context, delta.a.value, values);
        kernels::fill(context, {.out = delta.b.value.view()});
        if (delta.biasB.value.isPresent()) kernels::fill(context, {.out = delta.biasB.value.view()});
        initialiseMagnitude(context, delta, slot.layer->weight.value);
        ++stream;
    }
}

void LowRankAdapter::refresh(const kernels::Context& context) {
    for (const Slot& slot : m_slots) core::refreshNorms(context, *slot.delta, slot.layer->weight.value);
}

void LowRankAdapter::attach(int32_t index) {
    detach();
    m_index = index;
    const auto place = [index](auto& list, auto* entry) {
        const auto position = static_cast<size_t>(index);
        if (list.size() <= position) list.resize(position + 1, nullptr);
        WB_CHECK(list[position] == nullptr, "one adapter per index");
        list[position] = entry;
    };
    for (const Slot& slot : m_slots) place(slot.layer->deltas, slot.delta.get());
    for (const OwnWeight& weight : m_ownWeights) place(placesOf(weight), weight.own.get());
}

void LowRankAdapter::detach() {
    if (m_index < 0) return;
    const auto index = static_cast<size_t>(m_index);
    for (const Slot& slot : m_slots) slot.layer->deltas[index] = nullptr;
    for (const OwnWeight& weight : m_ownWeights) placesOf(weight)[index] = nullptr;
    m_index = -1;
}

void LowRankAdapter::visitParameters(const std::function<void(core::Parameter&)>& visit) {
    for (const Slot& slot : m_slots) {
        core::LowRankDelta& delta = *slot.delta;
        for (core::Parameter* parameter : {&delta.a, &delta.b, &delta.biasB, &delta.magnitude}) {
            if (parameter->value.isPresent()) visit(*parameter);
        }
    }
    for (const OwnWeight& weight : m_ownWeights) {
        if (!weight.own->name.empty()) visit(*weight.own);
    }
    for (const auto& parameter : m_sourceWeights) visit(*parameter);
}

std::vector<core::Parameter*>& LowRankAdapter::placesOf(const OwnWeight& weight) const {
    return weight.isHead ? m_model.headReplacements() : weight.base->replacements;
}

std::vector<core::NamedTensor> LowRankAdapter::storedTensors() {
    std::vector<core::NamedTensor> tensors;
    visitParameters([&](core::Parameter& parameter) {
        const auto own = std::ranges::find_if(
            m_ownWeights, [&parameter](const OwnWeight& weight) { return weight.own.get() == &parameter; });
        tensors.push_back(
            {parameter.name, own != m_ownWeights.end() ? own->stored : parameter.value, parameter.isTransposedInFile});
    });
    return tensors;
}

void LowRankAdapter::visitDeltas(const std::function<void(core::LinearLayer&, core::LowRankDelta&)>& visit) {
    for (const Slot& slot : m_slots) visit(*slot.layer, *slot.delta);
}

int64_t LowRankAdapter::parameterCount() {
    int64_t count = 0;
    for (const core::NamedTensor& stored : storedTensors()) count += stored.tensor.count();
    return count;
}

}  // namespace wb::adapters
