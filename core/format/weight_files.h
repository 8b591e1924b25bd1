// SPDX-License-Identifier: Apache-2.0
// Private to the model folder reader.
#pragma once

#include "core/format/gguf.h"
#include "core/format/model_config.h"
#include "core/format/safetensors.h"

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace wb::core {

// One tensor of the opened files under its Hugging Face name.
struct StoredTensor {
    std::string name;
    std::string typeText;        // for messages
    std::optional<DType> dtype;  // absent if the engine does not compute with it
    std::vector<int64_t> shape;
    std::span<const std::byte> bytes;
    // Gives the elements in the type, shape and order of a Hugging Face folder; absent where `bytes` are these already.
    std::function<std::vector<std::byte>()> convert;
};

// The opened files of one model and what they hold.
struct WeightFiles {
    std::vector<SafetensorsFile> safetensors;
    std::optional<GgufFile> gguf;
    std::vector<StoredTensor> tensors;
};

// Opens model.safetensors, else the shards of model.safetensors.index.json, else every other *.safetensors of the
// folder. Throws NotFound naming what lies there instead, CorruptFile naming the tensors on which index and shards
// disagree, and whatever a file's own reader throws.
WeightFiles openWeightFolder(const std::filesystem::path& folder);
WeightFiles openWeightFile(const std::filesystem::path& safetensorsFile);

// The first dozen names for a message, "none" without any.
std::string listedNames(const std::vector<std::string>& names);

}  // namespace wb::core
