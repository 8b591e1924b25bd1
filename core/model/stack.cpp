// SPDX-License-Identifier: Apache-2.0
#include "core/model/stack.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace wb::core {
namespace {

using kernels::MemoryOwner;

// Position times frequency, sines in the first half of a row and cosines in the second.
std::vector<float> sineTable(const PositionConfig& config, int64_t hidden) {
    const auto half = static_cast<size_t>(hidden / 2);
    std::vector<double> frequencies(half);
    for (size_t i = 0; i < half; ++i) {
        const double exponent = config.sine == SineTable::Halves
                                    ? static_cast<double>(i) / static_cast<double>(half - 1)
                                    : 2.0 * static_cast<double>(i) / static_cast<double>(hidden);
        frequencies[i] = std::pow(10000.0, -exponent);
    }
    std::vector<float> table(static_cast<size_t>(config.rows * hidden));
    for (size_t row = 0; row < static_cast<size_t>(config.rows); ++row) {
        for (size_t i = 0; i < half; ++i) {
            const double angle = static_cast<double>(row) * frequencies[i];
            table[row * static_cast<size_t>(hidden) + i] = static_cast<float>(std::sin(angle));
            table[row * static_cast<size_t>(hidden) + half + i] = static_cast<float>(std::cos(angle));
        }
    }
    return table;
}

Parameter makePositions(const kernels::Context& context, const PositionConfig& config, int64_t hidden, DType dtype) {
    if (!config.exists()) return {};
    Parameter table{
        config.name + ".weight", Tensor::empty(context, dtype, Shape{config.rows, hidden}, MemoryOwner::Weights), {}};
    table.isLookedUp = true;
    if (config.name.empty()) assignFloats(context, table.value, sineTable(config, hidden));
    return table;
}

Parameter makeRelativeBias(const kernels::Context& context, const RelativeBiasConfig& config, DType dtype) {
    if (!config.exists()) return {};
    const Shape shape{config.buckets, config.numHeads};
    return {config.name + ".weight", Tensor::empty(context, dtype, shape, MemoryOwner::Weights), {}};
}

RotaryTable makeRotary(const kernels::Context& context, const RotaryConfig& config) {
    const Shape shape{static_cast<int64_t>(config.frequencies.size())};
    RotaryTable table{Tensor::empty(context, DType::F32, shape, MemoryOwner::Weights), config.magnitude};
    assignFloats(context, table.frequencies, config.frequencies);
    return table;
}

}  // namespace

std::vector<int32_t> relativeBuckets(const RelativeBiasConfig& config) {
    const int64_t buckets = config.isBidirectional ? config.buckets / 2 : config.buckets;
    const int64_t exact = buckets / 2;
    // In single precision, as the reference computes it: the edges of buckets depend on the rounding.
    const auto logRange =
        static_cast<float>(std::log(static_cast<double>(config.maxDistance) / static_cast<double>(exact)));
    std::vector<int32_t> bucketOf;
    for (int64_t distance = -config.maxDistance; distance <= config.maxDistance; ++distance) {
        const bool isAfter = distance > 0;
        const int64_t length = config.isBidirectional ? std::abs(distance) : std::max<int64_t>(-distance, 0);
        int64_t bucket = length;
        if (length >= exact) {
            const float part = std::log(static_cast<float>(length) / static_cast<float>(exact)) / logRange;
            bucket = std::min(exact + static_cast<int64_t>(part * static_cast<float>(buckets - exact)), buckets - 1);
        }
        bucketOf.push_back(static_cast<int32_t>(bucket + (config.isBidirectional && isAfter ? buckets : 0)));
    }
    return bucketOf;
}

Stack::Stack(const kernels::Context& context, const StackConfig& config, int64_t hidden, const ElementTypes& types)
    : m_config(config),
      m_dtype(types.compute),
      m_projectIn(context, config.projectIn, types),
      m_projectOut(context, config.projectOut, types),
      m_positions(makePositions(context, config.positions, hidden, types.compute)),
      m_embeddingNorm(context, config.embeddingNorm, types.compute),
      m_relativeBias(makeRelativeBias(context, config.relativeBias, types.compute)),
      m_finalNorm(context, config.finalNorm, types.compute) {
    if (config.relativeBias.exists()) {
        m_bucketOfDistance = std::make_shared<const std::vector<int32_t>>(relativeBuckets(config.relativeBias));
    }
    for (const RotaryConfig& table : config.rotary) m_rotary.push_back(makeRotary(context, table));
    m_blocks.reserve(config.blocks.size());
    for (const BlockConfig& block : config.blocks)
        m_blocks.emplace_back(context, block, types, static_cast<int64_t>(m_blocks.size()));
    m_config.blocks.clear();  // each block keeps its own
}

