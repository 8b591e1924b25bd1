// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core/format/model_config.h"
#include "core/model/decoder_block.h"

#include <functional>
#include <memory>
#include <span>
#include <vector>

namespace wb::core {

enum class ActivationMemory {
    KeepAll,
    Recompute,  // keep block inputs only and run each block again in backward
};

// A decoder-only language model: embedding, blocks, final norm, head. The vocabulary is padded to a multiple of 64 in
// memory; padded rows are zero, never trained and never seen outside. Engine thread only.
class CausalLm {
public:
    static constexpr int64_t kVocabularyGranule = 64;

    // Allocates uninitialised weights. Throws Unsupported on an unknown model type.
    CausalLm(const kernels::Context& context, const ModelConfig& config, DType dtype);

    const ModelConfig& config() const { return m_config; }
    DType dtype() const { return m_dtype; }
    void setActivationMemory(ActivationMemory memory) { m_activationMemory = memory; }

    // Hidden states after the final norm, [T, C].
    Var forward(const Context& context, const PackedInput& input, const CacheUse& use = {});

    // hidden [n, C] -> logits [n, vocabularySize] F32 (F64 for F64). No gradient.
    Tensor logits(const kernels::Context& context, const Tensor& hidden) const;

    // Head and cross-entropy over labels [T] (kernels::kIgnoredLabel where not trained).
    LmLoss loss(const Context& context, const Var& hidden, const Tensor& labels, float gradScale);

    // Every weight that a file stores, in forward order; a tied head is visited once, as the embedding.
    void visitParameters(const std::function<void(Parameter&)>& visit);
    // Every projection inside the blocks, in forward order: what adapters attach to.
    void visitLinears(const std::function<void(LinearLayer&)>& visit);

    // The stored part of a weight: vocabulary rows without padding, everything else whole.
    Tensor storedValue(const Parameter& parameter) const;

    KvCacheConfig cacheConfig(int64_t numBlocks) const;

private:
    Parameter& head() { return m_config.tieWordEmbeddings ? m_embedding : m_head; }
    const Parameter& head() const { return m_config.tieWordEmbeddings ? m_embedding : m_head; }
    bool isVocabularyTable(const Parameter& parameter) const {
        return &parameter == &m_embedding || &parameter == &m_head;
    }

    ModelConfig m_config;
    DType m_dtype;
    ActivationMemory m_activationMemory = ActivationMemory::KeepAll;
    Parameter m_embedding;  // [V padded, C]
    std::vector<DecoderBlock> m_blocks;
    Parameter m_finalNorm;
    Parameter m_head;      // [V padded, C], absent if tied
    Tensor m_frequencies;  // [D / 2] F32
};

// Positions 0, 1, 2 ... of each sequence, for bounds = cu_seqlens.
std::vector<int32_t> positionsOf(std::span<const int32_t> bounds);

// Packs ids of whole sequences. bounds = cu_seqlens [B + 1].
PackedInput packInput(const kernels::Context& context, std::span<const int32_t> ids, std::span<const int32_t> positions,
                      std::span<const int32_t> bounds);

}  // namespace wb::core
