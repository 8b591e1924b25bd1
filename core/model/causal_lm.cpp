// SPDX-License-Identifier: Apache-2.0
#include "core/model/causal_lm.h"

#include "core/model/architectures/architectures.h"
#include "kernels/base/error.h"
#include "kernels/elementwise.h"
#include "kernels/linear.h"

#include <fmt/format.h>
#include <utility>

namespace wb::core {
namespace {

using kernels::MemoryOwner;

int64_t paddedVocabulary(int64_t size) {
    return (size + CausalLm::kVocabularyGranule - 1) / CausalLm::kVocabularyGranule * CausalLm::kVocabularyGranule;
}

Parameter makeVocabularyTable(const kernels::Context& context, const ModelConfig& config, DType dtype,
                              const char* name) {
    const int64_t padded = paddedVocabulary(config.vocabularySize);
    Parameter table{name, Tensor::empty(context, dtype, Shape{padded, config.hiddenSize}, MemoryOwner::Weights), {}};
    const Tensor padding = table.value.rows(config.vocabularySize, padded);
    kernels::fill(context, {.out = padding.view()});
    return table;
}

Tensor makeFrequencies(const kernels::Context& context, const ModelConfig& config) {
    const std::vector<double> exact = ropeInverseFrequencies(config);
    const std::vector<float> rounded(exact.begin(), exact.end());
    Tensor tensor =
        Tensor::empty(context, DType::F32, Shape{static_cast<int64_t>(rounded.size())}, MemoryOwner::Weights);
    assignFloats(context, tensor, rounded);
    return tensor;
}

}  // namespace

CausalLm::CausalLm(const kernels::Context& context, const ModelConfig& config, DType dtype)
    : m_config(config), m_dtype(dtype) {
    const Architecture& architecture = architectureOf(config);
    m_embedding = makeVocabularyTable(context, config, dtype, "model.embed_tokens.weight");
    for (int64_t layer = 0; layer < config.numLayers; ++layer) {
        m_blocks.emplace_back(context, architecture.blockConfig(config, layer), dtype,
                              fmt::format("model.layers.{}", layer), layer);
    }
    m_finalNorm = {
        "model.norm.weight", Tensor::empty(context, dtype, Shape{config.hiddenSize}, MemoryOwner::Weights), {}};
    if (!config.tieWordEmbeddings) m_head = makeVocabularyTable(context, config, dtype, "lm_head.weight");
    m_frequencies = makeFrequencies(context, config);
}

Var CausalLm::forward(const Context& context, const PackedInput& input, const CacheUse& use) {
    ResidualStream stream{embedding(context, m_embedding, input.ids), {}};
    for (DecoderBlock& block : m_blocks) {
        if (m_activationMemory == ActivationMemory::KeepAll || context.tape == nullptr) {
            stream = block.forward(context, stream, input, m_frequencies, use);
            continue;
        }
        const auto body = [&block, input, frequencies = m_frequencies](const Context& inner, const Var& x) {
            const ResidualStream out = block.forward(inner, {x, {}}, input, frequencies, {});
            return add(inner, out.sum, out.pending);
        };
        stream = {checkpoint(context, stream.sum, body), {}};
    }
    const float eps = static_cast<float>(m_config.rmsNormEps);
    if (!stream.pending.value.isPresent()) return rmsNorm(context, stream.sum, m_finalNorm, eps);
    return addRmsNorm(context, stream.pending, stream.sum, m_finalNorm, eps).normed;
}

Tensor CausalLm::logits(const kernels::Context& context, const Tensor& hidden) const {
    const Tensor weight = head().value.rows(0, m_config.vocabularySize);
    Tensor out = Tensor::empty(context, gradientDtype(m_dtype), Shape{hidden.shape()[0], m_config.vocabularySize},
                               MemoryOwner::Activations);
    kernels::linearForward(context, {.x = hidden.view(), .weight = weight.view(), .out = out.view()});
    return out;
}

LmLoss CausalLm::loss(const Context& context, const Var& hidden, const Tensor& labels, float gradScale) {
    return lmHeadLoss(context, hidden, head(), labels, gradScale, m_config.vocabularySize);
}

void CausalLm::visitParameters(const std::function<void(Parameter&)>& visit) {
    visit(m_embedding);
    for (DecoderBlock& block : m_blocks) block.visitParameters(visit);
    visit(m_finalNorm);
    if (!m_config.tieWordEmbeddings) visit(m_head);
}

void CausalLm::visitLinears(const std::function<void(LinearLayer&)>& visit) {
    for (DecoderBlock& block : m_blocks) block.visitLinears(visit);
}

Tensor CausalLm::storedValue(const Parameter& parameter) const {
    return isVocabularyTable(parameter) ? parameter.value.rows(0, m_config.vocabularySize) : parameter.value;
}

KvCacheConfig CausalLm::cacheConfig(int64_t numBlocks) const {
    return {.numLayers = m_config.numLayers,
            .numKvHeads = m_config.numKvHeads,
            .headDim = m_config.headDim,
            .dtype = m_dtype,
            .numBlocks = numBlocks};
}

std::vector<int32_t> positionsOf(std::span<const int32_t> bounds) {
    std::vector<int32_t> positions;
    for (size_t sequence = 0; sequence + 1 < bounds.size(); ++sequence) {
        for (int32_t row = bounds[sequence]; row < bounds[sequence + 1]; ++row)
            positions.push_back(row - bounds[sequence]);
    }
    return positions;
}

PackedInput packInput(const kernels::Context& context, std::span<const int32_t> ids, std::span<const int32_t> positions,
                      std::span<const int32_t> bounds) {
    return {Tensor::fromInts(context, ids, MemoryOwner::Activations),
            Tensor::fromInts(context, positions, MemoryOwner::Activations),
            std::make_shared<const std::vector<int32_t>>(bounds.begin(), bounds.end())};
}

}  // namespace wb::core
