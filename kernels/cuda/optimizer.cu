// SPDX-License-Identifier: Apache-2.0
// norm = sqrt(sum of squares);  g = gradient * scale;  m = b1 m + (1 - b1) g;  v = b2 v + (1 - b2) g^2
// w = w - lr * (m / (1 - b1^step) / (sqrt(v / (1 - b2^step)) + eps) + weightDecay * w)
// Floor of the norm: 4 bytes an element. Of AdamW: 28 bytes, 30 with a short copy.
#include "kernels/cuda/cuda_ops.h"
#include "kernels/cuda/packs.h"

#include <cmath>
#include <vector>

namespace wb::kernels::cuda {
namespace {

constexpr int kNormThreads = 256;
constexpr int64_t kNormBlock = 32768;  // elements whose squares one block adds up
constexpr int kTotalThreads = 1024;

// A tensor and the number of blocks that come before its own.
struct NormTensor {
    const float* values;
    int64_t count;
    int64_t firstBlock;
};

int64_t normBlocks(const ConstView& tensor) {
    return (tensor.shape.count() + kNormBlock - 1) / kNormBlock;
}

// The last of the tensors whose blocks begin at or before `block`: an empty one has none of its own.
__device__ inline NormTensor tensorOfBlock(const NormTensor* tensors, int count, int64_t block) {
    int low = 0;
    int high = count - 1;
    while (low < high) {
        const int middle = (low + high + 1) / 2;
        if (tensors[middle].firstBlock <= block) {
            low = middle;
        } else {
            high = middle - 1;
        }
    }
    return tensors[low];
}

__global__ void __launch_bounds__(kNormThreads) squaresKernel(const NormTensor* tensors, int count, float* sums) {
    __shared__ float scratch[kNormThreads / kWarpSize];
    const NormTensor tensor = tensorOfBlock(tensors, count, blockIdx.x);
    const int64_t first = (blockIdx.x - tensor.firstBlock) * kNormBlock;
    const int64_t end = min(first + kNormBlock, tensor.count);
    const bool isPacked = reinterpret_cast<uintptr_t>(tensor.values) % 16 == 0;
    const int64_t packed = isPacked ? first + (end - first) / 4 * 4 : first;
    float sum = 0;
#pragma unroll 4
    for (int64_t i = first + 4 * threadIdx.x; i < packed; i += 4 * kNormThreads) {
        const Pack<float, 4> pack = loadPack<4>(tensor.values + i);
#pragma unroll
        for (int j = 0; j < 4; ++j) sum = fmaf(pack.values[j], pack.values[j], sum);
    }
    for (int64_t i = packed + threadIdx.x; i < end; i += kNormThreads) {
        sum = fmaf(tensor.values[i], tensor.values[i], sum);
    }
    sum = blockSum<kNormThreads>(sum, scratch);
    if (threadIdx.x == 0) sums[blockIdx.x] = sum;
}

__global__ void __launch_bounds__(kTotalThreads) rootOfSumKernel(const float* sums, int64_t count, float* out) {
    __shared__ float scratch[kTotalThreads / kWarpSize];
    float sum = 0;
    for (int64_t i = threadIdx.x; i < count; i += kTotalThreads) sum += sums[i];
    sum = blockSum<kTotalThreads>(sum, scratch);
    if (threadIdx.x == 0) *out = sqrtf(sum);
}

// What one sweep needs, computed once.
struct AdamWFactors {
    float beta1, oneMinusBeta1;
    float beta2, oneMinusBeta2;
    float stepSize;   // lr / (1 - beta1^step)
    float rootScale;  // 1 / sqrt(1 - beta2^step)
    float epsilon;
    float keep;  // 1 - lr * weightDecay
};

AdamWFactors factorsOf(const AdamWArgs& args) {
    const double beta1 = args.beta1;
    const double beta2 = args.beta2;
    const double learningRate = args.learningRate;
    const auto step = static_cast<double>(args.step);
    return {.beta1 = args.beta1,
            .oneMinusBeta1 = static_cast<float>(1.0 - beta1),
            .beta2 = args.beta2,
            .oneMinusBeta2 = static_cast<float>(1.0 - beta2),
            .stepSize = static_cast<float>(learningRate / (1.0 - std::pow(beta1, step))),
            .rootScale = static_cast<float>(1.0 / std::sqrt(1.0 - std::pow(beta2, step))),
            .epsilon = args.epsilon,
            .keep = static_cast<float>(1.0 - learningRate * args.weightDecay)};
}

template <class T>
struct AdamWSweep {
    T* parameter;
    float* master;  // the parameter itself if T is float
    const float* gradient;
    float* m;
    float* v;
    const float* gradientScale;  // or null
    AdamWFactors f;

