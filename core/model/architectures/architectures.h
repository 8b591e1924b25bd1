// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core/format/model_config.h"
#include "core/model/block_config.h"

#include <cstdint>
#include <span>
#include <string_view>

namespace wb::core {

// One model family: how its config becomes blocks. Weight names are those of the decoder block.
struct Architecture {
    std::string_view modelType;  // as in config.json
    std::string_view title;      // for people: "Llama"
    BlockConfig (*blockConfig)(const ModelConfig& config, int64_t layer);
};

// Every family the engine knows; the order is that of the support table.
std::span<const Architecture> architectures();

// Throws Unsupported naming the model type and the known ones.
const Architecture& architectureOf(const ModelConfig& config);

// core/model/architectures/llama.cpp
BlockConfig llamaBlockConfig(const ModelConfig& config, int64_t layer);

}  // namespace wb::core
