// SPDX-License-Identifier: Apache-2.0
#include "core/format/gguf_settings.h"

#include "kernels/base/error.h"

#include <fmt/format.h>

namespace wb::core {
namespace {

[[noreturn]] void refuse(std::string_view what) {
    throw Error{ErrorCode::Unsupported,
                fmt::format("{} has no form in GGUF that llama.cpp computes alike; export as safetensors", what)};
}

// Frequency factors (and with them Llama 3's scaling) are written as a tensor.
void writeRope(const ModelConfig& config, const std::string& prefix, GgufMetadata& metadata) {
    metadata.push_back({prefix + "rope.dimension_count", static_cast<uint32_t>(config.headDim)});
    metadata.push_back({prefix + "rope.freq_base", static_cast<float>(config.ropeTheta)});
    switch (config.ropeScaling.kind) {
        case RopeScalingKind::None:
        case RopeScalingKind::Llama3:
        case RopeScalingKind::FrequencyFactors: return;
        case RopeScalingKind::Linear:
            metadata.push_back({prefix + "rope.scaling.type", std::string("linear")});
            metadata.push_back({prefix + "rope.scaling.factor", static_cast<float>(config.ropeScaling.factor)});
            return;
    }
}

void requireActivation(const ModelConfig& config, std::initializer_list<std::string_view> names) {
    for (const std::string_view name : names) {
        if (config.hiddenAct == name) return;
    }
    refuse(fmt::format("activation '{}' of model type '{}'", config.hiddenAct, config.modelType));
}

}  // namespace

// A Mistral file states its window, which llama.cpp ignores; the exporter limits the context to it.
void writeLlamaSettings(const ModelConfig& config, const nlohmann::json& /*json*/, const std::string& prefix,
                        GgufMetadata& metadata) {
    requireActivation(config, {"silu"});
    writeRope(config, prefix, metadata);
    if (config.slidingWindow > 0) {
        metadata.push_back({prefix + "attention.sliding_window", static_cast<uint32_t>(config.slidingWindow)});
    }
}

void writeQwenSettings(const ModelConfig& config, const nlohmann::json& /*json*/, const std::string& prefix,
                       GgufMetadata& metadata) {
    requireActivation(config, {"silu"});
    if (config.slidingWindow > 0)
        refuse(fmt::format("a sliding window of {} of model type 'qwen2'", config.slidingWindow));
    if (config.ropeScaling.kind == RopeScalingKind::Llama3 ||
        config.ropeScaling.kind == RopeScalingKind::FrequencyFactors) {
        refuse("rotary frequency factors of model type 'qwen2'");
    }
    writeRope(config, prefix, metadata);
}

}  // namespace wb::core
