// SPDX-License-Identifier: Apache-2.0
// Llama and its close relatives. Mistral adds a sliding window, Qwen2 biases on q, k and v: both are values of the
// config, so one function serves all three.
#include "core/model/architectures/architectures.h"
#include "kernels/base/error.h"

#include <fmt/format.h>

namespace wb::core {

BlockConfig llamaBlockConfig(const ModelConfig& config, int64_t layer) {
    if (config.hiddenAct != "silu") {
        throw Error{ErrorCode::Unsupported,
                    fmt::format("hidden_act '{}' is not supported for {}", config.hiddenAct, config.modelType)};
    }
    BlockConfig block;
    block.hidden = config.hiddenSize;
    block.ffn = config.intermediateSize;
    block.numHeads = config.numHeads;
    block.numKvHeads = config.numKvHeads;
    block.headDim = config.headDim;
    block.normEps = static_cast<float>(config.rmsNormEps);
    block.hasQkvBias = config.attentionBias;
    block.hasOutputBias = config.outputBias;
    block.hasMlpBias = config.mlpBias;
    block.window = config.windowOfLayer(layer);
    return block;
}

}  // namespace wb::core