Parameter& Stack::positionRows(const kernels::Context& context) {
    const PositionConfig& config = m_config.positions;
    m_positionsUsed.value = m_positions.value.rows(config.offset, config.rows);
    m_positionsUsed.gradient =
        m_positions.isTrainable() ? gradientSum(context, m_positions).rows(config.offset, config.rows) : Tensor{};
    return m_positionsUsed;
}

Var Stack::embed(const Context& context, Parameter& table, const PackedInput& rows) {
    Var x = embedding(context, table, rows.ids, m_dtype, m_config.embeddingScale);
    if (m_projectIn.exists()) x = m_projectIn.apply(context, x);
    if (m_config.normsBeforePositions) x = m_embeddingNorm.apply(context, x);
    if (m_config.positions.exists())
        x = add(context, x, embedding(context, positionRows(context.device), rows.positions, m_dtype));
    return m_config.normsBeforePositions ? x : m_embeddingNorm.apply(context, x);
}

ResidualStream Stack::runBlock(const Context& context, TransformerBlock& block, const ResidualStream& stream,
                               const PackedInput& rows, const Var* relativeBias, const StackPass& pass) {
    if (pass.memory != ActivationMemory::RecomputeBlocks || context.tape == nullptr) {
        Context inner = context;
        if (pass.memory == ActivationMemory::RecomputeCheap) inner.cheapValues = CheapValues::MadeAgain;
        return block.forward(inner, stream, {rows, m_rotary, relativeBias, pass.cache}, pass.cross);
    }
    // Everything a gradient flows to is an input of the checkpoint: the stream, the bias table, the encoder's output.
    std::vector<Var> inputs{stream.sum};
    if (relativeBias != nullptr) inputs.push_back(*relativeBias);
    if (pass.cross != nullptr) inputs.push_back(pass.cross->encoded);
    const bool hasBias = relativeBias != nullptr;
    const bool hasCross = pass.cross != nullptr;
    const SequenceBounds sourceBounds = hasCross ? pass.cross->sourceBounds : SequenceBounds{};
    const std::vector<AdapterRows> sourceRows = hasCross ? pass.cross->sourceRows : std::vector<AdapterRows>{};
    const auto body = [this, &block, rows, hasBias, hasCross, sourceBounds, sourceRows](const Context& inner,
                                                                                        std::span<const Var> vars) {
        const Var* bias = hasBias ? &vars[1] : nullptr;
        const CrossAttentionInput cross{rows, hasCross ? vars.back() : Var{}, sourceBounds, sourceRows, {}};
        const ResidualStream out =
            block.forward(inner, {vars[0], {}}, {rows, m_rotary, bias, {}}, hasCross ? &cross : nullptr);
        return out.pending.value.isPresent() ? add(inner, out.sum, out.pending) : out.sum;
    };
    return {checkpoint(context, std::move(inputs), body), {}};
}

Var Stack::forward(const Context& context, Parameter& table, const PackedInput& rows, const StackPass& pass) {
    ResidualStream stream{embed(context, table, rows), {}};
    Var relativeBias;
    if (m_bucketOfDistance) relativeBias = distanceTable(context, m_relativeBias, m_bucketOfDistance);
    for (TransformerBlock& block : m_blocks)
        stream = runBlock(context, block, stream, rows, m_bucketOfDistance ? &relativeBias : nullptr, pass);
    const Var out = stream.pending.value.isPresent()
                        ? m_finalNorm.applyToSum(context, stream.pending, stream.sum).normed
                        : m_finalNorm.apply(context, stream.sum);
    return m_projectOut.exists() ? m_projectOut.apply(context, out) : out;
}

void Stack::visitParameters(const std::function<void(Parameter&)>& visit) {
    m_projectIn.visitParameters(visit);
    if (m_positions.value.isPresent() && !m_config.positions.name.empty()) visit(m_positions);
    m_embeddingNorm.visitParameters(visit);
    if (m_relativeBias.value.isPresent()) visit(m_relativeBias);
    for (TransformerBlock& block : m_blocks) block.visitParameters(visit);
    m_finalNorm.visitParameters(visit);
    m_projectOut.visitParameters(visit);
}

void Stack::visitLinears(const std::function<void(LinearLayer&)>& visit) {
    if (m_projectIn.exists()) visit(m_projectIn);
    for (TransformerBlock& block : m_blocks) block.visitLinears(visit);
    if (m_projectOut.exists()) visit(m_projectOut);
}

}  // namespace wb::core
