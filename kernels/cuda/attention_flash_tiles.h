// SPDX-License-Identifier: Apache-2.0
// Tiles of 16-bit elements in shared memory and their products on the tensor cores, as the flash kernels use them.
//
// A tile has kColumns elements a row (a multiple of 64). Its 16-byte chunks are permuted within the row by an exclusive
// or with row % 8: eight rows at one column lie in different banks, whatever reads them.
// Blocks of 16 rows and of 8 columns are those of mma.m16n8k16 (ptx.h); a warp holds sums[row block][column block].
#pragma once

#include "kernels/cuda/device.h"

#include <cstdint>

namespace wb::kernels::cuda {

template <int kColumns>
__device__ inline int tileOffset(int row, int column) {
    static_assert(kColumns % 64 == 0);
    return row * kColumns + ((column / 8) ^ (row % 8)) * 8 + column % 8;
}

// Rows of one head in a packed [tokens, heads, headDim].
template <class T>
struct HeadRows {
    T* start = nullptr;  // of row 0
    int64_t stride = 0;  // elements between rows
    int headDim = 0;
    bool hasChunks = false;  // all rows can be moved in pieces of 16 bytes

    __device__ T* row(int i) const { return start + i * stride; }
};

// Of a sequence whose first row is `firstRow` of the packed batch.
template <class T>
__device__ inline HeadRows<T> rowsOfHead(T* data, int firstRow, int numHeads, int head, int headDim, bool hasChunks) {
    const int64_t stride = int64_t{numHeads} * headDim;
    return {data + firstRow * stride + int64_t{head} * headDim, stride, headDim, hasChunks};
}

// Rows first .. first + kRows into a tile, those outside begin <= row < end and columns behind headDim as zeros. Chunks
// travel by cp.async; the caller commits and waits.
template <int kRows, int kColumns, int kThreads, class T>
__device__ inline void fetchTile(T* tile, const HeadRows<const T>& source, int first, int begin, int end) {
    constexpr int kChunks = kColumns / 8;
    constexpr int kRowStep = kThreads / kChunks;
    static_assert(kThreads % kChunks == 0 && kRows % kRowStep == 0);
    const int thread = computedHere(static_cast<int>(threadIdx.x));
    const int column = thread % kChunks * 8;
    int i = thread / kChunks;
    const T* from = source.row(first + i) + column;
    if (source.hasChunks) {
        const bool isColumn = column < source.headDim;
#pragma unroll 4
        for (int step = 0; step < kRows / kRowStep; ++step, i += kRowStep, from += kRowStep * source.stride) {
            const bool isPresent = isColumn && first + i >= begin && first + i < end;
            copyAsync16(tile + tileOffset<kColumns>(i, column), isPresent ? from : source.start, isPresent);
        }
        return;
    }
#pragma unroll 1
    for (; i < kRows; i += kRowStep, from += kRowStep * source.stride) {
        const bool isRow = first + i >= begin && first + i < end;
        T* target = tile + tileOffset<kColumns>(i, column);
#pragma unroll 1
        for (int c = 0; c < 8; ++c) {
            target[c] = isRow && column + c < source.headDim ? from[c] : fromFloat<T>(0.0F);
        }
    }
}

// 16 rows of a tile that one warp wrote, kWidth columns from firstColumn on, to memory; rows from `end` on and columns
// behind headDim stay.
template <int kColumns, int kWidth, class T>
__device__ inline void storeTileRows(const T* tile, int tileRow, int firstColumn, const HeadRows<T>& target,
                                     int firstRow, int end) {
    constexpr int kChunks = kWidth / 8;
    for (int i = static_cast<int>(threadIdx.x) % kWarpSize; i < 16 * kChunks; i += kWarpSize) {
        const int row = firstRow + i / kChunks;
        const int column = firstColumn + i % kChunks * 8;
        if (row >= end || column >= target.headDim) continue;
        const T* from = tile + tileOffset<kColumns>(tileRow + i / kChunks, column);
        if (target.hasChunks) {
            storePack(target.row(row) + column, loadPack<8>(from));
        } else {
            for (int c = 0; c < 8 && column + c < target.headDim; ++c) target.row(row)[column + c] = from[c];
        }
    }
}

// Where a lane reads for ldmatrix, in elements from the first of 16 rows on. A column that is a multiple of 16 joins by
// an exclusive or; further rows join by addition.
//   Left: as left operand (16 rows by 16 columns), or transposed as right operand (16 summed rows, two column blocks)
//   RightTransposed: 16 rows are two column blocks, 16 columns are summed over
enum class LaneOrder { Left, RightTransposed };

template <int kColumns, LaneOrder kOrder>
__device__ inline int laneStart() {
    const int lane = static_cast<int>(threadIdx.x) % kWarpSize;
    const bool isLeft = kOrder == LaneOrder::Left;
    const int row = isLeft ? lane % 16 : lane % 8 + lane / 16 * 8;
    const int half = isLeft ? lane / 16 : lane / 8 % 2;
    return computedHere(row * kColumns + (half ^ (row % 8)) * 8);
}

template <int kRowBlocks, int kColumnBlocks>
using Sums = float[kRowBlocks][kColumnBlocks][4];

template <int kRowBlocks, int kColumnBlocks>
__device__ inline void clear(Sums<kRowBlocks, kColumnBlocks>& sums) {
#pragma unroll
    for (int m = 0; m < kRowBlocks; ++m) {
#pragma unroll
        for (int n = 0; n < kColumnBlocks; ++n) {
#pragma unroll
            for (int i = 0; i < 4; ++i) sums[m][n][i] = 0.0F;
        }
    }
}

// The left operand of multiplyKept(): rows of a tile in registers.
template <int kColumns, int kRowBlocks>
using KeptRows = uint32_t[kColumns / 16][kRowBlocks][4];

template <int kColumns, int kRowBlocks, class T>
__device__ inline void keepRows(KeptRows<kColumns, kRowBlocks>& kept, const T* tile, int row) {
    const int start = laneStart<kColumns, LaneOrder::Left>();
#pragma unroll
    for (int step = 0; step < kColumns / 16; ++step) {
#pragma unroll
        for (int m = 0; m < kRowBlocks; ++m) {
            loadMatrices(kept[step][m], tile + (row + m * 16) * kColumns + (start ^ (step * 16)));
        }
    }
}

// sums += left right^T over the 16 columns from `column` on; `start` is the lane's in the rows of `right`.
template <int kColumns, int kRowBlocks, int kColumnBlocks, class T>
__device__ inline void multiplyStep(Sums<kRowBlocks, kColumnBlocks>& sums, const uint32_t (&left)[kRowBlocks][4],
                                    const T* right, int start, int column) {
#pragma unroll
    for (int n = 0; n < kColumnBlocks; n += 2) {
        uint32_t b[4];
        loadMatrices(b, right + n * 8 * kColumns + (start ^ column));
#pragma unroll
        for (int m = 0; m < kRowBlocks; ++m) {
            multiplyAdd<T>(sums[m][n], left[m], b[0], b[1]);
            multiplyAdd<T>(sums[m][n + 1], left[m], b[2], b[3]);
        }
    }
}

// sums += left right^T, both summed over all columns of the tiles; the rows of `right` are the columns of sums.
template <int kColumns, int kRowBlocks, int kColumnBlocks, class T>
__device__ inline void multiplyKept(Sums<kRowBlocks, kColumnBlocks>& sums, const KeptRows<kColumns, kRowBlocks>& left,
                                    const T* right) {
    const int start = laneStart<kColumns, LaneOrder::RightTransposed>();
#pragma unroll
    for (int step = 0; step < kColumns / 16; ++step) multiplyStep<kColumns>(sums, left[step], right, start, step * 16);
}

// The same with rows row .. of a tile on the left.
template <int kColumns, int kRowBlocks, int kColumnBlocks, class T>
__device__ inline void multiplyTransposed(Sums<kRowBlocks, kColumnBlocks>& sums, const T* left, int row,
                                          const T* right) {
    const int leftStart = laneStart<kColumns, LaneOrder::Left>();
    const int rightStart = laneStart<kColumns, LaneOrder::RightTransposed>();
#pragma unroll
    for (int column = 0; column < kColumns; column += 16) {
        uint32_t a[kRowBlocks][4];
#pragma unroll
        for (int m = 0; m < kRowBlocks; ++m) {
            loadMatrices(a[m], left + (row + m * 16) * kColumns + (leftStart ^ column));
        }
        multiplyStep<kColumns>(sums, a, right, rightStart, column);
    }
}

// sums += weights right[.., firstColumn ..]: weights are sums of an earlier product, rounded to T here. Their columns
// are the rows of `right`.
template <int kColumns, int kRowBlocks, int kInnerBlocks, int kColumnBlocks, class T>
__device__ inline void multiplyWeights(Sums<kRowBlocks, kColumnBlocks>& sums,
                                       const Sums<kRowBlocks, kInnerBlocks>& weights, const T* right,
                                       int firstColumn = 0) {
    const int start = laneStart<kColumns, LaneOrder::Left>() ^ firstColumn;
#pragma unroll
    for (int k = 0; k < kInnerBlocks; k += 2) {
        uint32_t a[kRowBlocks][4];
#pragma unroll
        for (int m = 0; m < kRowBlocks; ++m) {
            a[m][0] = packPair<T>(weights[m][k][0], weights[m][k][1]);
            a[m][1] = packPair<T>(weights[m][k][2], weights[m][k][3]);
            a[m][2] = packPair<T>(weights[m][k + 1][0], weights[m][k + 1][1]);
            a[m][3] = packPair<T>(weights[m][k + 1][2], weights[m][k + 1][3]);
        }
#pragma unroll
        for (int n = 0; n < kColumnBlocks; n += 2) {
            uint32_t b[4];
            loadMatricesTransposed(b, right + k * 8 * kColumns + (start ^ (n * 8)));
#pragma unroll
            for (int m = 0; m < kRowBlocks; ++m) {
                multiplyAdd<T>(sums[m][n], a[m], b[0], b[1]);
                multiplyAdd<T>(sums[m][n + 1], a[m], b[2], b[3]);
            }
        }
    }
}

// Sums times a factor of their row, rounded to T, into the rows of a tile that belong to the warp, from column
// firstColumn on.
template <int kColumns, int kRowBlocks, int kColumnBlocks, class T>
__device__ inline void roundToTile(T* tile, int tileRow, int firstColumn, const Sums<kRowBlocks, kColumnBlocks>& sums,
                                   const float (&factors)[kRowBlocks][2]) {
    const int lane = static_cast<int>(threadIdx.x) % kWarpSize;
#pragma unroll
    for (int m = 0; m < kRowBlocks; ++m) {
#pragma unroll
        for (int n = 0; n < kColumnBlocks; ++n) {
#pragma unroll
            for (int half = 0; half < 2; ++half) {
                const int row = tileRow + m * 16 + half * 8 + lane / 4;
                T* target = tile + tileOffset<kColumns>(row, firstColumn + n * 8 + lane % 4 * 2);
                *reinterpret_cast<uint32_t*>(target) =
                    packPair<T>(sums[m][n][2 * half] * factors[m][half], sums[m][n][2 * half + 1] * factors[m][half]);
            }
        }
    }
}

}  // namespace wb::kernels::cuda
