// SPDX-License-Identifier: Apache-2.0
// What the attention kernels of this folder agree on: sequences, visibility, biases, dropout draws
// (kernels/attention.h).
#pragma once

#include "kernels/attention.h"
#include "kernels/base/philox.h"
#include "kernels/cuda/device.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <span>
#include <vector>

namespace wb::kernels::cuda {

// Rows of one sequence in the packed q and k.
struct AttentionSequence {
    int firstQuery = 0;
    int numQueries = 0;
    int firstKey = 0;
    int numKeys = 0;

    // Place of query i on the axis of the keys: the last query stands on the last key.
    __host__ __device__ int position(int i) const { return i + numKeys - numQueries; }
};

// A run of rows of one sequence: queries or keys, as the list that holds it says.
struct AttentionTile {
    AttentionSequence sequence;
    int first = 0;  // row within the sequence
};

// The query at position p sees the keys p - left <= j <= p + right.
struct AttentionMask {
    static constexpr int kOpen = 1 << 29;  // added to any position without overflow
    int left = kOpen;
    int right = kOpen;

    __host__ __device__ int firstKey(int position) const { return position > left ? position - left : 0; }
    // Behind the last visible key; at most firstKey() where the row sees none.
    __host__ __device__ int endKey(int position, int numKeys) const {
        const int end = position + right + 1;
        return end < 0 ? 0 : (end < numKeys ? end : numKeys);
    }
    __host__ __device__ bool sees(int position, int key) const {
        return key >= position - left && key <= position + right;
    }
    // Whether all positions first..last see all keys firstKey..lastKey.
    __host__ __device__ bool seesAll(int first, int last, int firstOfKeys, int lastOfKeys) const {
        return firstOfKeys >= last - left && lastOfKeys <= first + right;
    }
};

inline AttentionMask attentionMask(const AttentionOptions& options) {
    AttentionMask mask;
    if (options.windowLeft >= 0) mask.left = std::min<int>(options.windowLeft, AttentionMask::kOpen);
    if (options.windowRight >= 0) mask.right = std::min<int>(options.windowRight, AttentionMask::kOpen);
    if (options.isCausal) mask.right = 0;
    return mask;
}

// An additive bias as the kernels read it. T: type of q, which the bias has if it is not F32.
struct AttentionBiasData {
    const void* data = nullptr;
    AttentionBias kind = AttentionBias::None;
    bool isFloat = true;
    int tableLength = 0;       // of a distance table
    int64_t totalQueries = 0;  // rows of a dense bias
    int64_t maxKeys = 0;       // columns of a dense bias

    template <class T>
    __device__ float at(int64_t index) const {
        return isFloat ? static_cast<const float*>(data)[index] : toFloat(static_cast<const T*>(data)[index]);
    }
    __host__ __device__ int tableEntry(int distance) const {
        const int entry = distance + tableLength / 2;
        return entry < 0 ? 0 : (entry < tableLength ? entry : tableLength - 1);
    }
    __host__ __device__ int64_t tableIndex(int head, int distance) const {
        return int64_t{head} * tableLength + tableEntry(distance);
    }
    // row: of the query in the packed batch.
    __host__ __device__ int64_t denseIndex(int head, int64_t row, int key) const {
        return (head * totalQueries + row) * maxKeys + key;
    }
    // What is added to the score of `position` and `key`.
    template <class T>
    __device__ float value(int head, int64_t row, int position, int key) const {
        switch (kind) {
            case AttentionBias::DistanceTable: return at<T>(tableIndex(head, key - position));
            case AttentionBias::Alibi: return -at<T>(head) * static_cast<float>(abs(position - key));
            case AttentionBias::Dense: return at<T>(denseIndex(head, row, key));
            default: return 0;
        }
    }
};

// Factor of a probability: 0 where its draw drops it, else 1 / (1 - p).
struct AttentionDropoutData {
    float p = 0;
    uint64_t seed = 0;
    uint64_t offset = 0;
    int64_t totalQueries = 0;
    int64_t maxKeys = 0;

