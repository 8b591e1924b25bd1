// SPDX-License-Identifier: Apache-2.0
// globalNorm: out = sqrt(sum of squares)
// adamW: g = gradient * scale;  m = b1 m + (1 - b1) g;  v = b2 v + (1 - b2) g^2
//        w = w - lr * (m / (1 - b1^step) / (sqrt(v / (1 - b2^step)) + eps) + weightDecay * w)
// Each goes over all tensors in one launch: they are cut into chunks, a block takes one and finds its tensor in a
// table.
#include "kernels/cuda/cuda_ops.h"
#include "kernels/cuda/double_sum.h"
#include "kernels/cuda/stream.h"

#include <cmath>
#include <vector>

namespace wb::kernels::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int kPack = 4;                                 // floats in 16 bytes
constexpr int64_t kNormChunk = int64_t{kThreads} * 128;  // few enough partial sums for one block to add
constexpr int64_t kSweepChunk = int64_t{kThreads} * kPack * 4;

int64_t chunksOf(int64_t count, int64_t chunk) {
    return (count + chunk - 1) / chunk;
}

// The row of the table whose chunks hold this one: the last that starts at or before it.
template <class Row>
__device__ const Row& rowOfChunk(const Row* rows, int numRows, int64_t chunk) {
    int low = 0;
    int high = numRows - 1;
    while (low < high) {
        const int middle = (low + high + 1) / 2;
        if (rows[middle].firstChunk <= chunk) {
            low = middle;
        } else {
            high = middle - 1;
        }
    }
    return rows[low];
}

struct NormRow {
    const float* values;
    int64_t count;
    int64_t firstChunk;
};

__global__ void __launch_bounds__(kThreads) squaresKernel(const NormRow* rows, int numRows, double* sums) {
    __shared__ double scratch[kThreads / kWarpSize];
    const NormRow row = rowOfChunk(rows, numRows, blockIdx.x);
    const int64_t begin = (blockIdx.x - row.firstChunk) * kNormChunk;
    const int64_t end = min(begin + kNormChunk, row.count);
    const bool isAligned = reinterpret_cast<uintptr_t>(row.values) % 16 == 0;
    const int64_t packed = isAligned ? begin + (end - begin) / kPack * kPack : begin;
    double sum = 0;
    for (int64_t i = begin + int64_t{threadIdx.x} * kPack; i < packed; i += int64_t{kThreads} * kPack) {
        const Pack<float, kPack> x = loadPack<kPack>(row.values + i);
#pragma unroll
        for (int j = 0; j < kPack; ++j) sum += static_cast<double>(x.values[j]) * static_cast<double>(x.values[j]);
    }
    for (int64_t i = packed + threadIdx.x; i < end; i += kThreads) {
        sum += static_cast<double>(row.values[i]) * static_cast<double>(row.values[i]);
    }
    const double total = blockSumOfDoubles<kThreads>(sum, scratch);
    if (threadIdx.x == 0) sums[blockIdx.x] = total;
}

__global__ void __launch_bounds__(kThreads) normKernel(const double* sums, int64_t count, float* out) {
    __shared__ double scratch[kThreads / kWarpSize];
    double sum = 0;
    for (int64_t i = threadIdx.x; i < count; i += kThreads) sum += sums[i];
    const double total = blockSumOfDoubles<kThreads>(sum, scratch);
    if (threadIdx.x == 0) *out = static_cast<float>(sqrt(total));
}

int64_t normChunks(const GlobalNormArgs& args) {
    int64_t chunks = 0;
    for (const ConstView& tensor : args.tensors) chunks += chunksOf(tensor.shape.count(), kNormChunk);
    return chunks;
}

struct SweepRow {
    void* parameter;
    float* master;  // null: the parameter itself is F32
    const float* gradient;
    float* m;
    float* v;
    int64_t count;
    int64_t firstChunk;
    float kept;  // 1 - lr * weightDecay
    DType parameterType;
    bool isAligned;
};

struct SweepFactors {
    const float* gradientScale;  // null: 1
    float beta1, oneMinusBeta1;
    float beta2, oneMinusBeta2;
    float stepSize;   // lr / (1 - beta1^step)
    float rootScale;  // 1 / sqrt(1 - beta2^step)
    float epsilon;
};

// One element. Roundings are spelled out: the compiler's own choice of fused operations is not the CPU's.
__device__ float movedWeight(const SweepFactors& f, float scale, float kept, float gradient, float w, float& m,
                             float& v) {
    const float g = __fmul_rn(gradient, scale);
    m = __fmaf_rn(f.beta1, m, __fmul_rn(f.oneMinusBeta1, g));
    v = __fmaf_rn(f.beta2, v, __fmul_rn(f.oneMinusBeta2, __fmul_rn(g, g)));
    const float denominator = __fmaf_rn(__fsqrt_rn(v), f.rootScale, f.epsilon);
    const float move = __fdiv_rn(__fmul_rn(f.stepSize, m), denominator);
    return __fadd_rn(__fmul_rn(kept, w), -move);
}

template <class T, int N>
__device__ void storeRounded(T* out, const Pack<float, N>& values) {
    Pack<T, N> rounded;
#pragma unroll
    for (int j = 0; j < N; ++j) rounded.values[j] = fromFloat<T>(values.values[j]);
    storePack(out, rounded);
}

