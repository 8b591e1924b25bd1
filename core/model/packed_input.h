// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core/autograd/ops.h"
#include "core/model/kv_cache.h"

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace wb::core {

// Rows of one forward pass: sequences packed one after the other, no padding.
struct PackedInput {
    Tensor ids;             // [T] I32
    Tensor positions;       // [T] I32, position of each row in its own sequence
    SequenceBounds bounds;  // cu_seqlens [B + 1]
    // Encoder-decoders: what sequence b of the rows above answers to is sequence b of these rows.
    std::shared_ptr<const PackedInput> source;
};

// Keys and values of an encoder's output for every cross-attention of the decoder: computed once per prompt, read by
// every token and every beam of its answer.
struct EncoderMemory {
    int64_t tokens = 0;
    std::vector<Tensor> keys;    // by layer, [tokens, K, D]
    std::vector<Tensor> values;  // by layer
};

// Rows [begin, end) of a pass that attend to one memory.
struct MemoryRows {
    int64_t begin = 0;
    int64_t end = 0;
    const EncoderMemory* memory = nullptr;
};

// The cache side of an inference pass; absent in training.
struct CacheUse {
    KvCache* cache = nullptr;
    const CacheStep* step = nullptr;
    std::span<const MemoryRows> memories{};  // encoder-decoders: cover all rows, in order
};

// The adapters of the encoder's rows, given those of the decoder's: whole sequences keep theirs.
std::vector<AdapterRows> sourceAdapterRows(std::span<const AdapterRows> rows, std::span<const int32_t> bounds,
                                           std::span<const int32_t> sourceBounds);

// Positions 0, 1, 2 ... of each sequence, for bounds = cu_seqlens.
std::vector<int32_t> positionsOf(std::span<const int32_t> bounds);

// Packs ids of whole sequences. bounds = cu_seqlens [B + 1].
PackedInput packInput(const kernels::Context& context, std::span<const int32_t> ids, std::span<const int32_t> positions,
                      std::span<const int32_t> bounds);

}  // namespace wb::core
