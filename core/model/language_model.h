// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core/autograd/row_ranges.h"
#include "core/format/model_config.h"
#include "core/model/stack.h"

#include <functional>
#include <optional>

namespace wb::core {

// A language model of any family: a decoder with its head and, for encoder-decoders, an encoder that shares the
// embedding. The vocabulary is padded to a multiple of 64 in memory; padded rows are zero, never trained and never seen
// outside. Engine thread only.
class LanguageModel {
public:
    static constexpr int64_t kVocabularyGranule = 64;

    // Allocates uninitialised weights. Throws Unsupported on a model type or setting the engine lacks.
    LanguageModel(const kernels::Context& context, const ModelConfig& config, const ElementTypes& types);
    LanguageModel(const LanguageModel&) = delete;  // adapters and the tape point at its weights
    LanguageModel& operator=(const LanguageModel&) = delete;

    const ModelConfig& config() const { return m_config; }
    DType dtype() const { return m_types.compute; }  // of activations and of what adapters add
    const ElementTypes& elementTypes() const { return m_types; }
    bool isEncoderDecoder() const { return m_encoder.has_value(); }
    // Most tokens a sequence of either side may have; nothing where positions have no end.
    std::optional<int64_t> positionLimit() const { return m_positionLimit; }
    void setActivationMemory(ActivationMemory memory) { m_activationMemory = memory; }

    // Hidden states of the decoder after its final norm, [T, C]. An encoder-decoder reads input.source, or the memories
    // of `use`.
    Var forward(const Context& context, const PackedInput& input, const CacheUse& use = {});

    // Encoder-decoders: what the decoder's cross-attention reads for one prompt, whose rows `source` holds. No
    // gradient.
    EncoderMemory encode(const Context& context, const PackedInput& source);

    // hidden [n, C] -> logits [n, vocabularySize] F32 (F64 for F64). No gradient. `adapterRows` counts the rows of
    // `hidden`; it matters for adapters with a head of their own.
    Tensor logits(const kernels::Context& context, const Tensor& hidden, std::span<const AdapterRows> adapterRows = {});

    // Head and cross-entropy over labels [T] (kernels::kIgnoredLabel where not trained). All rows have one head.
    LmLoss loss(const Context& context, const Var& hidden, const Tensor& labels, float gradScale);

    // Every weight that a file stores, in forward order; a tied table is visited once, as the embedding.
    void visitParameters(const std::function<void(Parameter&)>& visit);
    // Every projection inside the blocks, in forward order: what adapters attach to.
    void visitLinears(const std::function<void(LinearLayer&)>& visit);

    // The vocabulary tables [V padded, C]; the head's is the embedding if they are tied. An adapter's own tables go
    // into the embedding's `replacements` and into headReplacements(), both by adapter index: a tied head can be
    // replaced without the embedding.
    Parameter& embeddingTable() { return m_embedding; }
    Parameter& headTable() { return isHeadTied() ? m_embedding : m_head; }
    bool isHeadTied() const { return m_headConfig.name.empty(); }
    std::string headName() const { return isHeadTied() ? "lm_head" : m_headConfig.name; }
    std::vector<Parameter*>& headReplacements() { return m_headReplacements; }

    // The stored part of a weight: vocabulary rows without padding, everything else whole.
    Tensor storedValue(const Parameter& parameter) const;

    KvCacheConfig cacheConfig(int64_t numBlocks) const;

private:
    LmHead head(int32_t adapter);
    bool isHeadReplacedFor(int32_t adapter) const;
    std::vector<RowRange> headRanges(const Context& context, int64_t rows) const;
    // What the head reads: scaled if the family says so.
    Var headInput(const Context& context, const Var& hidden) const;

    ModelConfig m_config;
    ElementTypes m_types;
    ActivationMemory m_activationMemory = ActivationMemory::KeepAll;
    HeadConfig m_headConfig;
    Parameter m_embedding;  // [V padded, C]
    std::optional<Stack> m_encoder;
    std::optional<Stack> m_decoder;
    Parameter m_head;      // [V padded, C], absent if tied
    Parameter m_headBias;  // [V padded], absent without
    std::optional<int64_t> m_positionLimit;
    std::vector<Parameter*> m_headReplacements;
};

}  // namespace wb::core
