// SPDX-License-Identifier: Apache-2.0
// What every attention kernel of the CPU agrees on: sequences, visibility, bias storage, dropout draws.
#pragma once

#include "kernels/attention.h"
#include "kernels/base/float_formats.h"
#include "kernels/base/philox.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <span>

namespace wb::kernels::cpu {

// Rows of one sequence in the packed q and k.
struct AttentionSequence {
    int64_t firstQuery = 0;
    int64_t numQueries = 0;
    int64_t firstKey = 0;
    int64_t numKeys = 0;

    // Place of query i on the axis of the keys: the last query stands on the last key.
    int64_t position(int64_t i) const { return i + numKeys - numQueries; }
};

inline AttentionSequence attentionSequence(std::span<const int32_t> cuSeqlensQ, std::span<const int32_t> cuSeqlensK,
                                           size_t b) {
    return {cuSeqlensQ[b], cuSeqlensQ[b + 1] - cuSeqlensQ[b], cuSeqlensK[b], cuSeqlensK[b + 1] - cuSeqlensK[b]};
}

inline int64_t longestSequence(std::span<const int32_t> cuSeqlens) {
    int64_t longest = 0;
    for (size_t b = 0; b + 1 < cuSeqlens.size(); ++b) {
        longest = std::max<int64_t>(longest, cuSeqlens[b + 1] - cuSeqlens[b]);
    }
    return longest;
}

// Threads worth waking for `numItems` pieces of work of `flops` in all: a thread should have some 20 microseconds to
// do.
inline int attentionThreads(const Context& context, int64_t numItems, double flops) {
    constexpr double kFlopsPerThread = 2e6;
    const int64_t worth = 1 + static_cast<int64_t>(std::min(flops / kFlopsPerThread, 1e6));
    return static_cast<int>(std::clamp<int64_t>(std::min(numItems, worth), 1, std::max(1, context.numThreads)));
}

// Pairs of a query row and a key over all sequences and heads, hidden ones included, times 4 FLOP per dimension.
template <class Args>
double attentionFlops(const Args& args) {
    double pairs = 0;
    for (size_t b = 0; b + 1 < args.cuSeqlensQ.size(); ++b) {
        const AttentionSequence sequence = attentionSequence(args.cuSeqlensQ, args.cuSeqlensK, b);
        pairs += static_cast<double>(sequence.numQueries) * static_cast<double>(sequence.numKeys);
    }
    return 4.0 * pairs * static_cast<double>(args.q.shape[1] * args.q.shape[2]);
}

// Keys begin <= j < end; empty when begin >= end.
struct KeyRange {
    int64_t begin = 0;
    int64_t end = 0;
};

inline KeyRange visibleKeys(const AttentionOptions& options, int64_t position, int64_t numKeys) {
    KeyRange range{0, numKeys};
    if (options.windowLeft >= 0) range.begin = std::max<int64_t>(0, position - options.windowLeft);
    if (options.windowRight >= 0) range.end = std::min(range.end, position + options.windowRight + 1);
    if (options.isCausal) range.end = std::min(range.end, position + 1);
    range.end = std::max<int64_t>(range.end, 0);
    return range;
}

inline double attentionScale(const AttentionOptions& options, int64_t headDim) {
    return options.scale != 0 ? static_cast<double>(options.scale) : 1.0 / std::sqrt(static_cast<double>(headDim));
}

// Entry of a distance table for key j seen from position p.
inline int64_t distanceIndex(int64_t j, int64_t position, int64_t tableLength) {
    return std::clamp<int64_t>(j - position + tableLength / 2, 0, tableLength - 1);
}

// Element of a bias, which is stored as F32, F64 or BF16.
template <class Acc>
Acc biasValue(const ConstView& bias, int64_t index) {
    switch (bias.dtype) {
        case DType::F64: return static_cast<Acc>(bias.as<double>()[index]);
        case DType::BF16: return static_cast<Acc>(static_cast<float>(bias.as<BFloat16>()[index]));
        default: return static_cast<Acc>(bias.as<float>()[index]);
    }
}

// Dropout of the probabilities: draw offset + (head * numRows + row) * maxKeys + j decides element (head, row, j).
class AttentionDropout {
public:
    AttentionDropout(const AttentionOptions& options, int64_t numRows, int64_t maxKeys)
        : m_options(options), m_numRows(numRows), m_maxKeys(maxKeys) {}

    bool isOn() const { return m_options.dropout > 0; }
    // 0 for a dropped element, 1 / (1 - p) for a kept one, for keys j0 .. j0 + count of a row.
    template <class Acc>
    void factors(int64_t head, int64_t row, int64_t j0, int64_t count, Acc* out, int64_t stride = 1) const {
        const Acc kept = Acc{1} / (Acc{1} - static_cast<Acc>(m_options.dropout));
        uint64_t draw = m_options.offset + static_cast<uint64_t>((head * m_numRows + row) * m_maxKeys + j0);
        PhiloxBlock words = philoxBlock(m_options.seed, draw / 4);
        for (int64_t j = 0; j < count; ++j, ++draw) {
            if (j > 0 && draw % 4 == 0) words = philoxBlock(m_options.seed, draw / 4);
            out[j * stride] = philoxUnit(words[draw % 4]) < m_options.dropout ? Acc{0} : kept;
        }
    }

private:
    AttentionOptions m_options;
    int64_t m_numRows;
    int64_t m_maxKeys;
};

}  // namespace wb::kernels::cpu