    __device__ float factor(int head, int64_t row, int key) const {
        const auto draw = static_cast<uint64_t>((head * totalQueries + row) * maxKeys + key);
        return philoxUnit(philoxWord(seed, offset + draw)) < p ? 0.0F : 1.0F / (1.0F - p);
    }
};

// The numbers of a call that do not depend on the sequence.
struct AttentionRule {
    int numHeads = 0;
    int keyValueHeads = 0;
    int headDim = 0;
    float scale = 0;
    float softCap = 0;  // 0: off
    AttentionMask mask;
    AttentionBiasData bias;

    __host__ __device__ int group() const { return numHeads / keyValueHeads; }
};

inline int64_t longestSequence(std::span<const int32_t> cuSeqlens) {
    int64_t longest = 0;
    for (size_t b = 0; b + 1 < cuSeqlens.size(); ++b) {
        longest = std::max<int64_t>(longest, cuSeqlens[b + 1] - cuSeqlens[b]);
    }
    return longest;
}

inline AttentionBiasData attentionBias(const ConstView& bias, AttentionBias kind) {
    AttentionBiasData result;
    result.kind = kind;
    if (kind == AttentionBias::None) return result;
    result.data = bias.data;
    result.isFloat = bias.dtype == DType::F32;
    if (kind == AttentionBias::DistanceTable) result.tableLength = static_cast<int>(bias.shape[1]);
    if (kind == AttentionBias::Dense) {
        result.totalQueries = bias.shape[1];
        result.maxKeys = bias.shape[2];
    }
    return result;
}

// Of a call over contiguous keys: forward or backward.
template <class Args>
AttentionRule attentionRule(const Args& args) {
    const float headDim = static_cast<float>(args.q.shape[2]);
    return {.numHeads = static_cast<int>(args.q.shape[1]),
            .keyValueHeads = static_cast<int>(args.k.shape[1]),
            .headDim = static_cast<int>(args.q.shape[2]),
            .scale = args.options.scale != 0 ? args.options.scale : 1.0F / std::sqrt(headDim),
            .softCap = args.options.softCap,
            .mask = attentionMask(args.options),
            .bias = attentionBias(args.bias, args.options.bias)};
}

template <class Args>
AttentionDropoutData attentionDropout(const Args& args) {
    return {.p = args.options.dropout,
            .seed = args.options.seed,
            .offset = args.options.offset,
            .totalQueries = args.q.shape[0],
            .maxKeys = longestSequence(args.cuSeqlensK)};
}

inline AttentionSequence attentionSequence(std::span<const int32_t> cuSeqlensQ, std::span<const int32_t> cuSeqlensK,
                                           size_t b) {
    return {cuSeqlensQ[b], cuSeqlensQ[b + 1] - cuSeqlensQ[b], cuSeqlensK[b], cuSeqlensK[b + 1] - cuSeqlensK[b]};
}

// Rows begin <= i < end.
struct RowRange {
    int begin = 0;
    int end = 0;

    __host__ __device__ int count() const { return end > begin ? end - begin : 0; }
};

// Keys that some query of first..last sees.
__host__ __device__ inline RowRange keysSeenBySome(const AttentionMask& mask, const AttentionSequence& sequence,
                                                   int first, int last) {
    return {mask.firstKey(sequence.position(first)), mask.endKey(sequence.position(last), sequence.numKeys)};
}

// Queries that see some key of first..last.
__host__ __device__ inline RowRange queriesSeeingSome(const AttentionMask& mask, const AttentionSequence& sequence,
                                                      int first, int last) {
    const int begin = first - mask.right - sequence.position(0);
    const int end = last + mask.left - sequence.position(0) + 1;
    return {begin > 0 ? begin : 0, end < sequence.numQueries ? end : sequence.numQueries};
}

// All query tiles of `rows` rows, or all key tiles, of a packed batch: those with most to do first, so that none starts
// late and runs alone. Also tiles that see nothing: their outputs are written, too.
std::vector<AttentionTile> listQueryTiles(std::span<const int32_t> cuSeqlensQ, std::span<const int32_t> cuSeqlensK,
                                          const AttentionMask& mask, int rows);
std::vector<AttentionTile> listKeyTiles(std::span<const int32_t> cuSeqlensQ, std::span<const int32_t> cuSeqlensK,
                                        const AttentionMask& mask, int rows);

}  // namespace wb::kernels::cuda
