// SPDX-License-Identifier: Apache-2.0
// RMS norm and layer norm share everything but the mean, so they share their kernels (kIsCentred: with a mean).
//
// A row lies in the registers of `lanes` threads as packs of 16 bytes: it is read once, reduced, and written once.
// Short rows share a block, up to a row for each lane of a warp. Rows that are too long or do not divide into packs are
// read again from the cache instead (the ...Looped kernels).
//
// Floor, for T rows of C elements of b bytes: forward (2, with a residual 4) T C b; backward (3, with a residual 4) T C
// b and 8 bytes for each column and block that leaves partial sums of the weight's gradient.
#pragma once

#include "kernels/cuda/column_sums.h"
#include "kernels/cuda/device.h"
#include "kernels/cuda/stream.h"

#include <algorithm>
#include <bit>

namespace wb::kernels::cuda {

inline constexpr int kNormMaxLanes = 512;     // of a row: leaves 128 registers to each
inline constexpr int kNormSmallBlock = 128;   // threads of a block of short rows
inline constexpr int kNormMaxPerThread = 32;  // elements of a row
inline constexpr int kNormMaxSums = 32;       // sums of columns a thread can keep beside the row
inline constexpr int kNormLoopedThreads = 256;

template <class T>
struct NormForward {
    const T* x;
    const T* residual;  // or null, as all below
    const T* weight;
    const T* bias;
    T* out;
    T* sum;
    float* mean;
    float* inverse;
    int64_t rows;
    int columns;
    float eps;
    float weightOffset;
};

template <class T>
struct NormBackward {
    const T* dOut;
    const T* s;
    const T* weight;
    const float* mean;
    const float* inverse;
    const T* dResidual;
    T* dX;
    float* weightSums;  // [blocks, C]
    float* biasSums;
    int64_t rows;
    int columns;
    float weightOffset;
};

// How the row of `columns` elements lies over threads: each holds `packs` of them. packs 0: not at all.
struct NormLayout {
    int lanes = 0;
    int rowsPerBlock = 1;
    int packs = 0;
};

template <class T>
inline NormLayout normLayout(int64_t columns) {
    if (columns == 0 || columns % kPackOf<T> != 0) return {};
    const int64_t inRow = columns / kPackOf<T>;
    if (inRow <= kWarpSize) {
        const auto lanes = static_cast<int>(std::bit_ceil(static_cast<uint64_t>(inRow)));
        return {lanes, kNormSmallBlock / lanes, 1};
    }
    constexpr int kMaxPacks = kNormMaxPerThread / kPackOf<T>;
    for (int packs = 1; packs <= kMaxPacks; packs *= 2) {
        const int64_t lanes = (inRow + packs * kWarpSize - 1) / (packs * kWarpSize) * kWarpSize;
        const int64_t limit = 2 * packs >= kMaxPacks ? kNormMaxLanes : kNormMaxLanes / 2;
        if (lanes <= limit) return {static_cast<int>(lanes), 1, packs};
    }
    return {};
}

// Rows of partial sums that backward leaves: one for each block. Two blocks for each multiprocessor of a large device
// keep its memory busy; a block of few rows would cost more in partial sums than it gains.
template <class T>
inline int64_t normPartials(int64_t rows, int64_t columns) {
    constexpr int64_t kMaxBlocks = 264;
    constexpr int64_t kMinSweeps = 8;
    return std::clamp<int64_t>(rows / (normLayout<T>(columns).rowsPerBlock * kMinSweeps), 1, kMaxBlocks);
}

// Bytes of the partial sums of one gradient of columns, for rows like those of dOut.
inline size_t normSumBytes(const ConstView& dOut) {
    const int64_t rows = dOut.shape[0];
    const int64_t columns = dOut.shape[1];
    const int64_t partials =
        dOut.dtype == DType::F32 ? normPartials<float>(rows, columns) : normPartials<__half>(rows, columns);
    return static_cast<size_t>(partials * columns) * sizeof(float);
}

// Sums over the threads of a row, which lies along x: a power of two up to a warp, or whole warps that are the block.
// Every thread of the block must call. scratch: as many floats of shared memory as there are warps.
__device__ inline float normRowSum(float x, float* scratch) {
    const int lanes = static_cast<int>(blockDim.x);
    for (int step = min(lanes, kWarpSize) / 2; step > 0; step /= 2) x += __shfl_xor_sync(kAllLanes, x, step);
    if (lanes <= kWarpSize) return x;
    const int lane = static_cast<int>(threadIdx.x) % kWarpSize;
    const int warp = static_cast<int>(threadIdx.x) / kWarpSize;
    __syncthreads();  // the scratch may still be read from the last call
    if (lane == 0) scratch[warp] = x;
    __syncthreads();
    return warpSum(lane < lanes / kWarpSize ? scratch[lane] : 0.0F);
}

template <class T, int kPacks, bool kIsCentred>
__global__ void __launch_bounds__(kNormMaxLanes) normForwardKernel(NormForward<T> p) {
    constexpr int kN = kPackOf<T>;
    __shared__ float scratch[kNormMaxLanes / kWarpSize];
    const int64_t row = int64_t{blockIdx.x} * blockDim.y + threadIdx.y;
    const int64_t start = row * p.columns;
    const auto columnOf = [](int j) { return static_cast<int>(threadIdx.x + j * blockDim.x) * kN; };
    const auto isHere = [&](int j) { return row < p.rows && columnOf(j) < p.columns; };
    Pack<T, kN> s[kPacks] = {};
    float total = 0;
#pragma unroll
    for (int j = 0; j < kPacks; ++j) {
        if (!isHere(j)) continue;
        s[j] = loadPack<kN>(p.x + start + columnOf(j));
        if (p.residual != nullptr) {
            const Pack<T, kN> residual = loadPack<kN>(p.residual + start + columnOf(j));
#pragma unroll
            // Rounded, so that the norm is that of the sum which later ops see.
            for (int i = 0; i < kN; ++i)
                s[j].values[i] = fromFloat<T>(toFloat(s[j].values[i]) + toFloat(residual.values[i]));
        }
        if (p.sum != nullptr) storePack(p.sum + start + columnOf(j), s[j]);
#pragma unroll
        for (int i = 0; i < kN; ++i) {
            const float v = toFloat(s[j].values[i]);
            total += kIsCentred ? v : v * v;
        }
    }
    const auto columns = static_cast<float>(p.columns);
    float mean = 0;
    if constexpr (kIsCentred) {
        // The squares around the mean in a second sweep: the difference of mean squares loses all digits of a row that
        // lies far from zero.
        mean = normRowSum(total, scratch) / columns;
        total = 0;
#pragma unroll
        for (int j = 0; j < kPacks; ++j) {
            if (!isHere(j)) continue;
#pragma unroll
            for (int i = 0; i < kN; ++i) {
                const float v = toFloat(s[j].values[i]) - mean;
                total += v * v;
            }
        }
    }
    const float inverse = 1.0F / sqrtf(normRowSum(total, scratch) / columns + p.eps);
#pragma unroll
    for (int j = 0; j < kPacks; ++j) {
        if (!isHere(j)) continue;
        const Pack<T, kN> weight = loadPack<kN>(p.weight + columnOf(j));
        Pack<T, kN> bias{};
        if (kIsCentred && p.bias != nullptr) bias = loadPack<kN>(p.bias + columnOf(j));
#pragma unroll
        for (int i = 0; i < kN; ++i) {
            const float n = (toFloat(s[j].values[i]) - mean) * inverse;
            const float shift = kIsCentred ? toFloat(bias.values[i]) : 0.0F;
            s[j].values[i] = fromFloat<T>(n * (toFloat(weight.values[i]) + p.weightOffset) + shift);
        }
        storePack(p.out + start + columnOf(j), s[j]);
    }
    if (threadIdx.x != 0 || row >= p.rows) return;
    if (kIsCentred && p.mean != nullptr) p.mean[row] = mean;
    if (p.inverse != nullptr) p.inverse[row] = inverse;
}

template <class T, bool kIsCentred>
__global__ void __launch_bounds__(kNormLoopedThreads) normForwardLooped(NormForward<T> p) {
    __shared__ float scratch[kNormLoopedThreads / kWarpSize];
    const int64_t start = int64_t{blockIdx.x} * p.columns;
    const T* s = p.x + start;
    float total = 0;
    for (int c = static_cast<int>(threadIdx.x); c < p.columns; c += kNormLoopedThreads) {
        T value = s[c];
        if (p.residual != nullptr) value = fromFloat<T>(toFloat(value) + toFloat(p.residual[start + c]));
        if (p.sum != nullptr) p.sum[start + c] = value;
        total += kIsCentred ? toFloat(value) : toFloat(value) * toFloat(value);
    }
    if (p.residual != nullptr) s = p.sum + start;  // every thread reads only what it wrote
    const auto columns = static_cast<float>(p.columns);
    float mean = 0;
    if constexpr (kIsCentred) {
        mean = blockSum<kNormLoopedThreads>(total, scratch) / columns;
        total = 0;
        for (int c = static_cast<int>(threadIdx.x); c < p.columns; c += kNormLoopedThreads) {
            const float v = toFloat(s[c]) - mean;
            total += v * v;
        }
    }
    const float inverse = 1.0F / sqrtf(blockSum<kNormLoopedThreads>(total, scratch) / columns + p.eps);
    for (int c = static_cast<int>(threadIdx.x); c < p.columns; c += kNormLoopedThreads) {
        const float n = (toFloat(s[c]) - mean) * inverse;
        const float shift = kIsCentred && p.bias != nullptr ? toFloat(p.bias[c]) : 0.0F;
        p.out[start + c] = fromFloat<T>(n * (toFloat(p.weight[c]) + p.weightOffset) + shift);
    }
    if (threadIdx.x != 0) return;
    if (kIsCentred && p.mean != nullptr) p.mean[blockIdx.x] = mean;
    if (p.inverse != nullptr) p.inverse[blockIdx.x] = inverse;
}

// Adds the sums of the rows of a block, each of which has a share [columns] of `shared`, into one row of partial sums.
template <int kN, int kPacks>
__device__ inline void normStoreSums(const float (&sums)[kPacks][kN], int columns, float* shared, float* partials) {
    if (blockDim.y == 1) {
#pragma unroll
        for (int j = 0; j < kPacks; ++j) {
            const int column = static_cast<int>(threadIdx.x + j * blockDim.x) * kN;
            if (column >= columns) continue;
#pragma unroll
            for (int i = 0; i < kN; i += 4) {
                storePack(partials + column + i,
                          Pack<float, 4>{sums[j][i], sums[j][i + 1], sums[j][i + 2], sums[j][i + 3]});
            }
        }
        return;
    }
    __syncthreads();  // the share may still be read from the last call
    const int column = static_cast<int>(threadIdx.x) * kN;
    if (column < columns) {
#pragma unroll
        for (int i = 0; i < kN; ++i) shared[static_cast<int>(threadIdx.y) * columns + column + i] = sums[0][i];
    }
    __syncthreads();
    const int first = static_cast<int>(threadIdx.y * blockDim.x + threadIdx.x);
    for (int c = first; c < columns; c += kNormSmallBlock) {
        float total = 0;
        for (int y = 0; y < static_cast<int>(blockDim.y); ++y) total += shared[y * columns + c];
        partials[c] = total;
    }
}

template <class T, int kPacks, bool kIsCentred, bool kSumsWeights>
__global__ void __launch_bounds__(kNormMaxLanes) normBackwardKernel(NormBackward<T> p) {
    constexpr int kN = kPackOf<T>;
    __shared__ float scratch[kNormMaxLanes / kWarpSize];
    const auto columnOf = [](int j) { return static_cast<int>(threadIdx.x + j * blockDim.x) * kN; };
    const auto columns = static_cast<float>(p.columns);
    float weightSums[kPacks][kN] = {};
    float biasSums[kIsCentred ? kPacks : 1][kN] = {};
    const int64_t rowsPerSweep = int64_t{gridDim.x} * blockDim.y;
    for (int64_t first = int64_t{blockIdx.x} * blockDim.y; first < p.rows; first += rowsPerSweep) {
        const int64_t row = first + threadIdx.y;
        const int64_t start = row * p.columns;
        const auto isHere = [&](int j) { return row < p.rows && columnOf(j) < p.columns; };
        const float mean = kIsCentred && row < p.rows ? p.mean[row] : 0.0F;
        const float inverse = row < p.rows ? p.inverse[row] : 0.0F;
        Pack<T, kN> s[kPacks] = {};
        Pack<T, kN> dOut[kPacks] = {};
        float product = 0;
        float total = 0;
#pragma unroll
        for (int j = 0; j < kPacks; ++j) {
            if (!isHere(j)) continue;
            s[j] = loadPack<kN>(p.s + start + columnOf(j));
            dOut[j] = loadPack<kN>(p.dOut + start + columnOf(j));
            const Pack<T, kN> weight = loadPack<kN>(p.weight + columnOf(j));
#pragma unroll
            for (int i = 0; i < kN; ++i) {
                const float d = toFloat(dOut[j].values[i]);
                const float n = (toFloat(s[j].values[i]) - mean) * inverse;
                const float g = d * (toFloat(weight.values[i]) + p.weightOffset);
                product += g * n;
                if constexpr (kIsCentred) total += g;
                if constexpr (kSumsWeights) {
                    weightSums[j][i] += d * n;
                    if constexpr (kIsCentred) biasSums[j][i] += d;
                }
            }
        }
        const float projection = normRowSum(product, scratch) / columns;
        const float level = kIsCentred ? normRowSum(total, scratch) / columns : 0.0F;
#pragma unroll
        for (int j = 0; j < kPacks; ++j) {
            if (!isHere(j)) continue;
            const Pack<T, kN> weight = loadPack<kN>(p.weight + columnOf(j));
            Pack<T, kN> dResidual{};
            if (p.dResidual != nullptr) dResidual = loadPack<kN>(p.dResidual + start + columnOf(j));
            Pack<T, kN> dX;
#pragma unroll
            for (int i = 0; i < kN; ++i) {
                const float n = (toFloat(s[j].values[i]) - mean) * inverse;
                const float g = toFloat(dOut[j].values[i]) * (toFloat(weight.values[i]) + p.weightOffset);
                dX.values[i] = fromFloat<T>(inverse * (g - level - n * projection) + toFloat(dResidual.values[i]));
            }
            storePack(p.dX + start + columnOf(j), dX);
        }
    }
    if constexpr (kSumsWeights) {
        __shared__ float shares[kNormSmallBlock * kN];
        const int64_t place = int64_t{blockIdx.x} * p.columns;
        if (p.weightSums != nullptr) normStoreSums(weightSums, p.columns, shares, p.weightSums + place);
        if constexpr (kIsCentred) {
            if (p.biasSums != nullptr) normStoreSums(biasSums, p.columns, shares, p.biasSums + place);
        }
    }
}

template <class T, bool kIsCentred>
__global__ void __launch_bounds__(kNormLoopedThreads) normBackwardLooped(NormBackward<T> p) {
    __shared__ float scratch[kNormLoopedThreads / kWarpSize];
    const int64_t start = int64_t{blockIdx.x} * p.columns;
    const float mean = kIsCentred ? p.mean[blockIdx.x] : 0.0F;
    const float inverse = p.inverse[blockIdx.x];
    float product = 0;
    float total = 0;
    for (int c = static_cast<int>(threadIdx.x); c < p.columns; c += kNormLoopedThreads) {
        const float g = toFloat(p.dOut[start + c]) * (toFloat(p.weight[c]) + p.weightOffset);
        product += g * (toFloat(p.s[start + c]) - mean) * inverse;
        total += g;
    }
    const auto columns = static_cast<float>(p.columns);
    const float projection = blockSum<kNormLoopedThreads>(product, scratch) / columns;
    const float level = kIsCentred ? blockSum<kNormLoopedThreads>(total, scratch) / columns : 0.0F;
    for (int c = static_cast<int>(threadIdx.x); c < p.columns; c += kNormLoopedThreads) {
        const float g = toFloat(p.dOut[start + c]) * (toFloat(p.weight[c]) + p.weightOffset);
        const float n = (toFloat(p.s[start + c]) - mean) * inverse;
        const float dResidual = p.dResidual != nullptr ? toFloat(p.dResidual[start + c]) : 0.0F;
        p.dX[start + c] = fromFloat<T>(inverse * (g - level - n * projection) + dResidual);
    }
}

// Terms of the weight's gradient, dOut n, for a sweep of its own; of the bias with kIsOfBias.
template <class T, bool kIsOfBias>
struct NormTerm {
    NormBackward<T> p;

