// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core/model/transformer_block.h"

#include <functional>
#include <span>
#include <vector>

namespace wb::core {

enum class ActivationMemory {
    KeepAll,
    RecomputeCheap,   // make norms and activations again in backward; keep matrix products and attention
    RecomputeBlocks,  // keep block inputs only and run each block again in backward
};

// What a pass through a stack needs besides its rows.
struct StackPass {
    ActivationMemory memory = ActivationMemory::KeepAll;
    CacheUse cache;
    const CrossAttentionInput* cross = nullptr;  // decoders of encoder-decoders
};

// Embedding, positions, blocks and final norm: a decoder, or an encoder. The embedding table belongs to the model,
// which may share it. Engine thread only.
class Stack {
public:
    // Allocates uninitialised weights; computed tables are filled.
    Stack(const kernels::Context& context, const StackConfig& config, int64_t hidden, const ElementTypes& types);

    // Hidden states after the final norm, [T, C], as wide as the embedding.
    Var forward(const Context& context, Parameter& embedding, const PackedInput& rows, const StackPass& pass);

    std::span<TransformerBlock> blocks() { return m_blocks; }

    // Every weight but the embedding, in forward order.
    void visitParameters(const std::function<void(Parameter&)>& visit);
    void visitLinears(const std::function<void(LinearLayer&)>& visit);

private:
    Var embed(const Context& context, Parameter& embedding, const PackedInput& rows);
    Parameter& positionRows(const kernels::Context& context);
    ResidualStream runBlock(const Context& context, TransformerBlock& block, const ResidualStream& stream,
                            const PackedInput& rows, const Var* relativeBias, const StackPass& pass);

    StackConfig m_config;
    DType m_dtype;
    LinearLayer m_projectIn, m_projectOut;  // absent if the embedding is as wide as the blocks
    Parameter m_positions;                  // [rows, C], absent without
    Parameter m_positionsUsed;              // the rows from the offset on
    NormLayer m_embeddingNorm;
    Parameter m_relativeBias;  // [buckets, H], absent without
    std::shared_ptr<const std::vector<int32_t>> m_bucketOfDistance;
    std::vector<RotaryTable> m_rotary;
    std::vector<TransformerBlock> m_blocks;
    NormLayer m_finalNorm;
};

// Bucket of each distance (key minus query) from -maxDistance to maxDistance: near ones have their own, far ones share
// buckets that grow with the logarithm; half of the buckets are for keys after the query if both directions are seen.
std::vector<int32_t> relativeBuckets(const RelativeBiasConfig& config);

}  // namespace wb::core
