// SPDX-License-Identifier: Apache-2.0
// How the threads of a block hold the rows of a tile and add a step of keys to them (paged_tiles.h). Both classes have
//   kThreads, kRows, kStepKeys, kStages; Shared: the rows in shared memory, keys and values once for each stage
//   add()            one step, whose keys and values lie in stage `stage`; every thread of the block calls
//   kSlots, row(s), state(s), isWriter(s)   the rows that the thread has a part of; one thread writes a row's state
//   visit(f)         f(k, slot, column, sum) for the thread's parts of O, k counting from 0 to kSums
#pragma once

#include "kernels/cuda/paged_tiles.h"

namespace wb::kernels::cuda {

// Sixteen-bit types on the tensor cores. Tall: a warp has 16 rows of its own. Otherwise four warps share 16 rows: each
// scores some keys, and adds all of them to some columns of O.
template <class Element, int kDim, bool kIsTall>
class MmaRows {
public:
    using T = Element;
    static constexpr int kWarps = kIsTall && kDim == 256 ? 2 : 4;
    static constexpr int kThreads = kWarps * kWarpSize;
    static constexpr int kRows = kIsTall ? 16 * kWarps : 16;
    static constexpr int kStepKeys = 4096 / kDim;
    static constexpr int kStages = 2;
    static constexpr int kWidth = kDim;
    static constexpr int kStride = kDim + 8;  // rows start in different banks
    static constexpr int kWeightStride = kStepKeys + 8;
    static constexpr int kPairs = kStepKeys / 16;  // of 8 keys
    static constexpr int kOwnPairs = kIsTall ? kPairs : 1;
    static constexpr int kColumnPairs = kDim / 16 / (kIsTall ? 1 : kWarps);
    static constexpr int kSlots = 2;
    static constexpr int kSums = 8 * kColumnPairs;

    struct Shared {
        T queries[kRows * kStride];
        T keys[kStages][kStepKeys * kStride];
        T values[kStages][kStepKeys * kStride];
        T weights[kIsTall ? 8 : 16 * kWeightStride];
        float highest[kWarps][16];
    };

    __device__ MmaRows(const PagedTile& tile, const AttentionMask& mask)
        : m_lane(static_cast<int>(threadIdx.x) % kWarpSize), m_warp(static_cast<int>(threadIdx.x) / kWarpSize) {
        for (int slot = 0; slot < kSlots; ++slot) {
            m_range[slot] = tile.visible(mask, row(slot));
            m_position[slot] = tile.position(row(slot));
            m_head[slot] = tile.head(row(slot));
        }
        clear();
    }

    __device__ void clear() {
        m_highest[0] = m_highest[1] = -INFINITY;
        for (float& total : m_totals) total = 0;
        for (auto& tile : m_sums) {
            for (float& sum : tile) sum = 0;
        }
    }
    __device__ int row(int slot) const { return firstRow() + m_lane / 4 + 8 * slot; }
    __device__ RowState state(int slot) const { return {m_totals[2 * slot], m_highest[slot]}; }
    __device__ bool isWriter(int /*slot*/) const { return m_lane % 4 == 0 && (kIsTall || m_warp == 0); }

    template <class F>
    __device__ void visit(const F& f) {
#pragma unroll
        for (int n = 0; n < 2 * kColumnPairs; ++n) {
#pragma unroll
            for (int e = 0; e < 4; ++e) f(4 * n + e, e / 2, firstColumn() + 8 * n + columnOf(e), m_sums[n][e]);
        }
    }

