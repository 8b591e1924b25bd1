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

void requireTargetsExist(core::LanguageModel& model, const LoraConfig& config) {
    std::set<std::string> names;
    std::set<std::string> fullNames;
    model.visitLinears([&](core::LinearLayer& layer) {
        names.insert(lastPart(layer.name));
        fullNames.insert(layer.name);
    });
    for (const std::string& target : config.targets) {
        if (target == LoraConfig::kAllLinear || names.contains(target) || fullNames.contains(target)) continue;
        throw Error{ErrorCode::InvalidArgument,
                    fmt::format("adapter target '{}' names no projection of the model; there are {}", target,
                                fmt::join(names, ", "))};
    }
}

}  // namespace

double LoraConfig::scale() const {
    return usesRankStabilisedScale ? alpha / std::sqrt(static_cast<double>(rank)) : alpha / static_cast<double>(rank);
}

bool LoraConfig::isTarget(const std::string& layerName) const {
    return std::ranges::any_of(targets, [&](const std::string& target) {
        return target == kAllLinear || target == layerName || target == lastPart(layerName);
    });
}

std::vector<std::string> parseTargets(const std::string& text) {
    std::vector<std::string> targets;
    std::string word;
    for (const char c : text + ",") {
        if (c != ',' && c != ' ') {
            word += c;
        } else if (!word.empty()) {
            targets.push_back(std::exchange(word, {}));
        }
    }
    return targets;
}

LowRankAdapter::LowRankAdapter(const kernels::Context& context, core::LanguageModel& model, LoraConfig config)
    : m_config(std::move(config)) {
    requireTargetsExist(model, m_config);
    model.visitLinears([&](core::LinearLayer& layer) {
        if (!m_config.isTarget(layer.name)) return;
        auto delta = std::make_unique<core::LowRankDelta>();
        const Shape shapeA{m_config.rank, layer.inFeatures()};
        const Shape shapeB{layer.outFeatures(), m_config.rank};
        delta->a = {layer.name + ".lora_A.weight",
                    core::Tensor::empty(context, model.dtype(), shapeA, MemoryOwner::Weights),
                    {}};
        delta->b = {layer.name + ".lora_B.weight",
                    core::Tensor::empty(context, model.dtype(), shapeB, MemoryOwner::Weights),
                    {}};
        delta->scale = static_cast<float>(m_config.scale());
        delta->dropout = static_cast<float>(m_config.dropout);
        m_slots.push_back({&layer, std::move(delta)});
    });
}

LowRankAdapter::~LowRankAdapter() {
    detach();
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
        ++stream;
    }
}

void LowRankAdapter::attach(int32_t index) {
    detach();
    m_index = index;
    for (const Slot& slot : m_slots) {
        auto& deltas = slot.layer->deltas;
        if (deltas.size() <= static_cast<size_t>(index)) deltas.resize(static_cast<size_t>(index) + 1, nullptr);
        WB_CHECK(deltas[static_cast<size_t>(index)] == nullptr, "one adapter per index");
        deltas[static_cast<size_t>(index)] = slot.delta.get();
    }
}

void LowRankAdapter::detach() {
    if (m_index < 0) return;
    for (const Slot& slot : m_slots) slot.layer->deltas[static_cast<size_t>(m_index)] = nullptr;
    m_index = -1;
}

void LowRankAdapter::visitParameters(const std::function<void(core::Parameter&)>& visit) {
    for (const Slot& slot : m_slots) {
        visit(slot.delta->a);
        visit(slot.delta->b);
    }
}

void LowRankAdapter::visitDeltas(const std::function<void(core::LinearLayer&, core::LowRankDelta&)>& visit) {
    for (const Slot& slot : m_slots) visit(*slot.layer, *slot.delta);
}

int64_t LowRankAdapter::parameterCount() const {
    int64_t count = 0;
    for (const Slot& slot : m_slots) count += slot.delta->a.value.count() + slot.delta->b.value.count();
    return count;
}

}  // namespace wb::adapters