    template <int N>
    __device__ void at(int64_t row, int column, float (&terms)[N]) const {
        const int64_t place = row * p.columns + column;
        const Pack<T, N> dOut = loadPack<N>(p.dOut + place);
        Pack<T, N> s{};
        if (!kIsOfBias) s = loadPack<N>(p.s + place);
        const float mean = p.mean != nullptr ? p.mean[row] : 0.0F;
#pragma unroll
        for (int i = 0; i < N; ++i) {
            const float n = kIsOfBias ? 1.0F : (toFloat(s.values[i]) - mean) * p.inverse[row];
            terms[i] = toFloat(dOut.values[i]) * n;
        }
    }
};

// Calls body(std::integral_constant<int, packs>) for a layout that exists.
template <class T, class Body>
void withNormPacks(int packs, const Body& body) {
    switch (packs) {
        case 1: return body(std::integral_constant<int, 1>{});
        case 2: return body(std::integral_constant<int, 2>{});
        case 4: return body(std::integral_constant<int, 4>{});
        default:
            if constexpr (kPackOf<T> == 4) body(std::integral_constant<int, 8>{});
    }
}

template <class T, bool kIsCentred>
void normForward(const Context& context, const NormForward<T>& p) {
    const NormLayout layout = normLayout<T>(p.columns);
    const Stream& stream = streamOf(context);
    if (p.columns == 0) return;
    if (layout.packs == 0 || !canPack<T>(p.columns, p.x, p.residual, p.weight, p.bias, p.out, p.sum)) {
        launch(stream, {static_cast<unsigned>(p.rows), kNormLoopedThreads}, normForwardLooped<T, kIsCentred>, p);
        return;
    }
    const LaunchShape shape{blocksFor(p.rows, layout.rowsPerBlock),
                            dim3(static_cast<unsigned>(layout.lanes), static_cast<unsigned>(layout.rowsPerBlock))};
    withNormPacks<T>(layout.packs,
                     [&](auto packs) { launch(stream, shape, normForwardKernel<T, packs.value, kIsCentred>, p); });
}

// The sums of columns in a sweep of their own.
template <class T>
void normColumnSums(const Context& context, const NormBackward<T>& p, bool isPacked, float* dWeight, float* dBias) {
    const int64_t partials = normPartials<T>(p.rows, p.columns);
    const auto sum = [&](const auto& term, float* scratch, float* out) {
        if (out != nullptr)
            addColumnSums<kPackOf<T>>(streamOf(context), p.rows, p.columns, isPacked, term, partials, scratch, out);
    };
    sum(NormTerm<T, false>{p}, p.weightSums, dWeight);
    sum(NormTerm<T, true>{p}, p.biasSums, dBias);
}

// p.weightSums and p.biasSums are the scratch for what is summed, [normPartials, C]; dWeight and dBias their targets.
template <class T, bool kIsCentred>
void normBackward(const Context& context, const NormBackward<T>& p, float* dWeight, float* dBias) {
    if (p.columns == 0 || p.rows == 0) return;
    const NormLayout layout = normLayout<T>(p.columns);
    const Stream& stream = streamOf(context);
    const int64_t partials = normPartials<T>(p.rows, p.columns);
    if (layout.packs == 0 || !canPack<T>(p.columns, p.dOut, p.s, p.weight, p.dResidual, p.dX)) {
        launch(stream, {static_cast<unsigned>(p.rows), kNormLoopedThreads}, normBackwardLooped<T, kIsCentred>, p);
        normColumnSums(context, p, false, dWeight, dBias);
        return;
    }
    const bool sumsWeights = dWeight != nullptr || dBias != nullptr;
    const dim3 block(static_cast<unsigned>(layout.lanes), static_cast<unsigned>(layout.rowsPerBlock));
    const dim3 allRows(blocksFor(p.rows, layout.rowsPerBlock));
    withNormPacks<T>(layout.packs, [&](auto packs) {
        constexpr int kSums = packs.value * kPackOf<T> * (kIsCentred ? 2 : 1);
        if constexpr (kSums <= kNormMaxSums) {
            if (sumsWeights) {
                launch(stream, {dim3(static_cast<unsigned>(partials)), block},
                       normBackwardKernel<T, packs.value, kIsCentred, true>, p);
                if (dWeight != nullptr) addPartialSums(stream, p.weightSums, partials, p.columns, dWeight);
                if (dBias != nullptr) addPartialSums(stream, p.biasSums, partials, p.columns, dBias);
                return;
            }
        }
        launch(stream, {allRows, block}, normBackwardKernel<T, packs.value, kIsCentred, false>, p);
        normColumnSums(context, p, true, dWeight, dBias);
    });
}

}  // namespace wb::kernels::cuda
