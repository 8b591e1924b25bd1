// SPDX-License-Identifier: Apache-2.0
// Private to the GGUF files of core: how llama.cpp lays out the models of each architecture, as data. The same rows
// read a file and write one.
#pragma once

#include "core/format/gguf.h"
#include "core/format/gguf_metadata.h"
#include "core/format/model_config.h"

#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <string_view>

namespace wb::core {

// How a tensor in a GGUF file differs from the one of a Hugging Face folder.
enum class GgufLayout {
    Same,
    RotaryPairs,   // rows of each head lie as pairs (0, 1), (2, 3) ...; Hugging Face has first halves, second halves
    PlusOne,       // the file holds weight + 1
    Transposed,    // [out, in] where Hugging Face holds [in, out]
    GroupedHeads,  // rows: all queries, all keys, all values; Hugging Face: for each key head its queries, key, value
};

// "blk.#.attn_q" and "model.layers.#.self_attn.q_proj", without ".weight" or ".bias"; # stands for the layer. The
// layout is that of the weight; biases share what concerns rows.
struct GgufTensorName {
    std::string_view gguf;
    std::string_view huggingFace;
    GgufLayout layout = GgufLayout::Same;
};

// A whole number under "<architecture>.<gguf>" in the file and under `json` in config.json.
struct GgufSize {
    std::string_view gguf;
    std::string_view json;
    int64_t ModelConfig::*field = nullptr;
    bool isOptional = false;
};

struct GgufArchitecture {
    std::string_view name;       // general.architecture
    std::string_view modelType;  // of the config.json
    std::string_view className;
    std::span<const GgufSize> sizes;
    std::string_view epsilonKey;  // "attention.layer_norm_rms_epsilon"
    std::string_view epsilonJson;
    std::span<const GgufTensorName> tensors;
    // Adds the keys of config.json that only this architecture has.
    void (*readSettings)(const GgufFile& file, const std::string& prefix, nlohmann::ordered_json& json) = nullptr;
    // Adds the metadata that only this architecture has; throws Unsupported naming a setting that llama.cpp computes
    // otherwise. Null: the engine does not write this architecture.
    void (*writeSettings)(const ModelConfig& config, const nlohmann::json& json, const std::string& prefix,
                          GgufMetadata& metadata) = nullptr;
};

// Throws Unsupported naming the architecture and the known ones.
const GgufArchitecture& ggufArchitectureNamed(std::string_view name, std::string_view sourceName);

// The architecture that holds models of this type. Throws Unsupported naming the types.
const GgufArchitecture& ggufArchitectureFor(std::string_view modelType);

// Where a tensor of a Hugging Face folder is found in a file of this architecture.
struct GgufPlace {
    std::string name;  // "blk.3.attn_q.weight", empty: the architecture has no such tensor
    GgufLayout layout = GgufLayout::Same;
};
GgufPlace ggufPlaceOf(const GgufArchitecture& architecture, std::string_view huggingFaceName);

}  // namespace wb::core
