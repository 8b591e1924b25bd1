// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core/model/attention_layer.h"
#include "core/model/feed_forward.h"

#include <functional>
#include <optional>

namespace wb::core {

// The residual stream between blocks: the sum so far and the last sub-layer's output, which the next norm adds in the
// same sweep that normalises.
struct ResidualStream {
    Var sum;      // [T, C]
    Var pending;  // [T, C], absent if the sum is complete
};

// One block of an encoder or decoder: self-attention, optional cross-attention, feed-forward, each with its norms, one
// after the other or (isParallel) side by side.
class TransformerBlock {
public:
    // Allocates uninitialised weights. `layer` is the place in the cache.
    TransformerBlock(const kernels::Context& context, const BlockConfig& config, const ElementTypes& types,
                     int64_t layer);

    // `cross` only for blocks that have cross-attention.
    ResidualStream forward(const Context& context, const ResidualStream& stream, const SelfAttentionInput& input,
                           const CrossAttentionInput* cross);

    AttentionLayer* crossAttention() { return m_crossAttention ? &*m_crossAttention : nullptr; }

    // Every weight, in the order of the forward pass.
    void visitParameters(const std::function<void(Parameter&)>& visit);
    void visitLinears(const std::function<void(LinearLayer&)>& visit);

private:
    struct Norms {
        NormLayer input;
        NormLayer output;
        NormLayer sum;

        Norms(const kernels::Context& context, const SubLayerNorms& config, DType dtype);
        void visitParameters(const std::function<void(Parameter&)>& visit);
    };
    // What a sub-layer reads, and the complete sum it adds to.
    NormedSum enter(const Context& context, const ResidualStream& stream, Norms& norms);
    ResidualStream leave(const Context& context, const Var& sum, const Var& out, Norms& norms);
    ResidualStream forwardParallel(const Context& context, const ResidualStream& stream,
                                   const SelfAttentionInput& input);

    BlockConfig m_config;
    Norms m_attentionNorms;
    AttentionLayer m_attention;
    Norms m_crossNorms;
    std::optional<AttentionLayer> m_crossAttention;
    Norms m_feedForwardNorms;
    FeedForward m_feedForward;
};

}  // namespace wb::core