    __device__ void add(const AttentionRule& rule, Shared& shared, int stage, int firstKey) {
        float scores[2 * kOwnPairs][4];
        const bool scoresKeys = kIsTall || m_warp < kPairs;
        if (scoresKeys) multiplyKeys(shared, stage, scores);
        const int firstScored = firstKey + (kIsTall ? 0 : 16 * m_warp);
        float highest[kSlots] = {-INFINITY, -INFINITY};
        if (scoresKeys) applyRule(rule, firstScored, scores, highest);
        shareHighest(shared, highest);
        float shift[kSlots];
        rescale(highest, shift);
        if (scoresKeys) {
#pragma unroll
            for (auto& tile : scores) {
                for (int e = 0; e < 4; ++e) tile[e] = exp2Approximately(__fadd_rn(tile[e], -shift[e / 2]));
            }
        }
        if constexpr (kIsTall) {
#pragma unroll
            for (int p = 0; p < kPairs; ++p) {
                const uint32_t weights[4] = {packPair<T>(scores[2 * p][0], scores[2 * p][1]),
                                             packPair<T>(scores[2 * p][2], scores[2 * p][3]),
                                             packPair<T>(scores[2 * p + 1][0], scores[2 * p + 1][1]),
                                             packPair<T>(scores[2 * p + 1][2], scores[2 * p + 1][3])};
                multiplyValues(shared.values[stage] + 16 * p * kStride, weights);
            }
        } else {
            if (scoresKeys) storeWeights(shared, scores);
            __syncthreads();
#pragma unroll
            for (int p = 0; p < kPairs; ++p) {
                uint32_t weights[4];
                loadMatrices(weights, shared.weights + rowOfMatrix() * kWeightStride + 16 * p + columnOfMatrix());
                multiplyValues(shared.values[stage] + 16 * p * kStride, weights);
            }
        }
    }

private:
    __device__ int firstRow() const {
        return kIsTall ? 16 * m_warp : 0;
    }
    __device__ int firstColumn() const {
        return kIsTall ? 0 : kDim / kWarps * m_warp;
    }
    __device__ int columnOf(int e) const {
        return 2 * (m_lane % 4) + e % 2;
    }
    // Of the lane's row among the four matrices of a 16 x 16 operand: left upper, left lower, right upper, right lower.
    __device__ int rowOfMatrix() const {
        return m_lane % 16;
    }
    __device__ int columnOfMatrix() const {
        return m_lane / 16 * 8;
    }

    __device__ void multiplyKeys(const Shared& shared, int stage, float (&scores)[2 * kOwnPairs][4]) const {
#pragma unroll
        for (auto& tile : scores) {
            for (float& score : tile) score = 0;
        }
        const T* queries = shared.queries + (firstRow() + rowOfMatrix()) * kStride + columnOfMatrix();
        // Keys are the columns: first eight of a pair, left and right half of the depth, then the other eight.
        const int key = (kIsTall ? 0 : 16 * m_warp) + m_lane / 16 * 8 + m_lane % 8;
        const T* keys = shared.keys[stage] + key * kStride + m_lane / 8 % 2 * 8;
#pragma unroll
        for (int d = 0; d < kDim; d += 16) {
            uint32_t a[4];
            loadMatrices(a, queries + d);
#pragma unroll
            for (int p = 0; p < kOwnPairs; ++p) {
                uint32_t b[4];
                loadMatrices(b, keys + 16 * p * kStride + d);
                multiplyAdd<T>(scores[2 * p], a, b[0], b[1]);
                multiplyAdd<T>(scores[2 * p + 1], a, b[2], b[3]);
            }
        }
    }

    __device__ void applyRule(const AttentionRule& rule, int firstKey, float (&scores)[2 * kOwnPairs][4],
                              float (&highest)[kSlots]) const {
#pragma unroll
        for (int n = 0; n < 2 * kOwnPairs; ++n) {
#pragma unroll
            for (int e = 0; e < 4; ++e) {
                const int slot = e / 2;
                const int key = firstKey + 8 * n + columnOf(e);
                const bool isSeen = key >= m_range[slot].begin && key < m_range[slot].end;
                scores[n][e] =
                    isSeen ? scoreInBase2<T>(rule, scores[n][e], m_head[slot], m_position[slot], key) : -INFINITY;
                highest[slot] = fmaxf(highest[slot], scores[n][e]);
            }
        }
        for (float& value : highest) {
            value = fmaxf(value, __shfl_xor_sync(kAllLanes, value, 1));
            value = fmaxf(value, __shfl_xor_sync(kAllLanes, value, 2));
        }
    }

