// SPDX-License-Identifier: Apache-2.0
#include "core/model/language_model.h"

#include "core/model/architectures/architectures.h"
#include "kernels/base/error.h"
#include "kernels/base/quantized_tiles.h"
#include "kernels/elementwise.h"

#include <utility>

namespace wb::core {
namespace {

using kernels::MemoryOwner;

int64_t paddedVocabulary(int64_t size) {
    constexpr int64_t kGranule = LanguageModel::kVocabularyGranule;
    return (size + kGranule - 1) / kGranule * kGranule;
}

Parameter makeVocabularyTable(const kernels::Context& context, const NetworkConfig& network, const ElementTypes& types,
                              const std::string& name) {
    const int64_t padded = paddedVocabulary(network.vocabularySize);
    const DType dtype = types.tableType(network.embeddingSize);
    Parameter table{
        name, Tensor::empty(context, dtype, Shape{padded, network.embeddingSize}, MemoryOwner::Weights), {}};
    // From the tile in which the padding begins: the words in it follow when weights are loaded.
    const int64_t firstPadded =
        isTiled(dtype) ? network.vocabularySize / kTileRows * kTileRows : network.vocabularySize;
    fillZeros(context, table.value.rows(firstPadded, padded));
    return table;
}

Parameter makeHeadBias(const kernels::Context& context, const NetworkConfig& network, DType dtype) {
    if (network.head.bias.empty()) return {};
    const Shape shape{paddedVocabulary(network.vocabularySize)};
    Parameter bias{network.head.bias, Tensor::zeros(context, dtype, shape, MemoryOwner::Weights), {}};
    bias.isConstant = network.head.isBiasConstant;
    return bias;
}

}  // namespace

LanguageModel::LanguageModel(const kernels::Context& context, const ModelConfig& config, const ElementTypes& types)
    : m_config(config), m_types(types) {
    const NetworkConfig network = networkConfigOf(config);
    m_headConfig = network.head;
    m_positionLimit = positionLimitOf(config);
    m_embedding = makeVocabularyTable(context, network, types, network.decoder.embedding + ".weight");
    m_embedding.untrainedRow = network.untrainedId;
    m_embedding.isLookedUp = true;
    if (network.encoder) m_encoder.emplace(context, *network.encoder, network.hidden, types);
    m_decoder.emplace(context, network.decoder, network.hidden, types);
    if (!m_headConfig.name.empty())
        m_head = makeVocabularyTable(context, network, types, m_headConfig.name + ".weight");
    m_headBias = makeHeadBias(context, network, types.compute);
}

Var LanguageModel::forward(const Context& context, const PackedInput& input, const CacheUse& use) {
    if (!m_encoder) return m_decoder->forward(context, m_embedding, input, {m_activationMemory, use, nullptr});
    CrossAttentionInput cross{
        .rows = input, .encoded = {}, .sourceBounds = {}, .sourceRows = {}, .memories = use.memories};
    if (use.memories.empty()) {
        WB_CHECK(input.source != nullptr, "an encoder-decoder needs source rows or memories");
        cross.sourceBounds = input.source->bounds;
        cross.sourceRows = sourceAdapterRows(context.adapterRows, *input.bounds, *cross.sourceBounds);
        const Context source = context.withRows(cross.sourceRows);
        cross.encoded = m_encoder->forward(source, m_embedding, *input.source, {m_activationMemory, {}, nullptr});
    }
    return m_decoder->forward(context, m_embedding, input, {m_activationMemory, use, &cross});
}

EncoderMemory LanguageModel::encode(const Context& context, const PackedInput& source) {
    WB_CHECK(m_encoder.has_value(), "only an encoder-decoder encodes");
    const Var encoded = m_encoder->forward(context, m_embedding, source, {});
    EncoderMemory memory;
    memory.tokens = encoded.value.shape()[0];
    for (TransformerBlock& block : m_decoder->blocks()) {
        const AttentionLayer::KeyValue cross = block.crossAttention()->crossKeyValue(context, encoded);
        memory.keys.push_back(cross.key.value);
        memory.values.push_back(cross.value.value);
    }
    return memory;
}

bool LanguageModel::isHeadReplacedFor(int32_t adapter) const {
    const auto index = static_cast<size_t>(adapter);
    if (adapter < 0) return false;
    return (index < m_headReplacements.size() && m_headReplacements[index] != nullptr) ||
           m_headBias.isReplacedFor(adapter);
}

LmHead LanguageModel::head(int32_t adapter) {
    const auto index = static_cast<size_t>(adapter);
    Parameter* own = adapter >= 0 && index < m_headReplacements.size() ? m_headReplacements[index] : nullptr;
    return {.weight = own != nullptr ? *own : headTable(),
            .bias = m_headBias.value.isPresent() ? &m_headBias.forAdapter(adapter) : nullptr,
            .vocabularySize = m_config.vocabularySize,
            .logitScale = m_headConfig.logitScale,
            .softCap = m_headConfig.softCap};
}

Var LanguageModel::headInput(const Context& context, const Var& hidden) const {
    return m_headConfig.hiddenScale == 1.0F ? hidden : scale(context, hidden, m_headConfig.hiddenScale);
}

std::vector<RowRange> LanguageModel::headRanges(const Context& context, int64_t rows) const {
    return rowRanges(context, rows, [this](int32_t adapter) { return isHeadReplacedFor(adapter); });
}

Tensor LanguageModel::logits(const kernels::Context& context, const Tensor& hidden,
                             std::span<const AdapterRows> adapterRows) {
    const Context pass{context, nullptr, nullptr, adapterRows};
    const Tensor input = headInput(pass, {hidden}).value;
    const std::vector<RowRange> ranges = headRanges(pass, hidden.shape()[0]);
    if (ranges.size() == 1) return headLogits(context, input, head(ranges.front().adapter));
    Tensor out = Tensor::empty(context, gradientDtype(dtype()), Shape{hidden.shape()[0], m_config.vocabularySize},
                               MemoryOwner::Activations);
    for (const auto& [begin, end, adapter] : ranges) {
        const Tensor part = headLogits(context, input.rows(begin, end), head(adapter));
        kernels::scale(context, {.x = part.view(), .out = out.rows(begin, end).view()});
    }
    return out;
}

LmLoss LanguageModel::loss(const Context& context, const Var& hidden, const Tensor& labels, float gradScale) {
    const std::vector<RowRange> ranges = headRanges(context, hidden.value.shape()[0]);
    WB_CHECK(ranges.size() == 1, "the rows of one loss have one head");
    return lmHeadLoss(context, headInput(context, hidden), head(ranges.front().adapter), labels, gradScale);
}

void LanguageModel::visitParameters(const std::function<void(Parameter&)>& visit) {
    visit(m_embedding);
    if (m_encoder) m_encoder->visitParameters(visit);
    m_decoder->visitParameters(visit);
    if (m_head.value.isPresent()) visit(m_head);
    if (m_headBias.value.isPresent()) visit(m_headBias);
}

void LanguageModel::visitLinears(const std::function<void(LinearLayer&)>& visit) {
    if (m_encoder) m_encoder->visitLinears(visit);
    m_decoder->visitLinears(visit);
}

Tensor LanguageModel::storedValue(const Parameter& parameter) const {
    const bool isPadded = &parameter == &m_embedding || &parameter == &m_head || &parameter == &m_headBias;
    if (!isPadded) return parameter.value;
    const Tensor stored = parameter.value.rows(0, m_config.vocabularySize);
    return parameter.isConstant ? stored.reshaped(Shape{1, m_config.vocabularySize}) : stored;
}

KvCacheConfig LanguageModel::cacheConfig(int64_t numBlocks) const {
    return {.numLayers = m_config.numLayers,
            .numKvHeads = m_config.numKvHeads,
            .headDim = m_config.headDim,
            .dtype = dtype(),
            .numBlocks = numBlocks};
}

}  // namespace wb::core