    template <int N>
    __device__ void at(int64_t i) const {
        const float scale = gradientScale != nullptr ? *gradientScale : 1.0F;
        const Pack<float, N> gradients = loadPack<N>(gradient + i);
        Pack<float, N> ms = loadPack<N>(m + i);
        Pack<float, N> vs = loadPack<N>(v + i);
        Pack<float, N> weights = loadPack<N>(master + i);
#pragma unroll
        for (int j = 0; j < N; ++j) {
            const float g = gradients.values[j] * scale;
            ms.values[j] = fmaf(f.beta1, ms.values[j], f.oneMinusBeta1 * g);
            vs.values[j] = fmaf(f.beta2, vs.values[j], f.oneMinusBeta2 * g * g);
            const float move = f.stepSize * ms.values[j] / fmaf(sqrtf(vs.values[j]), f.rootScale, f.epsilon);
            weights.values[j] = f.keep * weights.values[j] - move;
        }
        storePack(m + i, ms);
        storePack(v + i, vs);
        storePack(master + i, weights);
        if constexpr (!std::is_same_v<T, float>) {
            Pack<T, N> rounded;
#pragma unroll
            for (int j = 0; j < N; ++j) rounded.values[j] = fromFloat<T>(weights.values[j]);
            storePack(parameter + i, rounded);
        }
    }
};

}  // namespace

void globalNorm(const Context& context, const GlobalNormArgs& args) {
    if (args.out.dtype != DType::F32) failDtype("global_norm", args.out.dtype);
    std::vector<NormTensor> tensors;
    int64_t blocks = 0;
    for (const ConstView& tensor : args.tensors) {
        tensors.push_back({tensor.as<float>(), tensor.shape.count(), blocks});
        blocks += normBlocks(tensor);
    }
    Stream& stream = streamOf(context);
    const NormTensor* table = stream.upload(std::span<const NormTensor>(tensors));
    auto* sums = args.workspace.as<float>();
    launch(stream, {static_cast<unsigned>(blocks), kNormThreads}, squaresKernel, table,
           static_cast<int>(tensors.size()), sums);
    launch(stream, {1, kTotalThreads}, rootOfSumKernel, sums, blocks, args.out.as<float>());
}

size_t globalNormWorkspace(const Context& /*context*/, const GlobalNormArgs& args) {
    int64_t blocks = 0;
    for (const ConstView& tensor : args.tensors) blocks += normBlocks(tensor);
    return static_cast<size_t>(blocks) * sizeof(float);
}

void adamW(const Context& context, const AdamWArgs& args) {
    withType("adamw", args.parameter.dtype, [&](auto tag) {
        using T = typename decltype(tag)::Type;
        auto* parameter = args.parameter.as<T>();
        float* master = nullptr;
        if constexpr (std::is_same_v<T, float>) {
            master = parameter;
        } else {
            master = args.master.as<float>();
        }
        const AdamWSweep<T> op{parameter,
                               master,
                               args.gradient.as<float>(),
                               args.m.as<float>(),
                               args.v.as<float>(),
                               args.gradientScale.as<float>(),
                               factorsOf(args)};
        const int64_t count = args.parameter.shape.count();
        const bool isPacked = canPack<float>(count, op.master, op.gradient, op.m, op.v) && isAligned<4>(parameter);
        forPacks<4>(context, count, isPacked, op);
    });
}

}  // namespace wb::kernels::cuda
