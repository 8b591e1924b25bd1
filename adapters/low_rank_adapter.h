// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core/model/language_model.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace wb::adapters {

// What a LoRA adapter is made of, apart from its numbers.
struct LoraConfig {
    static constexpr const char* kAllLinear = "all-linear";

    int64_t rank = 16;
    double alpha = 32;
    double dropout = 0;
    bool usesRankStabilisedScale = false;  // alpha / sqrt(rank) instead of alpha / rank (Kalajdzievski 2023)
    // The projections it attaches to: last name parts ("q_proj"), full names, or the one word "all-linear".
    std::vector<std::string> targets{kAllLinear};

    double scale() const;
    bool isTarget(const std::string& layerName) const;
};

// Comma- or space-separated names, or "all-linear".
std::vector<std::string> parseTargets(const std::string& text);

// One adapter of one model: a low-rank delta for each target projection. Attached under an index, by which the rows of
// a batch choose it. Must not outlive the model while attached. Engine thread only.
class LowRankAdapter {
public:
    // Allocates the deltas for every target projection, uninitialised, in the model's element type.
    // Throws InvalidArgument if a target names no projection, listing those there are.
    LowRankAdapter(const kernels::Context& context, core::LanguageModel& model, LoraConfig config);
    ~LowRankAdapter();
    LowRankAdapter(const LowRankAdapter&) = delete;
    LowRankAdapter& operator=(const LowRankAdapter&) = delete;

    const LoraConfig& config() const { return m_config; }

    // A uniform in +-1/sqrt(in), B zero: the model behaves as before. Same seed, same bits on every machine.
    void initialise(const kernels::Context& context, uint64_t seed);

    void attach(int32_t index);
    void detach();

    // A and B of each layer, in forward order; names "<layer>.lora_A.weight" and "<layer>.lora_B.weight".
    void visitParameters(const std::function<void(core::Parameter&)>& visit);
    void visitDeltas(const std::function<void(core::LinearLayer&, core::LowRankDelta&)>& visit);
    int64_t parameterCount() const;

private:
    struct Slot {
        core::LinearLayer* layer = nullptr;
        std::unique_ptr<core::LowRankDelta> delta;
    };

    LoraConfig m_config;
    std::vector<Slot> m_slots;
    int32_t m_index = -1;
};

}  // namespace wb::adapters
