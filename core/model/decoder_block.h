// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core/model/block_config.h"
#include "core/model/kv_cache.h"
#include "core/model/linear_layer.h"

#include <functional>

namespace wb::core {

// Rows of one forward pass: sequences packed one after the other, no padding.
struct PackedInput {
    Tensor ids;             // [T] I32
    Tensor positions;       // [T] I32, position of each row in its own sequence
    SequenceBounds bounds;  // cu_seqlens [B + 1]
};

// The cache side of an inference pass; absent in training.
struct CacheUse {
    KvCache* cache = nullptr;
    const CacheStep* step = nullptr;
};

// The residual stream between blocks: the sum so far and the last sub-layer's output, which the next norm adds in the
// same sweep that normalises.
struct ResidualStream {
    Var sum;      // [T, C]
    Var pending;  // [T, C], absent before the first block
};

// Pre-norm transformer block of the Llama type: x += attention(norm(x)); x += mlp(norm(x)).
class DecoderBlock {
public:
    // Allocates uninitialised weights named "<prefix>.self_attn.q_proj.weight" and so on.
    DecoderBlock(const kernels::Context& context, const BlockConfig& config, DType dtype, const std::string& prefix,
                 int64_t layer);

    ResidualStream forward(const Context& context, const ResidualStream& stream, const PackedInput& input,
                           const Tensor& frequencies, const CacheUse& use);

    // Every weight, in the order of the forward pass.
    void visitParameters(const std::function<void(Parameter&)>& visit);
    void visitLinears(const std::function<void(LinearLayer&)>& visit);

private:
    Var attend(const Context& context, const Var& x, const PackedInput& input, const Tensor& frequencies,
               const CacheUse& use);
    Var attendCached(const Context& context, const Var& q, const Var& k, const Var& v, const PackedInput& input,
                     const CacheUse& use) const;
    kernels::AttentionOptions attentionOptions() const;

    BlockConfig m_config;
    int64_t m_layer = 0;
    Parameter m_inputNorm;
    LinearLayer m_query, m_key, m_value, m_output;
    Parameter m_postNorm;
    LinearLayer m_gate, m_up, m_down;
};

}  // namespace wb::core