    __device__ void shareHighest(Shared& shared, float (&highest)[kSlots]) const {
        if constexpr (!kIsTall) {
            for (int slot = 0; slot < kSlots; ++slot) {
                if (m_lane % 4 == 0) shared.highest[m_warp][row(slot)] = highest[slot];
            }
            __syncthreads();
            for (int slot = 0; slot < kSlots; ++slot) {
                for (int warp = 0; warp < kPairs; ++warp)
                    highest[slot] = fmaxf(highest[slot], shared.highest[warp][row(slot)]);
            }
        }
    }

    __device__ void rescale(const float (&highest)[kSlots], float (&shift)[kSlots]) {
        float factor[kSlots];
        for (int slot = 0; slot < kSlots; ++slot) {
            const float next = fmaxf(m_highest[slot], highest[slot]);
            shift[slot] = shiftOf(next);
            factor[slot] = exp2Approximately(m_highest[slot] - shift[slot]);
            m_highest[slot] = next;
        }
        if (!__any_sync(kAllLanes, factor[0] != 1.0F || factor[1] != 1.0F)) return;
        for (int e = 0; e < 4; ++e) m_totals[e] = __fmul_rn(m_totals[e], factor[e / 2]);
#pragma unroll
        for (auto& tile : m_sums) {
            for (int e = 0; e < 4; ++e) tile[e] = __fmul_rn(tile[e], factor[e / 2]);
        }
    }

    __device__ void storeWeights(Shared& shared, const float (&scores)[2 * kOwnPairs][4]) const {
#pragma unroll
        for (int n = 0; n < 2; ++n) {
            for (int slot = 0; slot < kSlots; ++slot) {
                T* to = shared.weights + row(slot) * kWeightStride + 16 * m_warp + 8 * n + columnOf(0);
                *reinterpret_cast<uint32_t*>(to) = packPair<T>(scores[n][2 * slot], scores[n][2 * slot + 1]);
            }
        }
    }

    // The sum of weights is a product with ones: of the rounded weights, in an order that no lane decides.
    __device__ void multiplyValues(const T* values, const uint32_t (&weights)[4]) {
        const uint32_t ones = packPair<T>(1.0F, 1.0F);
        multiplyAdd<T>(m_totals, weights, ones, ones);
        const T* lane = values + rowOfMatrix() * kStride + firstColumn() + columnOfMatrix();
#pragma unroll
        for (int n = 0; n < kColumnPairs; ++n) {
            uint32_t b[4];
            loadMatricesTransposed(b, lane + 16 * n);
            multiplyAdd<T>(m_sums[2 * n], weights, b[0], b[1]);
            multiplyAdd<T>(m_sums[2 * n + 1], weights, b[2], b[3]);
        }
    }

    int m_lane;
    int m_warp;
    RowRange m_range[kSlots];
    int m_position[kSlots];
    int m_head[kSlots];
    float m_highest[kSlots];
    float m_totals[4];
    float m_sums[2 * kColumnPairs][4];
};

// F32: a warp has four rows; a lane scores one key of a step for each, and holds every 32nd column of O.
template <int kDim>
class FloatRows {
public:
    using T = float;
    static constexpr int kThreads = 128;
    static constexpr int kRows = 16;
    static constexpr int kStepKeys = kWarpSize;
    static constexpr int kStages = 1;
    static constexpr int kWidth = kDim;
    static constexpr int kStride = kDim + 4;  // packs of eight lanes hit all banks
    static constexpr int kSlots = 4;
    static constexpr int kColumns = kDim / kWarpSize;
    static constexpr int kSums = kSlots * kColumns;

    struct Shared {
        float queries[kRows * kStride];
        float keys[kStages][kStepKeys * kStride];
        float values[kStages][kStepKeys * kStride];
    };

