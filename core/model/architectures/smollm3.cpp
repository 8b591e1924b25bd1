// SPDX-License-Identifier: Apache-2.0
// SmolLM3: Llama in which every fourth layer, or those the file lists with 0, has no rotary positions.
#include "core/model/architectures/family.h"

#include <fmt/format.h>

namespace wb::core {
namespace {

bool hasRotary(const FamilyConfig& family, int64_t layer) {
    const nlohmann::json* listed = family.json.find("no_rope_layers");
    if (listed == nullptr) return (layer + 1) % family.json.integer("no_rope_layer_interval").value_or(4) != 0;
    if (!listed->is_array() || static_cast<int64_t>(listed->size()) != family.sizes.numLayers) {
        family.json.fail("no_rope_layers", fmt::format("must list {} layers", family.sizes.numLayers));
    }
    return (*listed)[static_cast<size_t>(layer)] != 0;
}

BlockConfig smolLm3Block(const FamilyConfig& family, int64_t layer) {
    BlockConfig block = llamaBlock(family, layer);
    if (!hasRotary(family, layer)) block.attention.rotary = -1;
    return block;
}

}  // namespace

NetworkConfig describeSmolLm3(const FamilyConfig& family) {
    return llamaNetwork(family, smolLm3Block);
}

}  // namespace wb::core
