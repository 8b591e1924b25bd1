// SPDX-License-Identifier: Apache-2.0
// g = gradient * scale;  m = b1 m + (1 - b1) g;  v = b2 v + (1 - b2) g^2
// w = w - lr * (m / (1 - b1^step) / (sqrt(v / (1 - b2^step)) + eps) + weightDecay * w)
#include "kernels/cpu/cpu_ops.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/reference/reference_ops.h"

#include <cmath>
#include <type_traits>
#include <vector>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/optimizer.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h

#include "kernels/cpu/adamw_inl.h"

HWY_BEFORE_NAMESPACE();
namespace wb::kernels::cpu::HWY_NAMESPACE {

namespace {

template <class T>
void sweep(const AdamWTensor& tensor, const AdamWFactors& f, float kept, int64_t begin, int64_t end) {
    const FloatTag d;
    const float* gradient = tensor.gradient.as<float>() + begin;
    float* m = tensor.m.as<float>() + begin;
    float* v = tensor.v.as<float>() + begin;
    T* parameter = tensor.parameter.as<T>() + begin;
    float* master = nullptr;
    if constexpr (std::is_same_v<T, float>) {
        master = parameter;
    } else {
        master = tensor.master.as<float>() + begin;
    }
    forVectors(static_cast<size_t>(end - begin), hn::Lanes(d), [&](size_t i, auto part) HWY_ATTR {
        FloatVec newM = load(d, m + i, part);
        FloatVec newV = load(d, v + i, part);
        FloatVec w = load(d, master + i, part);
        adamWStep(f, kept, load(d, gradient + i, part), newM, newV, w);
        store(newM, d, m + i, part);
        store(newV, d, v + i, part);
        store(w, d, master + i, part);
        if constexpr (!std::is_same_v<T, float>) store(w, d, parameter + i, part);
    });
}

}  // namespace

void AdamWRange(const AdamWTensor& tensor, const AdamWFactors& factors, float kept, int64_t begin, int64_t end) {
    if (tensor.parameter.dtype == DType::BF16) {
        sweep<BFloat16>(tensor, factors, kept, begin, end);
    } else {
        sweep<float>(tensor, factors, kept, begin, end);
    }
}

// Sum of squares in double, lane sums folded in a fixed order. Gradients come from memory and are read once: without
// asking ahead for them the sweep reads 19 GB/s on two cores, with it 25.
double SquaredNorm(const float* x, size_t count) {
    const hn::ScalableTag<double> dd;
    const hn::Rebind<float, decltype(dd)> df;
    const size_t lanes = hn::Lanes(dd);
    constexpr size_t kAhead = 1024;  // elements
    const auto squared = [&](size_t i, auto sum) HWY_ATTR {
        const auto v = hn::PromoteTo(dd, hn::LoadU(df, x + i));
        return hn::MulAdd(v, v, sum);
    };
    auto sum0 = hn::Zero(dd);
    auto sum1 = hn::Zero(dd);
    auto sum2 = hn::Zero(dd);
    auto sum3 = hn::Zero(dd);
    size_t i = 0;
    for (; i + 4 * lanes <= count; i += 4 * lanes) {
        for (size_t line = 0; line < 4 * lanes; line += 16) __builtin_prefetch(x + i + kAhead + line);
        sum0 = squared(i, sum0);
        sum1 = squared(i + lanes, sum1);
        sum2 = squared(i + 2 * lanes, sum2);
        sum3 = squared(i + 3 * lanes, sum3);
    }
    double rest = 0;
    for (; i < count; ++i) rest += static_cast<double>(x[i]) * static_cast<double>(x[i]);
    return hn::GetLane(hn::SumOfLanes(dd, hn::Add(hn::Add(sum0, sum1), hn::Add(sum2, sum3)))) + rest;
}

}  // namespace wb::kernels::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace wb::kernels::cpu {

HWY_EXPORT(AdamWRange);
HWY_EXPORT(SquaredNorm);

void adamW(const Context& context, const AdamWArgs& args) {
    const AdamWFactors factors = adamWFactors(args);
    if (args.tensors.empty() || !std::isfinite(factors.gradientScale)) return;
    if (args.tensors.front().parameter.dtype == DType::F64) return reference::adamW(context, args);
    for (const AdamWTensor& tensor : args.tensors) {
        const float kept = keptOfWeight(args.learningRate, tensor.weightDecay);
        parallelFor(context, tensor.parameter.shape.count(), 4, [&](int64_t begin, int64_t end) {
            HWY_DYNAMIC_DISPATCH(AdamWRange)(tensor, factors, kept, begin, end);
        });
    }
}

void globalNorm(const Context& context, const GlobalNormArgs& args) {
    if (args.out.dtype == DType::F64) return reference::globalNorm(context, args);
    // Fixed blocks, summed in order: the result does not depend on the number of threads.
    constexpr int64_t kBlock = 32768;
    double total = 0;
    std::vector<double> sums;
    for (const ConstView& tensor : args.tensors) {
        const int64_t count = tensor.shape.count();
        sums.assign(static_cast<size_t>((count + kBlock - 1) / kBlock), 0.0);
        parallelFor(context, static_cast<int64_t>(sums.size()), kBlock, [&](int64_t begin, int64_t end) {
            for (int64_t block = begin; block < end; ++block) {
                const int64_t length = std::min(kBlock, count - block * kBlock);
                sums[static_cast<size_t>(block)] =
                    HWY_DYNAMIC_DISPATCH(SquaredNorm)(tensor.as<float>() + block * kBlock, static_cast<size_t>(length));
            }
        });
        for (const double sum : sums) total += sum;
    }
    *args.out.as<float>() = static_cast<float>(std::sqrt(total));
}

}  // namespace wb::kernels::cpu
#endif  // HWY_ONCE
