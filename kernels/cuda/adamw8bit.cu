// SPDX-License-Identifier: Apache-2.0
// AdamW with moments in eight bits: a block of threads a block of 256 moments, which are widened, stepped, used, and
// rounded again by the largest magnitude of the new ones. Formulas in kernels/adamw8bit.h, levels in
// kernels/base/dynamic_map.h. Floor: 16 bytes an element, 18 with a short copy.
#include "kernels/cuda/cuda_ops.h"
#include "kernels/cuda/device.h"
#include "kernels/cuda/stream.h"

#include "kernels/base/dynamic_map.h"

#include <cmath>

namespace wb::kernels::cuda {
namespace {

constexpr int kThreads = kMomentBlock;

// The maps by value: kernels may not read arrays of the host.
__constant__ DynamicMap kSigned = makeDynamicMap(true);
__constant__ DynamicMap kUnsigned = makeDynamicMap(false);

template <class T>
struct Tensors {
    T* parameter;
    float* master;  // the parameter itself if T is float
    const float* gradient;
    int8_t* m;
    uint8_t* v;
    float* mScales;
    float* vScales;
    const float* gradientScale;  // null: 1
    int64_t count;
};

// What one sweep needs, computed once.
struct Factors {
    float beta1, oneMinusBeta1;
    float beta2, oneMinusBeta2;
    float stepSize;   // lr / (1 - beta1^step)
    float rootScale;  // 1 / sqrt(1 - beta2^step)
    float epsilon;
    float keep;  // 1 - lr * weightDecay
};

Factors factorsOf(const AdamW8bitArgs& args) {
    const auto beta1 = static_cast<double>(args.beta1);
    const auto beta2 = static_cast<double>(args.beta2);
    const auto learningRate = static_cast<double>(args.learningRate);
    const auto step = static_cast<double>(args.step);
    return {.beta1 = args.beta1,
            .oneMinusBeta1 = static_cast<float>(1.0 - beta1),
            .beta2 = args.beta2,
            .oneMinusBeta2 = static_cast<float>(1.0 - beta2),
            .stepSize = static_cast<float>(learningRate / (1.0 - std::pow(beta1, step))),
            .rootScale = static_cast<float>(1.0 / std::sqrt(1.0 - std::pow(beta2, step))),
            .epsilon = args.epsilon,
            .keep = static_cast<float>(1.0 - learningRate * static_cast<double>(args.weightDecay))};
}

// x in [0, 1] -> code of the nearest level.
__device__ inline int codeOf(const DynamicMap& map, float x) {
    float factor = map.factors[0];
    float offset = map.offsets[0];
#pragma unroll
    for (int k = 1; k < static_cast<int>(DynamicMap::kDecades); ++k) {
        if (x > map.ends[k - 1]) {
            factor = map.factors[k];
            offset = map.offsets[k];
        }
    }
    return __float2int_rn(__fmaf_rn(x, factor, offset));
}

struct BlockScale {
    float scale;
    float inverse;  // 0 where everything counts as zero
};

__device__ inline BlockScale scaleOf(float largest, float broken) {
    const float scale = largest + broken;
    if (scale < kSmallestMoment) return {0.0F, 0.0F};
    return {scale, 1.0F / scale};
}

template <class T>
__global__ void __launch_bounds__(kThreads) adamW8bitKernel(Tensors<T> t, Factors f) {
    __shared__ float signedLevels[256];
    __shared__ float unsignedLevels[256];
    __shared__ float scratch[kThreads / kWarpSize];
    const float gradientScale = t.gradientScale != nullptr ? *t.gradientScale : 1.0F;
    if (!isfinite(gradientScale)) return;
    signedLevels[threadIdx.x] = kSigned.levels[threadIdx.x];
    unsignedLevels[threadIdx.x] = kUnsigned.levels[threadIdx.x];
    __syncthreads();
    const int64_t block = blockIdx.x;
    const int64_t i = block * kMomentBlock + threadIdx.x;
    const bool isInside = i < t.count;
    float m = 0;
    float v = 0;
    if (isInside) {
        // Roundings are spelled out: the compiler's own choice of fused operations is not the CPU's.
        const float g = __fmul_rn(t.gradient[i], gradientScale);
        m = __fmul_rn(t.mScales[block], signedLevels[t.m[i] + 128]);
        v = __fmul_rn(t.vScales[block], unsignedLevels[t.v[i]]);
        m = __fmaf_rn(f.beta1, m, __fmul_rn(f.oneMinusBeta1, g));
        v = __fmaf_rn(f.beta2, v, __fmul_rn(f.oneMinusBeta2, __fmul_rn(g, g)));
        const float denominator = __fmaf_rn(__fsqrt_rn(v), f.rootScale, f.epsilon);
        const float move = __fdiv_rn(__fmul_rn(f.stepSize, m), denominator);
        const float w = __fadd_rn(__fmul_rn(f.keep, t.master[i]), -move);
        t.master[i] = w;
        if constexpr (!std::is_same_v<T, float>) t.parameter[i] = fromFloat<T>(w);
    }
    // NaN where a value is not finite: a maximum would hide it.
    const float broken = blockSum<kThreads>(__fmul_rn(__fadd_rn(m, v), 0.0F), scratch);
    const BlockScale scaleM = scaleOf(blockMax<kThreads>(fabsf(m), scratch), broken);
    const BlockScale scaleV = scaleOf(blockMax<kThreads>(v, scratch), broken);
    if (isInside) {
        const float x = __fmul_rn(m, scaleM.inverse);
        const float y = __fmul_rn(v, scaleV.inverse);
        const int magnitude = codeOf(kSigned, fabsf(x));
        t.m[i] = static_cast<int8_t>(x < 0 ? -magnitude : magnitude);
        t.v[i] = static_cast<uint8_t>(max(codeOf(kUnsigned, y), y > 0 ? 1 : 0));
    }
    if (threadIdx.x == 0) {
        t.mScales[block] = scaleM.scale;
        t.vScales[block] = scaleV.scale;
    }
}

}  // namespace

void adamW8bit(const Context& context, const AdamW8bitArgs& args) {
    withType("adamw8bit", args.parameter.dtype, [&](auto tag) {
        using T = typename decltype(tag)::Type;
        Tensors<T> tensors{.parameter = args.parameter.as<T>(),
                           .master = args.master.as<float>(),
                           .gradient = args.gradient.as<float>(),
                           .m = args.m.as<int8_t>(),
                           .v = args.v.as<uint8_t>(),
                           .mScales = args.mScales.as<float>(),
                           .vScales = args.vScales.as<float>(),
                           .gradientScale = args.gradientScale.as<float>(),
                           .count = args.parameter.shape.count()};
        if constexpr (std::is_same_v<T, float>) tensors.master = tensors.parameter;
        launch(streamOf(context), {static_cast<unsigned>(args.mScales.shape[0]), kThreads}, adamW8bitKernel<T>, tensors,
               factorsOf(args));
    });
}

}  // namespace wb::kernels::cuda
