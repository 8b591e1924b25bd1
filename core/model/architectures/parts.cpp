// SPDX-License-Identifier: Apache-2.0
// The parts that most families are put together from.
#include "core/model/architectures/family.h"
#include "kernels/base/error.h"

#include <fmt/format.h>
#include <algorithm>
#include <array>
#include <utility>

namespace wb::core {
namespace {

struct NamedActivation {
    std::string_view name;
    kernels::Activation activation;
};

constexpr std::array kActivations{
    NamedActivation{"silu", kernels::Activation::Silu},
    NamedActivation{"swish", kernels::Activation::Silu},
    NamedActivation{"gelu", kernels::Activation::Gelu},
    NamedActivation{"gelu_python", kernels::Activation::Gelu},
    NamedActivation{"gelu_new", kernels::Activation::GeluTanh},
    NamedActivation{"gelu_fast", kernels::Activation::GeluTanh},
    NamedActivation{"gelu_pytorch_tanh", kernels::Activation::GeluTanh},
    NamedActivation{"relu", kernels::Activation::Relu},
};

// `count` heads from column `first` on, `stride` columns apart.
std::vector<int32_t> headStarts(int64_t first, int64_t count, int64_t stride) {
    std::vector<int32_t> starts;
    for (int64_t head = 0; head < count; ++head) starts.push_back(static_cast<int32_t>(first + head * stride));
    return starts;
}

}  // namespace

kernels::Activation activationOf(std::string_view name, std::string_view sourceName) {
    const auto found = std::ranges::find(kActivations, name, &NamedActivation::name);
    if (found != kActivations.end()) return found->activation;
    throw Error{ErrorCode::Unsupported,
                fmt::format("{}: activation '{}' is not supported; supported are silu, gelu, gelu_new, gelu_fast, "
                            "gelu_pytorch_tanh and relu",
                            sourceName, name)};
}

kernels::Activation activationOf(const FamilyConfig& family) {
    return activationOf(family.sizes.hiddenAct, family.json.sourceName());
}

int64_t countOf(const JsonObject& json, const char* key, int64_t minimum, int64_t maximum,
                std::optional<int64_t> fallback) {
    const int64_t value = fallback && !json.has(key) ? *fallback : json.requiredInteger(key);
    if (value < minimum || value > maximum) {
        json.fail(key, fmt::format("is {}; it must be {} to {}", value, minimum, maximum));
    }
    return value;
}

void requireBoolean(const JsonObject& json, const char* key, bool value, bool defaultValue) {
    if (json.boolean(key).value_or(defaultValue) == value) return;
    throw Error{ErrorCode::Unsupported,
                fmt::format("{}: '{}' is {}, which is not supported for this family", json.sourceName(), key, !value)};
}

ProjectionConfig projection(std::string name, int64_t in, int64_t out, bool hasBias) {
    return {.name = std::move(name), .in = in, .out = out, .hasBias = hasBias};
}

NormConfig rmsNormOf(const ModelConfig& sizes, std::string name, int64_t size, float weightOffset) {
    return {.name = std::move(name),
            .size = size,
            .kind = NormKind::Rms,
            .eps = static_cast<float>(sizes.normEps),
            .weightOffset = weightOffset};
}

NormConfig layerNormOf(const ModelConfig& sizes, std::string name, int64_t size, bool hasBias) {
    return {.name = std::move(name),
            .size = size,
            .kind = NormKind::Layer,
            .eps = static_cast<float>(sizes.normEps),
            .hasBias = hasBias};
}

AttentionConfig attentionOf(const ModelConfig& sizes, int64_t layer) {
    AttentionConfig attention;
    attention.numHeads = sizes.numHeads;
    attention.numKvHeads = sizes.numKvHeads;
    attention.headDim = sizes.headDim;
    attention.window = sizes.windowOfLayer(layer);
    attention.rotary = 0;
    return attention;
}

void addProjections(AttentionConfig& attention, int64_t hidden, const std::string& prefix, const HeadNames& names,
                    bool hasInputBias, bool hasOutputBias) {
    const int64_t queryWidth = attention.numHeads * attention.headDim;
    const int64_t keyWidth = attention.numKvHeads * attention.headDim;
    attention.query = projection(prefix + names.query, hidden, queryWidth, hasInputBias);
    attention.key = projection(prefix + names.key, hidden, keyWidth, hasInputBias);
    attention.value = projection(prefix + names.value, hidden, keyWidth, hasInputBias);
    attention.output = projection(prefix + names.output, queryWidth, hidden, hasOutputBias);
}

void addFused(AttentionConfig& attention, int64_t hidden, std::string name, bool hasBias, FusedHeads heads) {
    const int64_t width = (attention.numHeads + 2 * attention.numKvHeads) * attention.headDim;
    attention.fused = projection(std::move(name), hidden, width, hasBias);
    attention.heads = std::move(heads);
}

FusedHeads concatenatedHeads(const AttentionConfig& attention) {
    const int64_t dim = attention.headDim;
    const int64_t keys = attention.numHeads * dim;
    return {.query = headStarts(0, attention.numHeads, dim),
            .key = headStarts(keys, attention.numKvHeads, dim),
            .value = headStarts(keys + attention.numKvHeads * dim, attention.numKvHeads, dim)};
}

FusedHeads groupedHeads(const AttentionConfig& attention) {
    const int64_t dim = attention.headDim;
    const int64_t queries = attention.numHeads / attention.numKvHeads;
    const int64_t group = (queries + 2) * dim;
    FusedHeads heads;
    for (int64_t i = 0; i < attention.numKvHeads; ++i) {
        const std::vector<int32_t> ofGroup = headStarts(i * group, queries, dim);
        heads.query.insert(heads.query.end(), ofGroup.begin(), ofGroup.end());
    }
    heads.key = headStarts(queries * dim, attention.numKvHeads, group);
    heads.value = headStarts((queries + 1) * dim, attention.numKvHeads, group);
    return heads;
}

FeedForwardConfig gatedFeedForward(const FamilyConfig& family, const std::string& prefix, bool hasBias) {
    const ModelConfig& sizes = family.sizes;
    FeedForwardConfig layer;
    layer.activation = activationOf(family);
    layer.gate = projection(prefix + "gate_proj", sizes.hiddenSize, sizes.intermediateSize, hasBias);
    layer.up = projection(prefix + "up_proj", sizes.hiddenSize, sizes.intermediateSize, hasBias);
    layer.down = projection(prefix + "down_proj", sizes.intermediateSize, sizes.hiddenSize, hasBias);
    return layer;
}

FeedForwardConfig plainFeedForward(const FamilyConfig& family, const std::string& up, const std::string& down,
                                   bool hasBias) {
    const ModelConfig& sizes = family.sizes;
    FeedForwardConfig layer;
    layer.activation = activationOf(family);
    layer.up = projection(up, sizes.hiddenSize, sizes.intermediateSize, hasBias);
    layer.down = projection(down, sizes.intermediateSize, sizes.hiddenSize, hasBias);
    return layer;
}

RotaryConfig rotaryOf(const RopeScaling& scaling, double theta, int64_t rotaryDim) {
    const std::vector<double> exact = ropeInverseFrequencies(scaling, theta, rotaryDim);
    return {.frequencies = {exact.begin(), exact.end()}, .magnitude = static_cast<float>(scaling.magnitude)};
}

RotaryConfig rotaryOf(const ModelConfig& sizes) {
    return rotaryOf(sizes.ropeScaling, sizes.ropeTheta, sizes.rotaryDim > 0 ? sizes.rotaryDim : sizes.headDim);
}

}  // namespace wb::core
