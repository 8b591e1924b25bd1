// SPDX-License-Identifier: Apache-2.0
#include "core/model/kv_cache.h"

#include "kernels/base/error.h"
#include "kernels/elementwise.h"

#include <fmt/format.h>
#include <algorithm>

namespace wb::core {

KvCache::KvCache(const kernels::Context& context, const KvCacheConfig& config) : m_context(context), m_config(config) {
    const Shape shape{config.numBlocks, config.blockSize, config.numKvHeads, config.headDim};
    for (int64_t layer = 0; layer < config.numLayers; ++layer) {
        m_keys.push_back(Tensor::empty(context, config.dtype, shape, kernels::MemoryOwner::KvCache));
        m_values.push_back(Tensor::empty(context, config.dtype, shape, kernels::MemoryOwner::KvCache));
    }
    m_references.resize(static_cast<size_t>(config.numBlocks), 0);
    for (int64_t block = config.numBlocks; block-- > 0;) m_freeBlocks.push_back(static_cast<int32_t>(block));
}

KvCache::Sequence& KvCache::at(SequenceId sequence) {
    WB_CHECK(sequence >= 0 && static_cast<size_t>(sequence) < m_sequences.size(), "sequence exists");
    WB_CHECK(m_sequences[static_cast<size_t>(sequence)].isUsed, "sequence was not released");
    return m_sequences[static_cast<size_t>(sequence)];
}

const KvCache::Sequence& KvCache::at(SequenceId sequence) const {
    return const_cast<KvCache*>(this)->at(sequence);
}

KvCache::SequenceId KvCache::create() {
    const auto unused = std::ranges::find(m_sequences, false, &Sequence::isUsed);
    const auto index = unused - m_sequences.begin();
    if (unused == m_sequences.end()) m_sequences.emplace_back();
    m_sequences[static_cast<size_t>(index)] = Sequence{.isUsed = true};
    return static_cast<SequenceId>(index);
}

KvCache::SequenceId KvCache::fork(SequenceId source) {
    const SequenceId copy = create();
    at(copy) = at(source);
    for (const int32_t block : at(copy).blocks) ++m_references[static_cast<size_t>(block)];
    return copy;
}

void KvCache::release(SequenceId sequence) {
    for (const int32_t block : at(sequence).blocks) dropBlock(block);
    at(sequence) = Sequence{};
}

int64_t KvCache::length(SequenceId sequence) const {
    return at(sequence).length;
}

int32_t KvCache::takeBlock() {
    const int32_t block = m_freeBlocks.back();
    m_freeBlocks.pop_back();
    m_references[static_cast<size_t>(block)] = 1;
    return block;
}

void KvCache::dropBlock(int32_t block) {
    if (--m_references[static_cast<size_t>(block)] == 0) m_freeBlocks.push_back(block);
}

int64_t KvCache::blocksWanted(const Sequence& sequence, int32_t tokens) const {
    if (tokens == 0) return 0;
    const int64_t needed = (sequence.length + tokens + m_config.blockSize - 1) / m_config.blockSize;
    const int64_t fresh = needed - static_cast<int64_t>(sequence.blocks.size());
    const bool copiesLast =
        sequence.length % m_config.blockSize != 0 && m_references[static_cast<size_t>(sequence.blocks.back())] > 1;
    return fresh + (copiesLast ? 1 : 0);
}

void KvCache::copyBlock(int32_t from, int32_t to) {
    for (const std::vector<Tensor>* caches : {&m_keys, &m_values}) {
        for (const Tensor& cache : *caches) {
            kernels::cast(m_context, {.x = cache.rows(from, from + 1).view(), .out = cache.rows(to, to + 1).view()});
        }
    }
}

void KvCache::extend(Sequence& sequence, int32_t tokens, std::vector<int32_t>& slots) {
    const int32_t blockSize = m_config.blockSize;
    for (int32_t i = 0; i < tokens; ++i) {
        const auto offset = static_cast<int32_t>(sequence.length % blockSize);
        if (offset == 0) {
            sequence.blocks.push_back(takeBlock());
        } else if (m_references[static_cast<size_t>(sequence.blocks.back())] > 1) {
            const int32_t own = takeBlock();
            copyBlock(sequence.blocks.back(), own);
            dropBlock(sequence.blocks.back());
            sequence.blocks.back() = own;
        }
        slots.push_back(sequence.blocks.back() * blockSize + offset);
        ++sequence.length;
    }
}

CacheStep KvCache::grow(std::span<const Growth> growths) {
    int64_t wanted = 0;
    for (const Growth& growth : growths) wanted += blocksWanted(at(growth.sequence), growth.tokens);
    if (wanted > freeBlocks()) {
        throw Error{ErrorCode::OutOfMemory,
                    fmt::format("the key/value cache of {} tokens is full: {} more blocks of {} tokens wanted, {} free",
                                m_config.numBlocks * m_config.blockSize, wanted, m_config.blockSize, freeBlocks())};
    }
    CacheStep step;
    for (const Growth& growth : growths) {
        extend(at(growth.sequence), growth.tokens, step.slots);
        step.keyLengths.push_back(static_cast<int32_t>(at(growth.sequence).length));
        step.maxBlocks = std::max(step.maxBlocks, static_cast<int32_t>(at(growth.sequence).blocks.size()));
    }
    for (const Growth& growth : growths) {
        std::vector<int32_t> row = at(growth.sequence).blocks;
        row.resize(static_cast<size_t>(step.maxBlocks), 0);
        step.blockTables.insert(step.blockTables.end(), row.begin(), row.end());
    }
    return step;
}

int64_t KvCache::blocksFor(int64_t sequences, int64_t tokens, int32_t blockSize) {
    return sequences * ((tokens + blockSize - 1) / blockSize);
}

}  // namespace wb::core
