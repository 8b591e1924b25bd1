// SPDX-License-Identifier: Apache-2.0
// GPT-Neo: learned positions, scores without a scale, layers that alternate between all keys and a window.
#include "core/model/architectures/family.h"

#include <fmt/format.h>
#include <string>
#include <vector>

namespace wb::core {
namespace {

// attention_layers lists every layer; older files give attention_types as [[["global", "local"], 12]].
std::vector<std::string> attentionKinds(const FamilyConfig& family) {
    const JsonObject& json = family.json;
    std::vector<std::string> kinds;
    const auto add = [&](const nlohmann::json& kind) {
        if (!kind.is_string()) json.fail("attention_types", "must hold names");
        kinds.push_back(kind.get<std::string>());
    };
    if (const nlohmann::json* layers = json.find("attention_layers")) {
        for (const nlohmann::json& kind : *layers) add(kind);
    } else if (const nlohmann::json* types = json.find("attention_types")) {
        for (const nlohmann::json& group : *types) {
            const bool isGroup = group.is_array() && group.size() == 2 && group[0].is_array() &&
                                 group[1].is_number_integer() && group[1].get<int64_t>() <= family.sizes.numLayers;
            if (!isGroup) json.fail("attention_types", "must list groups of names and a count");
            for (int64_t repeat = 0; repeat < group[1].get<int64_t>(); ++repeat) {
                for (const nlohmann::json& kind : group[0]) add(kind);
            }
        }
    }
    if (static_cast<int64_t>(kinds.size()) != family.sizes.numLayers) {
        json.fail("attention_types", fmt::format("gives {} layers of {}", kinds.size(), family.sizes.numLayers));
    }
    return kinds;
}

BlockConfig gptNeoBlock(const FamilyConfig& family, int64_t layer, bool isLocal) {
    const ModelConfig& sizes = family.sizes;
    const std::string prefix = fmt::format("transformer.h.{}.", layer);
    BlockConfig block;
    block.hidden = sizes.hiddenSize;
    block.attention = attentionOf(sizes, layer);
    block.attention.rotary = -1;
    block.attention.scale = 1.0F;
    block.attention.window = isLocal ? family.json.integer("window_size").value_or(256) : 0;
    addProjections(block.attention, sizes.hiddenSize, prefix + "attn.attention.", {.output = "out_proj"}, false, true);
    block.attentionNorms.input = layerNormOf(sizes, prefix + "ln_1", sizes.hiddenSize);
    block.feedForward = plainFeedForward(family, prefix + "mlp.c_fc", prefix + "mlp.c_proj", true);
    block.feedForwardNorms.input = layerNormOf(sizes, prefix + "ln_2", sizes.hiddenSize);
    return block;
}

}  // namespace

NetworkConfig describeGptNeo(const FamilyConfig& family) {
    const ModelConfig& sizes = family.sizes;
    NetworkConfig network;
    network.prefix = "transformer.";
    network.decoder.embedding = "transformer.wte";
    network.decoder.positions = {.name = "transformer.wpe", .rows = sizes.maxPositions};
    for (const std::string& kind : attentionKinds(family)) {
        if (kind != "global" && kind != "local") {
            family.json.fail("attention_types", fmt::format("has an unknown entry '{}'", kind));
        }
        const auto layer = static_cast<int64_t>(network.decoder.blocks.size());
        network.decoder.blocks.push_back(gptNeoBlock(family, layer, kind == "local"));
    }
    network.decoder.finalNorm = layerNormOf(sizes, "transformer.ln_f", sizes.hiddenSize);
    return network;
}

}  // namespace wb::core
