// SPDX-License-Identifier: Apache-2.0
// The model families the engine knows: one file each, turning a config into a network description.
#pragma once

#include "core/format/model_config.h"
#include "core/model/network_config.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace wb::core {

// What a person is told about a family.
struct ArchitectureInfo {
    std::string_view modelType;  // as in config.json
    std::string_view title;      // "Llama, SmolLM, TinyLlama"
    bool isEncoderDecoder = false;
};

// Every family the engine knows, in the order of the support table.
std::vector<ArchitectureInfo> architectures();

// The parts of a model. Throws Unsupported naming the model type, or the setting of its config that the engine lacks;
// CorruptFile naming a key that contradicts another.
NetworkConfig networkConfigOf(const ModelConfig& config);

// Most tokens a sequence may have; nothing where positions are relative (T5), which have no end.
std::optional<int64_t> positionLimitOf(const ModelConfig& config);

// Name, shape (outermost first) of one weight as a Hugging Face folder holds it.
struct ExpectedTensor {
    std::string name;
    std::vector<int64_t> shape;
    bool isTransposed = false;  // memory holds the other order
    bool isOptional = false;    // zeros if the files lack it

    bool operator==(const ExpectedTensor&) const = default;
};

// Every weight a network has, in forward order; tied tables once.
std::vector<ExpectedTensor> expectedTensors(const NetworkConfig& network);

}  // namespace wb::core