template <int N>
__device__ void sweepPack(const SweepRow& row, const SweepFactors& f, float scale, int64_t i) {
    auto* weights = row.master != nullptr ? row.master : static_cast<float*>(row.parameter);
    const Pack<float, N> gradient = loadPack<N>(row.gradient + i);
    Pack<float, N> m = loadPack<N>(row.m + i);
    Pack<float, N> v = loadPack<N>(row.v + i);
    Pack<float, N> w = loadPack<N>(weights + i);
#pragma unroll
    for (int j = 0; j < N; ++j) {
        w.values[j] = movedWeight(f, scale, row.kept, gradient.values[j], w.values[j], m.values[j], v.values[j]);
    }
    storePack(row.m + i, m);
    storePack(row.v + i, v);
    storePack(weights + i, w);
    if (row.parameterType == DType::BF16) storeRounded(static_cast<__nv_bfloat16*>(row.parameter) + i, w);
    if (row.parameterType == DType::F16) storeRounded(static_cast<__half*>(row.parameter) + i, w);
}

__global__ void __launch_bounds__(kThreads) adamWKernel(const SweepRow* rows, int numRows, SweepFactors f) {
    const float scale = f.gradientScale != nullptr ? *f.gradientScale : 1.0F;
    if (!isfinite(scale)) return;
    const SweepRow row = rowOfChunk(rows, numRows, blockIdx.x);
    const int64_t begin = (blockIdx.x - row.firstChunk) * kSweepChunk;
    const int64_t end = min(begin + kSweepChunk, row.count);
    const int64_t packed = row.isAligned ? begin + (end - begin) / kPack * kPack : begin;
    for (int64_t i = begin + int64_t{threadIdx.x} * kPack; i < packed; i += int64_t{kThreads} * kPack) {
        sweepPack<kPack>(row, f, scale, i);
    }
    for (int64_t i = packed + threadIdx.x; i < end; i += kThreads) sweepPack<1>(row, f, scale, i);
}

bool isAligned(const AdamWTensor& tensor) {
    const auto fits = [](const ConstView& view, size_t bytes) {
        return reinterpret_cast<uintptr_t>(view.data) % bytes == 0;
    };
    const size_t parameterBytes = tensor.parameter.dtype == DType::F32 ? 16 : 8;
    return fits(tensor.parameter, parameterBytes) && fits(tensor.master, 16) && fits(tensor.gradient, 16) &&
           fits(tensor.m, 16) && fits(tensor.v, 16);
}

// Rows for the tensors that have elements.
std::vector<SweepRow> sweepRows(const AdamWArgs& args, int64_t& chunks) {
    std::vector<SweepRow> rows;
    rows.reserve(args.tensors.size());
    for (const AdamWTensor& tensor : args.tensors) {
        const int64_t count = tensor.parameter.shape.count();
        if (tensor.parameter.dtype == DType::F64) failDtype("adamw", DType::F64);
        if (count == 0) continue;
        const double decay = static_cast<double>(args.learningRate) * static_cast<double>(tensor.weightDecay);
        rows.push_back({tensor.parameter.data, tensor.master.as<float>(), tensor.gradient.as<float>(),
                        tensor.m.as<float>(), tensor.v.as<float>(), count, chunks, static_cast<float>(1.0 - decay),
                        tensor.parameter.dtype, isAligned(tensor)});
        chunks += chunksOf(count, kSweepChunk);
    }
    return rows;
}

SweepFactors sweepFactors(const AdamWArgs& args) {
    const double beta1 = static_cast<double>(args.beta1);
    const double beta2 = static_cast<double>(args.beta2);
    const double correction1 = 1.0 - std::pow(beta1, static_cast<double>(args.step));
    const double correction2 = 1.0 - std::pow(beta2, static_cast<double>(args.step));
    return {.gradientScale = args.gradientScale.as<float>(),
            .beta1 = args.beta1,
            .oneMinusBeta1 = static_cast<float>(1.0 - beta1),
            .beta2 = args.beta2,
            .oneMinusBeta2 = static_cast<float>(1.0 - beta2),
            .stepSize = static_cast<float>(static_cast<double>(args.learningRate) / correction1),
            .rootScale = static_cast<float>(1.0 / std::sqrt(correction2)),
            .epsilon = args.epsilon};
}

}  // namespace

size_t globalNormWorkspace(const Context& /*context*/, const GlobalNormArgs& args) {
    return static_cast<size_t>(normChunks(args)) * sizeof(double);
}

void globalNorm(const Context& context, const GlobalNormArgs& args) {
    if (args.out.dtype != DType::F32) failDtype("global_norm", args.out.dtype);
    Stream& stream = streamOf(context);
    std::vector<NormRow> rows;
    rows.reserve(args.tensors.size());
    int64_t chunks = 0;
    for (const ConstView& tensor : args.tensors) {
        const int64_t count = tensor.shape.count();
        if (count == 0) continue;
        rows.push_back({tensor.as<float>(), count, chunks});
        chunks += chunksOf(count, kNormChunk);
    }
    auto* sums = args.workspace.as<double>();
    launch(stream, {static_cast<unsigned>(chunks), kThreads}, squaresKernel,
           stream.upload(std::span<const NormRow>(rows)), rows.size(), sums);
    launch(stream, {1, kThreads}, normKernel, sums, chunks, args.out.as<float>());
}

void adamW(const Context& context, const AdamWArgs& args) {
    Stream& stream = streamOf(context);
    int64_t chunks = 0;
    const std::vector<SweepRow> rows = sweepRows(args, chunks);
    launch(stream, {static_cast<unsigned>(chunks), kThreads}, adamWKernel,
           stream.upload(std::span<const SweepRow>(rows)), rows.size(), sweepFactors(args));
}

}  // namespace wb::kernels::cuda
