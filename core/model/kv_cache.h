// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core/tensor/tensor.h"

#include <cstdint>
#include <span>
#include <vector>

namespace wb::core {

struct KvCacheConfig {
    int64_t numLayers = 0;
    int64_t numKvHeads = 0;
    int64_t headDim = 0;
    DType dtype = DType::F32;
    int64_t numBlocks = 0;
    int32_t blockSize = 16;  // tokens per block: small enough that a fork wastes little, large enough to stream
};

// What one forward pass needs to know about the cache, for the packed rows it is about to compute.
struct CacheStep {
    std::vector<int32_t> slots;        // [rows] where each row's key and value go
    std::vector<int32_t> keyLengths;   // [sequences] keys visible after this step
    std::vector<int32_t> blockTables;  // [sequences, maxBlocks]
    int32_t maxBlocks = 0;
    int32_t maxKeyLength = 0;  // bound of keyLengths where the pass is recorded; 0: the longest of them
};

// Keys and values of many sequences in blocks with reference counts: forking a sequence (beams, a prompt shared by
// several panes) copies nothing until one of the forks writes into a shared, half-filled block. Engine thread only.
class KvCache {
public:
    using SequenceId = int32_t;

    KvCache(const kernels::Context& context, const KvCacheConfig& config);

    const KvCacheConfig& config() const { return m_config; }
    int64_t freeBlocks() const { return static_cast<int64_t>(m_freeBlocks.size()); }
    // [numBlocks, blockSize, K, D] of one layer.
    const Tensor& keys(int64_t layer) const { return m_keys[static_cast<size_t>(layer)]; }
    const Tensor& values(int64_t layer) const { return m_values[static_cast<size_t>(layer)]; }

    SequenceId create();
    // A sequence with the same tokens; no memory is copied.
    SequenceId fork(SequenceId source);
    void release(SequenceId sequence);
    int64_t length(SequenceId sequence) const;

    struct Growth {
        SequenceId sequence = 0;
        int32_t tokens = 0;
    };
    // Reserves slots for new tokens, in the order of the packed rows. Throws OutOfMemory if blocks run out; no sequence
    // has grown then.
    CacheStep grow(std::span<const Growth> growths);

    // Blocks that `sequences` sequences of `tokens` tokens need at most.
    static int64_t blocksFor(int64_t sequences, int64_t tokens, int32_t blockSize);

private:
    struct Sequence {
        std::vector<int32_t> blocks;
        int64_t length = 0;
        bool isUsed = false;
    };

    int32_t takeBlock();
    void dropBlock(int32_t block);
    int64_t blocksWanted(const Sequence& sequence, int32_t tokens) const;
    void copyBlock(int32_t from, int32_t to);
    void extend(Sequence& sequence, int32_t tokens, std::vector<int32_t>& slots);
    Sequence& at(SequenceId sequence);
    const Sequence& at(SequenceId sequence) const;

    const kernels::Context& m_context;
    KvCacheConfig m_config;
    std::vector<Tensor> m_keys;
    std::vector<Tensor> m_values;
    std::vector<int32_t> m_references;  // by block
    std::vector<int32_t> m_freeBlocks;
    std::vector<Sequence> m_sequences;
};

}  // namespace wb::core
