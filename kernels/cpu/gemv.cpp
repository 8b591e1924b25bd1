// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/gemv.h"

#include "kernels/cpu/parallel.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/gemv.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h

#include "kernels/cpu/simd_inl.h"

HWY_BEFORE_NAMESPACE();
namespace wb::kernels::cpu::HWY_NAMESPACE {
namespace {

// Weight rows handled together: enough independent sums to hide the latency of the multiply-add, few enough that the
// block stays in the second-level cache while further rows of x pass over it.
constexpr size_t kBlockRows = 8;

// The tiles below differ only in how many dot products run side by side; each sums in the order of dotVec. Accumulators
// are named because the compiler keeps arrays of vectors in memory.
template <class T>
void dot8x1(const T* w, size_t stride, const T* x, size_t count, float* out) {
    const FloatTag d;
    FloatVec s0 = hn::Zero(d), s1 = s0, s2 = s0, s3 = s0, s4 = s0, s5 = s0, s6 = s0, s7 = s0;
    forVectors(count, hn::Lanes(d), [&](size_t i, auto part) HWY_ATTR {
        const FloatVec v = load(d, x + i, part);
        s0 = hn::MulAdd(v, load(d, w + i, part), s0);
        s1 = hn::MulAdd(v, load(d, w + stride + i, part), s1);
        s2 = hn::MulAdd(v, load(d, w + 2 * stride + i, part), s2);
        s3 = hn::MulAdd(v, load(d, w + 3 * stride + i, part), s3);
        s4 = hn::MulAdd(v, load(d, w + 4 * stride + i, part), s4);
        s5 = hn::MulAdd(v, load(d, w + 5 * stride + i, part), s5);
        s6 = hn::MulAdd(v, load(d, w + 6 * stride + i, part), s6);
        s7 = hn::MulAdd(v, load(d, w + 7 * stride + i, part), s7);
    });
    out[0] = sumLanes(d, s0);
    out[1] = sumLanes(d, s1);
    out[2] = sumLanes(d, s2);
    out[3] = sumLanes(d, s3);
    out[4] = sumLanes(d, s4);
    out[5] = sumLanes(d, s5);
    out[6] = sumLanes(d, s6);
    out[7] = sumLanes(d, s7);
}

template <class T>
void dot4x2(const T* w, size_t stride, const T* x, const T* y, size_t count, float* outX, float* outY) {
    const FloatTag d;
    FloatVec a0 = hn::Zero(d), a1 = a0, a2 = a0, a3 = a0, b0 = a0, b1 = a0, b2 = a0, b3 = a0;
    forVectors(count, hn::Lanes(d), [&](size_t i, auto part) HWY_ATTR {
        const FloatVec vx = load(d, x + i, part);
        const FloatVec vy = load(d, y + i, part);
        const FloatVec w0 = load(d, w + i, part);
        a0 = hn::MulAdd(vx, w0, a0);
        b0 = hn::MulAdd(vy, w0, b0);
        const FloatVec w1 = load(d, w + stride + i, part);
        a1 = hn::MulAdd(vx, w1, a1);
        b1 = hn::MulAdd(vy, w1, b1);
        const FloatVec w2 = load(d, w + 2 * stride + i, part);
        a2 = hn::MulAdd(vx, w2, a2);
        b2 = hn::MulAdd(vy, w2, b2);
        const FloatVec w3 = load(d, w + 3 * stride + i, part);
        a3 = hn::MulAdd(vx, w3, a3);
        b3 = hn::MulAdd(vy, w3, b3);
    });
    outX[0] = sumLanes(d, a0);
    outX[1] = sumLanes(d, a1);
    outX[2] = sumLanes(d, a2);
    outX[3] = sumLanes(d, a3);
    outY[0] = sumLanes(d, b0);
    outY[1] = sumLanes(d, b1);
    outY[2] = sumLanes(d, b2);
    outY[3] = sumLanes(d, b3);
}

template <class In, class Out>
void finish(const GemvProblem& p, size_t row, size_t first, const float* sums, size_t count) {
    const auto outputs = static_cast<size_t>(p.weight.shape[0]);
    Out* out = p.out.as<Out>() + row * outputs + first;
    for (size_t j = 0; j < count; ++j) {
        float value = p.alpha * sums[j];
        if (p.bias.isPresent()) value += static_cast<float>(p.bias.as<In>()[first + j]);
        if (p.accumulates) value += static_cast<float>(out[j]);
        out[j] = Out(value);
    }
}

// Outputs [begin, end) of all rows.
template <class In, class Out>
void outputRange(const GemvProblem& p, size_t begin, size_t end) {
    const auto rows = static_cast<size_t>(p.x.shape[0]);
    const auto count = static_cast<size_t>(p.x.shape[1]);
    const In* x = p.x.as<In>();
    float sums[2][kBlockRows];
    size_t o = begin;
    for (; o + kBlockRows <= end; o += kBlockRows) {
        const In* w = p.weight.as<In>() + o * count;
        size_t t = 0;
        for (; t + 2 <= rows; t += 2) {
            const In* x0 = x + t * count;
            dot4x2(w, count, x0, x0 + count, count, sums[0], sums[1]);
            dot4x2(w + 4 * count, count, x0, x0 + count, count, sums[0] + 4, sums[1] + 4);
            finish<In, Out>(p, t, o, sums[0], kBlockRows);
            finish<In, Out>(p, t + 1, o, sums[1], kBlockRows);
        }
        if (t < rows) {
            dot8x1(w, count, x + t * count, count, sums[0]);
            finish<In, Out>(p, t, o, sums[0], kBlockRows);
        }
    }
    for (; o < end; ++o) {
        for (size_t t = 0; t < rows; ++t) {
            const float sum = dotVec(x + t * count, p.weight.as<In>() + o * count, count);
            finish<In, Out>(p, t, o, &sum, 1);
        }
    }
}

}  // namespace

void GemvRange(const GemvProblem& p, int64_t begin, int64_t end) {
    const auto first = static_cast<size_t>(begin);
    const auto last = static_cast<size_t>(end);
    if (p.x.dtype == DType::F32) {
        outputRange<float, float>(p, first, last);
    } else if (p.out.dtype == DType::F32) {
        outputRange<BFloat16, float>(p, first, last);
    } else {
        outputRange<BFloat16, BFloat16>(p, first, last);
    }
}

}  // namespace wb::kernels::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace wb::kernels::cpu {

HWY_EXPORT(GemvRange);

void gemv(const Context& context, const GemvProblem& problem) {
    // Whole cache lines of output to each thread.
    constexpr int64_t kStrip = 32;
    const int64_t outputs = problem.weight.shape[0];
    const int64_t workPerStrip = kStrip * problem.x.shape[1] * problem.x.shape[0];
    parallelFor(context, (outputs + kStrip - 1) / kStrip, workPerStrip, [&](int64_t begin, int64_t end) {
        HWY_DYNAMIC_DISPATCH(GemvRange)(problem, begin * kStrip, std::min(end * kStrip, outputs));
    });
}

}  // namespace wb::kernels::cpu
#endif  // HWY_ONCE
