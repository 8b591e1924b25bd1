// SPDX-License-Identifier: Apache-2.0
#include "core/format/rope_config.h"

#include "kernels/base/error.h"

#include <fmt/format.h>
#include <algorithm>
#include <cmath>
#include <numbers>

namespace wb::core {
namespace {

// Magnitude that keeps the entropy of attention when the context grows by `factor` (Peng et al. 2023, section 3.4).
double yarnMagnitude(double factor, double weight) {
    return factor <= 1.0 ? 1.0 : 0.1 * weight * std::log(factor) + 1.0;
}

double readYarnMagnitude(const JsonObject& object, double factor) {
    if (const auto stated = object.number("attention_factor")) return *stated;
    const double weight = object.number("mscale").value_or(0.0);
    const double weightAllDims = object.number("mscale_all_dim").value_or(0.0);
    if (weight == 0.0 || weightAllDims == 0.0) return yarnMagnitude(factor, 1.0);
    return yarnMagnitude(factor, weight) / yarnMagnitude(factor, weightAllDims);
}

void readYarn(const JsonObject& object, const ModelConfig& config, RopeScaling& scaling) {
    scaling.kind = RopeScalingKind::Yarn;
    scaling.originalMaxPositions = object.integer("original_max_position_embeddings").value_or(config.maxPositions);
    scaling.fastRotations = object.number("beta_fast").value_or(scaling.fastRotations);
    scaling.slowRotations = object.number("beta_slow").value_or(scaling.slowRotations);
    scaling.isRampRounded = object.boolean("truncate").value_or(true);
    scaling.magnitude = readYarnMagnitude(object, scaling.factor);
}

void readScaling(const JsonObject& object, ModelConfig& config) {
    // "type" is the name before transformers 4.43; both may stand side by side.
    const std::string kind =
        object.has("rope_type") ? *object.text("rope_type") : object.text("type").value_or("default");
    RopeScaling& scaling = config.ropeScaling;
    if (kind == "default") return;
    if (kind != "linear" && kind != "llama3" && kind != "dynamic" && kind != "yarn") {
        throw Error{
            ErrorCode::Unsupported,
            fmt::format("{} type '{}' is not supported; supported are default, linear, dynamic, yarn and llama3",
                        object.sourceName(), kind)};
    }
    const auto factor = object.number("factor");
    if (!factor) object.fail("factor", "is missing");
    scaling.factor = *factor;
    if (kind == "linear") {
        scaling.kind = RopeScalingKind::Linear;
    } else if (kind == "dynamic") {
        scaling.kind = RopeScalingKind::Dynamic;
    } else if (kind == "yarn") {
        readYarn(object, config, scaling);
    } else {
        scaling.kind = RopeScalingKind::Llama3;
        scaling.lowFrequencyFactor = object.number("low_freq_factor").value_or(scaling.lowFrequencyFactor);
        scaling.highFrequencyFactor = object.number("high_freq_factor").value_or(scaling.highFrequencyFactor);
        scaling.originalMaxPositions = object.requiredInteger("original_max_position_embeddings");
    }
}

void setRotaryPart(const JsonObject& object, double part, ModelConfig& config) {
    if (!(part > 0.0 && part <= 1.0)) object.fail("partial_rotary_factor", fmt::format("is {}, not in (0, 1]", part));
    const auto rotated = static_cast<int64_t>(static_cast<double>(config.headDim) * part);
    config.rotaryDim = rotated == config.headDim ? 0 : rotated;
}

nlohmann::ordered_json scalingJson(const RopeScaling& scaling) {
    switch (scaling.kind) {
        case RopeScalingKind::None: return nullptr;
        case RopeScalingKind::Linear: return {{"rope_type", "linear"}, {"factor", scaling.factor}};
        case RopeScalingKind::Dynamic: return {{"rope_type", "dynamic"}, {"factor", scaling.factor}};
        case RopeScalingKind::Llama3:
            return {{"rope_type", "llama3"},
                    {"factor", scaling.factor},
                    {"low_freq_factor", scaling.lowFrequencyFactor},
                    {"high_freq_factor", scaling.highFrequencyFactor},
                    {"original_max_position_embeddings", scaling.originalMaxPositions}};
        case RopeScalingKind::Yarn:
            return {{"rope_type", "yarn"},
                    {"factor", scaling.factor},
                    {"attention_factor", scaling.magnitude},
                    {"beta_fast", scaling.fastRotations},
                    {"beta_slow", scaling.slowRotations},
                    {"truncate", scaling.isRampRounded},
                    {"original_max_position_embeddings", scaling.originalMaxPositions}};
        case RopeScalingKind::FrequencyFactors: break;
    }
    throw Error{ErrorCode::Unsupported, "rotary frequency factors of a GGUF file have no form in a config.json"};
}

// Wavelengths that fit the original context often enough stay, long ones are stretched by the factor, those in between
// are mixed linearly in the number of turns.
double llama3Frequency(const RopeScaling& scaling, double frequency) {
    const double turns = static_cast<double>(scaling.originalMaxPositions) * frequency / (2.0 * std::numbers::pi);
    const double mix = std::clamp(
        (turns - scaling.lowFrequencyFactor) / (scaling.highFrequencyFactor - scaling.lowFrequencyFactor), 0.0, 1.0);
    return (1.0 - mix) * frequency / scaling.factor + mix * frequency;
}

// The same idea with a ramp over pair numbers: the pair that turns so many times within the original context.
struct YarnRamp {
    double begin = 0.0;
    double end = 0.0;
};

YarnRamp yarnRamp(const RopeScaling& scaling, double theta, int64_t rotaryDim) {
    const auto dim = static_cast<double>(rotaryDim);
    const auto pairOf = [&](double rotations) {
        const double length = static_cast<double>(scaling.originalMaxPositions);
        return dim * std::log(length / (rotations * 2.0 * std::numbers::pi)) / (2.0 * std::log(theta));
    };
    YarnRamp ramp{pairOf(scaling.fastRotations), pairOf(scaling.slowRotations)};
    if (scaling.isRampRounded) ramp = {std::floor(ramp.begin), std::ceil(ramp.end)};
    ramp = {std::max(ramp.begin, 0.0), std::min(ramp.end, dim - 1.0)};
    if (ramp.begin == ramp.end) ramp.end += 0.001;  // as the reference avoids the division by zero
    return ramp;
}

}  // namespace

void readRope(const JsonObject& object, double partialRotary, ModelConfig& config) {
    const auto either = [&object](const char* key, const char* olderKey) {
        const auto value = object.number(key);
        return value ? value : object.number(olderKey);
    };
    config.ropeTheta = either("rope_theta", "rotary_emb_base").value_or(config.ropeTheta);
    double part = either("partial_rotary_factor", "rotary_pct").value_or(partialRotary);
    if (const nlohmann::json* parameters = object.find("rope_parameters")) {
        // Models whose windowed layers rotate differently list both; the family reads the windowed part.
        const bool hasKinds = parameters->is_object() && parameters->contains("full_attention");
        const nlohmann::json& main = hasKinds ? (*parameters)["full_attention"] : *parameters;
        const JsonObject inner(main, object.sourceName() + ": rope_parameters");
        config.ropeTheta = inner.number("rope_theta").value_or(config.ropeTheta);
        part = inner.number("partial_rotary_factor").value_or(part);
        readScaling(inner, config);
    } else if (const nlohmann::json* scaling = object.find("rope_scaling")) {
        readScaling(JsonObject(*scaling, object.sourceName() + ": rope_scaling"), config);
    }
    setRotaryPart(object, part, config);
}

void writeRope(nlohmann::ordered_json& object, bool isNew, const ModelConfig& config, const ModelConfig& before) {
    const bool hasNewTheta = isNew || config.ropeTheta != before.ropeTheta;
    const bool hasNewScaling = isNew || config.ropeScaling != before.ropeScaling;
    if (!object.contains("rope_parameters")) {
        if (hasNewTheta) object["rope_theta"] = config.ropeTheta;
        if (hasNewScaling) object["rope_scaling"] = scalingJson(config.ropeScaling);
        return;
    }
    nlohmann::ordered_json& parameters = object["rope_parameters"];
    if (hasNewScaling) {
        parameters = scalingJson(config.ropeScaling);
        if (parameters.is_null()) parameters = {{"rope_type", "default"}};
    }
    if (hasNewTheta || hasNewScaling) parameters["rope_theta"] = config.ropeTheta;
}

std::vector<double> ropeInverseFrequencies(const RopeScaling& scaling, double theta, int64_t rotaryDim) {
    std::vector<double> frequencies(static_cast<size_t>(rotaryDim / 2));
    const YarnRamp ramp = scaling.kind == RopeScalingKind::Yarn ? yarnRamp(scaling, theta, rotaryDim) : YarnRamp{};
    for (size_t i = 0; i < frequencies.size(); ++i) {
        const auto pair = static_cast<double>(i);
        double frequency = std::pow(theta, -2.0 * pair / static_cast<double>(rotaryDim));
        switch (scaling.kind) {
            case RopeScalingKind::None:
            case RopeScalingKind::Dynamic: break;
            case RopeScalingKind::Linear: frequency /= scaling.factor; break;
            case RopeScalingKind::FrequencyFactors:
                frequency /= static_cast<double>(scaling.frequencyFactors[i]);
                break;
            case RopeScalingKind::Llama3: frequency = llama3Frequency(scaling, frequency); break;
            case RopeScalingKind::Yarn: {
                const double stretched = std::clamp((pair - ramp.begin) / (ramp.end - ramp.begin), 0.0, 1.0);
                frequency = stretched * frequency / scaling.factor + (1.0 - stretched) * frequency;
                break;
            }
        }
        frequencies[i] = frequency;
    }
    return frequencies;
}

}  // namespace wb::core
