// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "adapters/lora_config.h"
#include "core/model/language_model.h"
#include "core/model/weights.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace wb::adapters {

// A weight of the model that an adapter brings in a version of its own: a trained bias, a module saved whole, a
// vocabulary table with its update.
struct OwnWeight {
    core::Parameter* base = nullptr;
    std::unique_ptr<core::Parameter> own;  // its name is the one in adapter files; empty: files hold what it is made of
    bool isHead = false;                   // stands for the head, which may be tied to `base`
    core::Tensor stored;                   // what files hold of it: no padding
};

// True if the ops that read this weight of the model know that adapters may bring their own.
bool isReplaceable(core::LanguageModel& model, const core::Parameter& parameter);

// One adapter of one model: a low-rank delta for each target projection, and weights of its own. Attached under an
// index, by which the rows of a batch choose it. Must not outlive the model while attached. Engine thread only.
class LowRankAdapter {
public:
    // Allocates the deltas for every target projection, uninitialised, in the model's element type.
    // Throws InvalidArgument if a target names no projection, listing those there are.
    LowRankAdapter(const kernels::Context& context, core::LanguageModel& model, LoraConfig config);
    // The same for the projections `layers` names in full; ranks and scales are those the configuration means.
    LowRankAdapter(const kernels::Context& context, core::LanguageModel& model, LoraConfig config,
                   const std::vector<std::string>& layers);
    ~LowRankAdapter();
    LowRankAdapter(const LowRankAdapter&) = delete;
    LowRankAdapter& operator=(const LowRankAdapter&) = delete;

    const LoraConfig& config() const { return m_config; }
    core::LanguageModel& model() const { return m_model; }

    // A uniform in +-1/sqrt(in), B zero, magnitudes the norms of the weights, weights of its own as the model has them:
    // the model behaves as before. Same seed, same bits on every machine.
    void initialise(const kernels::Context& context, uint64_t seed);
    // Due after every change of its numbers: norms follow the weights.
    void refresh(const kernels::Context& context);

    // A version of its own, filled with the model's values, of a weight of the model. Before attach only.
    OwnWeight& addOwnWeight(const kernels::Context& context, core::Parameter& base, std::string name);
    OwnWeight& addOwnHead(const kernels::Context& context, std::string name);
    // Numbers that files hold and another weight was made from.
    core::Parameter& addSourceWeight(const kernels::Context& context, std::string name, const Shape& shape);

    void attach(int32_t index);
    void detach();

    // The numbers of each layer in forward order, then the weights of its own and those such weights are made from;
    // named as in files: "<layer>.lora_A.weight", "<layer>.lora_magnitude_vector", "<layer>.base_layer.bias" ...
    void visitParameters(const std::function<void(core::Parameter&)>& visit);
    void visitDeltas(const std::function<void(core::LinearLayer&, core::LowRankDelta&)>& visit);
    std::span<OwnWeight> ownWeights() { return m_ownWeights; }
    // What files hold, in the order of visitParameters.
    std::vector<core::NamedTensor> storedTensors();
    int64_t parameterCount();

private:
    struct Slot {
        core::LinearLayer* layer = nullptr;
        std::unique_ptr<core::LowRankDelta> delta;
    };

    std::vector<core::Parameter*>& placesOf(const OwnWeight& weight) const;
    void addSlot(const kernels::Context& context, core::LinearLayer& layer, const ModuleMatcher& matcher);
    void addTrainedBiases(const kernels::Context& context);
    void addSavedModules(const kernels::Context& context, const ModuleMatcher& matcher);

    core::LanguageModel& m_model;
    LoraConfig m_config;
    std::vector<Slot> m_slots;
    std::vector<OwnWeight> m_ownWeights;
    std::vector<std::unique_ptr<core::Parameter>> m_sourceWeights;
    int32_t m_index = -1;
};

}  // namespace wb::adapters
