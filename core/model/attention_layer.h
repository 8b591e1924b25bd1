// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core/model/linear_layer.h"
#include "core/model/norm_layer.h"
#include "core/model/packed_input.h"

#include <functional>
#include <span>
#include <string>
#include <vector>

namespace wb::core {

// A rotary table on the device.
struct RotaryTable {
    Tensor frequencies;  // [R / 2] F32
    float magnitude = 1.0F;
};

// What self-attention needs besides its input.
struct SelfAttentionInput {
    const PackedInput& rows;
    std::span<const RotaryTable> rotary;
    const Var* relativeBias = nullptr;  // [H, N], or null
    CacheUse cache;
};

// What cross-attention reads: the encoder's output in training, memories made from it in generation.
struct CrossAttentionInput {
    const PackedInput& rows;
    Var encoded;                          // [Ts, C]; absent with memories
    SequenceBounds sourceBounds;          // cu_seqlens of the encoder's rows
    std::vector<AdapterRows> sourceRows;  // adapters of the encoder's rows
    std::span<const MemoryRows> memories{};
};

// Multi-head attention with its projections: queries, keys and values separate or fused, optional norms and rotation.
class AttentionLayer {
public:
    // Allocates uninitialised weights. `layer` is the place in the cache.
    AttentionLayer(const kernels::Context& context, const AttentionConfig& config, const ElementTypes& types,
                   int64_t layer);

    // x [T, C] -> [T, C].
    Var apply(const Context& context, const Var& x, const SelfAttentionInput& input);
    Var applyCross(const Context& context, const Var& x, const CrossAttentionInput& input);

    // Keys and values of the encoder's output [Ts, C], as EncoderMemory holds them.
    struct KeyValue {
        Var key;    // [Ts, K, D]
        Var value;  // [Ts, K, D]
    };
    KeyValue crossKeyValue(const Context& context, const Var& encoded);

    void visitParameters(const std::function<void(Parameter&)>& visit);
    void visitLinears(const std::function<void(LinearLayer&)>& visit);

private:
    struct Heads {
        Var query;
        Var key;
        Var value;
    };
    Heads project(const Context& context, const Var& x);
    Heads projectFused(const Context& context, const Var& x);
    Var rotated(const Context& context, const Var& heads, const SelfAttentionInput& input) const;
    Var attendCached(const Context& context, const Heads& heads, const SelfAttentionInput& input) const;
    Var attendMemories(const Context& context, const Var& query, std::span<const MemoryRows> memories) const;
    Var output(const Context& context, const Var& mixed);
    const Var* biasOf(const SelfAttentionInput& input) const;
    kernels::AttentionOptions options(const Var* bias) const;

    AttentionConfig m_config;
    int64_t m_layer = 0;
    LinearLayer m_query, m_key, m_value, m_fused, m_output;
    ColumnParts m_parts;  // of the fused projection
    NormLayer m_queryNorm, m_keyNorm;
    Var m_alibi;  // [H] F32, absent without
};

}  // namespace wb::core
