// SPDX-License-Identifier: Apache-2.0
// out = alpha x W^T + bias (+ out) for at most 16 rows of x: every element of the weight is read once.
//
// A block makes 16 columns of out. BF16 and F16 go through the tensor cores whatever the number of rows, because the
// sums of a row must not depend on it: m16n8k16 with 16 rows of the weight as `a` and 8 rows of x as `b`, whose columns
// do not mix. A dot product may visit its terms in any order as long as both factors use the same, so lane (g, t) loads
// elements 8t .. 8t+7 of a run of 32 in one access of 16 bytes and takes them for its share of two fragments. The runs
// go to the warps in turn; the sums of the warps are added in their order. F32 has no such instruction: a warp makes
// two columns, a lane 4 neighbouring terms of each at a time.
// The order of a sum follows from its length alone: rows that cannot be read in packs are read element by element into
// the same lanes.
#include "kernels/cuda/few_rows.h"

#include "kernels/cuda/few_rows_sums.h"

#include <algorithm>
#include <cstring>

namespace wb::kernels::cuda {

using few_rows::kOutputs;
using few_rows::kThreads;
using few_rows::kWarps;
using few_rows::Shares;
using few_rows::storeOutput;
using few_rows::storeSums;

namespace {

// Loads of a lane under way: 4 KiB a warp, some 64 KiB a multiprocessor, twice what covers the latency of its memory.
constexpr int kInFlight = 4;
constexpr int kMaxProducts = 16;  // in one launch: they travel as its argument

struct Job {
    FewRowsProduct product;
    unsigned firstBlock = 0;
    bool isPacked = false;  // rows can be read 16 bytes at a time
};
struct Jobs {
    Job list[kMaxProducts];
    int count = 0;
};

__device__ inline const Job& jobOfBlock(const Jobs& jobs) {
    int i = 0;
    while (i + 1 < jobs.count && blockIdx.x >= jobs.list[i + 1].firstBlock) ++i;
    return jobs.list[i];
}

// Elements [k, k + kPackOf<T>) of a row; zeros behind its end. A weight is read once: it leaves the caches to x.
template <class T, bool kIsPacked, bool kIsWeight>
__device__ inline uint4 loadRun(const T* row, int64_t k, int64_t count) {
    uint4 bits = make_uint4(0, 0, 0, 0);
    if constexpr (kIsPacked) {
        const auto* address = reinterpret_cast<const uint4*>(row + k);
        if (k < count) bits = kIsWeight ? __ldcs(address) : *address;
    } else {
        T values[kPackOf<T>];
#pragma unroll
        for (int i = 0; i < kPackOf<T>; ++i) values[i] = k + i < count ? row[k + i] : T(0.0F);
        memcpy(&bits, values, sizeof(bits));
    }
    return bits;
}

// The warp's share of 16 columns and 8 kTiles rows; lane (g, t) gets columns g, g + 8 and rows 2t, 2t + 1 of each tile.
template <class T, int kTiles, bool kIsPacked>
__device__ inline void addShare(const FewRowsProduct& p, int64_t firstOutput, float (&sums)[kTiles][4]) {
    constexpr int64_t kRun = 32;
    const int lane = static_cast<int>(threadIdx.x) % kWarpSize;
    const int warp = static_cast<int>(threadIdx.x) / kWarpSize;
    const int g = lane / 4;
    const int t = lane % 4;
    const auto rowOf = [&p](const void* matrix, int64_t row, int64_t rows) {
        return static_cast<const T*>(matrix) + (row < rows ? row : rows - 1) * p.inputs;
    };
    const T* weights[2] = {rowOf(p.weight, firstOutput + g, p.outputs),
                           rowOf(p.weight, firstOutput + g + 8, p.outputs)};
    const T* xs[kTiles];
#pragma unroll
    for (int tile = 0; tile < kTiles; ++tile) xs[tile] = rowOf(p.x, 8 * tile + g, p.rows);

    constexpr int kAtOnce = kIsPacked ? kInFlight : 1;
    for (int64_t start = warp * kInFlight * kRun; start < p.inputs; start += kWarps * kInFlight * kRun) {
#pragma unroll 1
        for (int begin = 0; begin < kInFlight; begin += kAtOnce) {
            const int64_t k = start + begin * kRun + 8 * t;
            uint4 w[kAtOnce][2];
            uint4 x[kAtOnce][kTiles];
#pragma unroll
            for (int i = 0; i < kAtOnce; ++i) {
                w[i][0] = loadRun<T, kIsPacked, true>(weights[0], k + i * kRun, p.inputs);
                w[i][1] = loadRun<T, kIsPacked, true>(weights[1], k + i * kRun, p.inputs);
            }
#pragma unroll
            for (int i = 0; i < kAtOnce; ++i) {
#pragma unroll
                for (int tile = 0; tile < kTiles; ++tile) {
                    x[i][tile] = loadRun<T, kIsPacked, false>(xs[tile], k + i * kRun, p.inputs);
                }
            }
#pragma unroll
            for (int i = 0; i < kAtOnce; ++i) {
                const uint32_t first[4] = {w[i][0].x, w[i][1].x, w[i][0].y, w[i][1].y};
                const uint32_t second[4] = {w[i][0].z, w[i][1].z, w[i][0].w, w[i][1].w};
#pragma unroll
                for (int tile = 0; tile < kTiles; ++tile) {
                    multiplyAdd<T>(sums[tile], first, x[i][tile].x, x[i][tile].y);
                    multiplyAdd<T>(sums[tile], second, x[i][tile].z, x[i][tile].w);
                }
            }
        }
    }
}

template <class T, int kTiles>
__global__ void __launch_bounds__(kThreads, 2) fewRowsKernel(const __grid_constant__ Jobs jobs) {
    __shared__ Shares<kTiles> shares;
    const Job& job = jobOfBlock(jobs);
    const FewRowsProduct& p = job.product;
    const int64_t firstOutput = int64_t{blockIdx.x - job.firstBlock} * kOutputs;
    float sums[kTiles][4] = {};
    if (job.isPacked) {
        addShare<T, kTiles, true>(p, firstOutput, sums);
    } else {
        addShare<T, kTiles, false>(p, firstOutput, sums);
    }
    const int g = static_cast<int>(threadIdx.x) % kWarpSize / 4;
    storeSums<T>(p, firstOutput, sums, g, g + 8, shares);
}

// Two columns of out for up to kRows rows.
template <int kRows, bool kIsPacked>
__device__ inline void addFloats(const FewRowsProduct& p, int64_t firstOutput, float (&sums)[kRows][2]) {
    constexpr int kRun = kPackOf<float>;
    const int lane = static_cast<int>(threadIdx.x) % kWarpSize;
    const auto* x = static_cast<const float*>(p.x);
    const float* weights[2];
#pragma unroll
    for (int j = 0; j < 2; ++j) {
        weights[j] = static_cast<const float*>(p.weight) + min(firstOutput + j, p.outputs - 1) * p.inputs;
    }
    constexpr int kAtOnce = kIsPacked ? kInFlight : 1;
    constexpr int64_t kStep = kWarpSize * kRun;
    for (int64_t start = lane * kRun; start < p.inputs; start += kAtOnce * kStep) {
        float w[kAtOnce][2][kRun];
#pragma unroll
        for (int i = 0; i < kAtOnce; ++i) {
#pragma unroll
            for (int j = 0; j < 2; ++j) {
                const uint4 bits = loadRun<float, kIsPacked, true>(weights[j], start + i * kStep, p.inputs);
                memcpy(w[i][j], &bits, sizeof(bits));
            }
        }
#pragma unroll
        for (int i = 0; i < kAtOnce; ++i) {
#pragma unroll
            for (int row = 0; row < kRows; ++row) {
                if (row >= p.rows) break;
                const uint4 bits = loadRun<float, kIsPacked, false>(x + row * p.inputs, start + i * kStep, p.inputs);
                float values[kRun];
                memcpy(values, &bits, sizeof(bits));
#pragma unroll
                for (int e = 0; e < kRun; ++e) {
                    sums[row][0] = __fmaf_rn(w[i][0][e], values[e], sums[row][0]);
                    sums[row][1] = __fmaf_rn(w[i][1][e], values[e], sums[row][1]);
                }
            }
        }
    }
}

template <int kRows>
__global__ void __launch_bounds__(kThreads) fewRowsFloatKernel(const __grid_constant__ Jobs jobs) {
    const Job& job = jobOfBlock(jobs);
    const FewRowsProduct& p = job.product;
    const int warp = static_cast<int>(threadIdx.x) / kWarpSize;
    const int lane = static_cast<int>(threadIdx.x) % kWarpSize;
    const int64_t firstOutput = int64_t{blockIdx.x - job.firstBlock} * kOutputs + 2 * warp;
    if (firstOutput >= p.outputs) return;
    float sums[kRows][2] = {};
    if (job.isPacked) {
        addFloats<kRows, true>(p, firstOutput, sums);
    } else {
        addFloats<kRows, false>(p, firstOutput, sums);
    }
#pragma unroll
    for (int row = 0; row < kRows; ++row) {
        if (row >= p.rows) break;
        const float first = warpSum(sums[row][0]);
        const float second = warpSum(sums[row][1]);
        if (lane < 2 && firstOutput + lane < p.outputs) {
            storeOutput<float>(p, row, firstOutput + lane, lane == 0 ? first : second);
        }
    }
}

template <class T>
void launchJobs(const Stream& stream, const Jobs& jobs, unsigned blocks, int rows) {
    const LaunchShape shape{blocks, kThreads};
    if constexpr (sizeof(T) == 4) {
        if (rows == 1) return launch(stream, shape, fewRowsFloatKernel<1>, jobs);
        if (rows <= 4) return launch(stream, shape, fewRowsFloatKernel<4>, jobs);
        launch(stream, shape, fewRowsFloatKernel<kIndependentRows>, jobs);
    } else {
        if (rows <= 8) return launch(stream, shape, fewRowsKernel<T, 1>, jobs);
        launch(stream, shape, fewRowsKernel<T, 2>, jobs);
    }
}

template <class T>
void multiplyAs(const Stream& stream, std::span<const FewRowsProduct> products) {
    for (size_t begin = 0; begin < products.size(); begin += kMaxProducts) {
        Jobs jobs;
        unsigned blocks = 0;
        int32_t rows = 0;
        for (const FewRowsProduct& p :
             products.subspan(begin, std::min<size_t>(kMaxProducts, products.size() - begin))) {
            if (p.rows == 0 || p.outputs == 0) continue;
            jobs.list[jobs.count++] = {p, blocks, canPack<T>(p.inputs, p.x, p.weight)};
            blocks += blocksFor(p.outputs, kOutputs);
            rows = std::max(rows, p.rows);
        }
        launchJobs<T>(stream, jobs, blocks, rows);
    }
}

}  // namespace

void multiplyFewRows(const Stream& stream, DType inputs, std::span<const FewRowsProduct> products) {
    withType("linear", inputs, [&](auto tag) { multiplyAs<typename decltype(tag)::Type>(stream, products); });
}

}  // namespace wb::kernels::cuda
