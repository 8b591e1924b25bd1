// SPDX-License-Identifier: Apache-2.0
// out[p] = w[a] x[a / k];  out[t] = sum_j w[t, j] rows[slots[t, j]];  dW[t, j] = dOut[t] . rows[slots[t, j]]
#include "kernels/cuda/cuda_ops.h"
#include "kernels/cuda/packs.h"

namespace wb::kernels::cuda {
namespace {

constexpr int kDotWarps = 8;

// Weights of the dtype of the rows or in F32; absent ones are 1.
template <class T>
struct Weights {
    const T* same = nullptr;
    const float* wide = nullptr;

    explicit Weights(const ConstView& weights) {
        if (weights.dtype == DType::F32) {
            wide = weights.as<float>();
        } else {
            same = weights.as<T>();
        }
    }
    __device__ float at(int64_t i) const {
        if (wide != nullptr) return wide[i];
        return same != nullptr ? toFloat(same[i]) : 1.0F;
    }
};

template <class T>
struct GatheredRows {
    const T* x;
    const int32_t* assignments;  // or null
    Weights<T> weights;
    T* out;
    int64_t columns;
    int64_t rowsPerSource;

    template <int N>
    __device__ void at(int64_t row, int column) const {
        const int64_t assignment = assignments != nullptr ? assignments[row] : row;
        Pack<T, N> pack = loadPack<N>(x + assignment / rowsPerSource * columns + column);
        const float weight = weights.at(assignment);
#pragma unroll
        for (int i = 0; i < N; ++i) pack.values[i] = fromFloat<T>(weight * toFloat(pack.values[i]));
        storePack(out + row * columns + column, pack);
    }
};

template <class T>
struct CombinedRows {
    const T* rows;
    const int32_t* slots;
    Weights<T> weights;
    T* out;
    int64_t columns;
    int64_t slotsPerRow;

    template <int N>
    __device__ void at(int64_t row, int column) const {
        float sum[N] = {};
        for (int64_t j = row * slotsPerRow; j < (row + 1) * slotsPerRow; ++j) {
            const Pack<T, N> part = loadPack<N>(rows + slots[j] * columns + column);
            const float weight = weights.at(j);
#pragma unroll
            for (int i = 0; i < N; ++i) sum[i] = fmaf(weight, toFloat(part.values[i]), sum[i]);
        }
        Pack<T, N> pack;
#pragma unroll
        for (int i = 0; i < N; ++i) pack.values[i] = fromFloat<T>(sum[i]);
        storePack(out + row * columns + column, pack);
    }
};

// A warp for each weight.
template <class T, class Weight, int N>
__global__ void __launch_bounds__(kDotWarps* kWarpSize)
    weightGradientsKernel(const T* dOut, const T* rows, const int32_t* slots, Weight* dWeights, int64_t count,
                          int64_t slotsPerRow, int64_t columns) {
    const int64_t weight = int64_t{blockIdx.x} * kDotWarps + threadIdx.y;
    if (weight >= count) return;
    const T* a = dOut + weight / slotsPerRow * columns;
    const T* b = rows + (slots != nullptr ? slots[weight] : weight) * columns;
    float sum = 0;
    for (int64_t c = int64_t{threadIdx.x} * N; c < columns; c += kWarpSize * N) {
        const Pack<T, N> first = loadPack<N>(a + c);
        const Pack<T, N> second = loadPack<N>(b + c);
#pragma unroll
        for (int i = 0; i < N; ++i) sum = fmaf(toFloat(first.values[i]), toFloat(second.values[i]), sum);
    }
    sum = warpSum(sum);
    if (threadIdx.x == 0) dWeights[weight] = fromFloat<Weight>(sum);
}

}  // namespace

void gatherRows(const Context& context, const GatherRowsArgs& args) {
    withType("gather_rows", args.x.dtype, [&](auto tag) {
        using T = typename decltype(tag)::Type;
        const int64_t columns = args.x.shape[1];
        const GatheredRows<T> op{
            args.x.as<T>(),    args.assignments.as<int32_t>(), Weights<T>(args.weights), args.out.as<T>(), columns,
            args.rowsPerSource};
        forRowPacks<kPackOf<T>>(context, args.out.shape[0], columns, canPack<T>(columns, op.x, op.out), op);
    });
}

void combineRows(const Context& context, const CombineRowsArgs& args) {
    withType("combine_rows", args.rows.dtype, [&](auto tag) {
        using T = typename decltype(tag)::Type;
        const int64_t columns = args.rows.shape[1];
        const CombinedRows<T> op{
            args.rows.as<T>(), args.slots.as<int32_t>(), Weights<T>(args.weights), args.out.as<T>(),
            columns,           args.slots.shape[1]};
        forRowPacks<kPackOf<T>>(context, args.out.shape[0], columns, canPack<T>(columns, op.rows, op.out), op);
    });
}

void combineRowsBackwardWeights(const Context& context, const CombineRowsBackwardWeightsArgs& args) {
    withType("combine_rows_backward_weights", args.rows.dtype, [&](auto tag) {
        withType("combine_rows_backward_weights", args.dWeights.dtype, [&](auto weightTag) {
            using T = typename decltype(tag)::Type;
            using Weight = typename decltype(weightTag)::Type;
            const auto* dOut = args.dOut.as<T>();
            const auto* rows = args.rows.as<T>();
            const int64_t columns = args.rows.shape[1];
            const int64_t count = args.dWeights.shape.count();
            launch(streamOf(context), {blocksFor(count, kDotWarps), dim3(kWarpSize, kDotWarps)},
                   canPack<T>(columns, dOut, rows) ? weightGradientsKernel<T, Weight, kPackOf<T>>
                                                   : weightGradientsKernel<T, Weight, 1>,
                   dOut, rows, args.slots.as<int32_t>(), args.dWeights.as<Weight>(), count, args.dWeights.shape[1],
                   columns);
        });
    });
}

}  // namespace wb::kernels::cuda