    __device__ FloatRows(const PagedTile& tile, const AttentionMask& mask)
        : m_lane(static_cast<int>(threadIdx.x) % kWarpSize), m_warp(static_cast<int>(threadIdx.x) / kWarpSize) {
        for (int slot = 0; slot < kSlots; ++slot) {
            m_range[slot] = tile.visible(mask, row(slot));
            m_position[slot] = tile.position(row(slot));
            m_head[slot] = tile.head(row(slot));
        }
        clear();
    }

    __device__ void clear() {
        for (int slot = 0; slot < kSlots; ++slot) {
            m_state[slot] = {};
            for (float& sum : m_sums[slot]) sum = 0;
        }
    }
    __device__ int row(int slot) const { return kSlots * m_warp + slot; }
    __device__ RowState state(int slot) const { return m_state[slot]; }
    __device__ bool isWriter(int /*slot*/) const { return m_lane == 0; }

    template <class F>
    __device__ void visit(const F& f) {
#pragma unroll
        for (int slot = 0; slot < kSlots; ++slot) {
#pragma unroll
            for (int i = 0; i < kColumns; ++i) {
                f(slot * kColumns + i, slot, m_lane + kWarpSize * i, m_sums[slot][i]);
            }
        }
    }

    __device__ void add(const AttentionRule& rule, Shared& shared, int stage, int firstKey) {
        float weights[kSlots];
        multiplyKeys(shared, stage, weights);
        const int key = firstKey + m_lane;
#pragma unroll
        for (int slot = 0; slot < kSlots; ++slot) {
            const bool isSeen = key >= m_range[slot].begin && key < m_range[slot].end;
            const float score =
                isSeen ? scoreInBase2<float>(rule, weights[slot], m_head[slot], m_position[slot], key) : -INFINITY;
            const float highest = fmaxf(m_state[slot].highest, warpMax(score));
            const float shift = shiftOf(highest);
            const float factor = exp2Approximately(m_state[slot].highest - shift);
            weights[slot] = exp2Approximately(__fadd_rn(score, -shift));
            m_state[slot] = {__fmaf_rn(m_state[slot].total, factor, warpSum(weights[slot])), highest};
            for (float& sum : m_sums[slot]) sum = __fmul_rn(sum, factor);
        }
        for (int j = 0; j < kStepKeys; ++j) {
            const float* values = shared.values[stage] + j * kStride + m_lane;
            float weight[kSlots];
            for (int slot = 0; slot < kSlots; ++slot) weight[slot] = __shfl_sync(kAllLanes, weights[slot], j);
#pragma unroll
            for (int i = 0; i < kColumns; ++i) {
                for (int slot = 0; slot < kSlots; ++slot)
                    m_sums[slot][i] = __fmaf_rn(weight[slot], values[kWarpSize * i], m_sums[slot][i]);
            }
        }
    }

private:
    __device__ void multiplyKeys(const Shared& shared, int stage, float (&dots)[kSlots]) const {
        for (float& dot : dots) dot = 0;
        const float* key = shared.keys[stage] + m_lane * kStride;
        const float* query = shared.queries + row(0) * kStride;
#pragma unroll 4
        for (int d = 0; d < kDim; d += 4) {
            const Pack<float, 4> k = loadPack<4>(key + d);
#pragma unroll
            for (int slot = 0; slot < kSlots; ++slot) {
                const Pack<float, 4> q = loadPack<4>(query + slot * kStride + d);
                for (int i = 0; i < 4; ++i) dots[slot] = __fmaf_rn(q.values[i], k.values[i], dots[slot]);
            }
        }
    }

    int m_lane;
    int m_warp;
    RowRange m_range[kSlots];
    int m_position[kSlots];
    int m_head[kSlots];
    RowState m_state[kSlots];
    float m_sums[kSlots][kColumns];
};

}  // namespace wb::kernels::cuda
