// SPDX-License-Identifier: Apache-2.0
// s = x + residual;  r = 1 / sqrt(mean(s^2) + eps);  out = s * r * (weight + offset)
// dX = r * (g - n * mean(g * n)) (+ dResidual) with g = dOut * (weight + offset), n = s * r;  dWeight += sum over rows
// of dOut * n
#include "kernels/cpu/cpu_ops.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/reference/reference_ops.h"

#include <cmath>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/rms_norm.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h

#include "kernels/cpu/simd_inl.h"

HWY_BEFORE_NAMESPACE();
namespace wb::kernels::cpu::HWY_NAMESPACE {
namespace {

template <class T>
void forwardRow(const RmsNormForwardArgs& args, int64_t t) {
    const FloatTag d;
    const size_t lanes = hn::Lanes(d);
    const auto columns = static_cast<size_t>(args.x.shape[1]);
    const size_t row = static_cast<size_t>(t) * columns;
    const T* s = args.x.as<T>() + row;
    FloatVec squares = hn::Zero(d);
    if (args.residual.isPresent()) {
        const T* residual = args.residual.as<T>() + row;
        T* sum = args.sum.as<T>() + row;
        forVectors(columns, lanes, [&](size_t i, auto part) HWY_ATTR {
            store(hn::Add(load(d, s + i, part), load(d, residual + i, part)), d, sum + i, part);
            // Read back, so that the norm is that of the rounded sum which later ops see.
            const FloatVec v = load(d, sum + i, part);
            squares = hn::MulAdd(v, v, squares);
        });
        s = sum;
    } else {
        forVectors(columns, lanes, [&](size_t i, auto part) HWY_ATTR {
            const FloatVec v = load(d, s + i, part);
            squares = hn::MulAdd(v, v, squares);
            if (args.sum.isPresent()) store(v, d, args.sum.as<T>() + row + i, part);
        });
    }
    const float r = 1.0F / std::sqrt(sumLanes(d, squares) / static_cast<float>(columns) + args.eps);
    const FloatVec scale = hn::Set(d, r);
    const T* weight = args.weight.as<T>();
    const FloatVec offset = hn::Set(d, args.weightOffset);
    T* out = args.out.as<T>() + row;
    forVectors(columns, lanes, [&](size_t i, auto part) HWY_ATTR {
        const FloatVec w = hn::Add(load(d, weight + i, part), offset);
        store(hn::Mul(hn::Mul(load(d, s + i, part), scale), w), d, out + i, part);
    });
    if (args.invRms.isPresent()) args.invRms.as<float>()[t] = r;
}

template <class T>
void backwardRow(const RmsNormBackwardArgs& args, int64_t t) {
    const FloatTag d;
    const size_t lanes = hn::Lanes(d);
    const auto columns = static_cast<size_t>(args.dOut.shape[1]);
    const size_t row = static_cast<size_t>(t) * columns;
    const T* dOut = args.dOut.as<T>() + row;
    const T* s = args.s.as<T>() + row;
    const T* weight = args.weight.as<T>();
    const FloatVec offset = hn::Set(d, args.weightOffset);
    const T* dResidual = args.dResidual.isPresent() ? args.dResidual.as<T>() + row : nullptr;
    T* dX = args.dX.as<T>() + row;
    FloatVec product = hn::Zero(d);
    forVectors(columns, lanes, [&](size_t i, auto part) HWY_ATTR {
        const FloatVec g = hn::Mul(load(d, dOut + i, part), hn::Add(load(d, weight + i, part), offset));
        product = hn::MulAdd(g, load(d, s + i, part), product);
    });
    const float r = args.invRms.as<float>()[t];
    // n * mean(g * n) = s * r^2 * mean(g * s)
    const FloatVec projection = hn::Set(d, r * r * sumLanes(d, product) / static_cast<float>(columns));
    const FloatVec scale = hn::Set(d, r);
    forVectors(columns, lanes, [&](size_t i, auto part) HWY_ATTR {
        const FloatVec g = hn::Mul(load(d, dOut + i, part), hn::Add(load(d, weight + i, part), offset));
        FloatVec gradient = hn::Mul(scale, hn::NegMulAdd(load(d, s + i, part), projection, g));
        if (dResidual != nullptr) gradient = hn::Add(gradient, load(d, dResidual + i, part));
        store(gradient, d, dX + i, part);
    });
}

// Columns [begin, end) of dWeight, all rows in order: the result does not depend on the number of threads.
template <class T>
void weightColumns(const RmsNormBackwardArgs& args, int64_t begin, int64_t end) {
    const FloatTag d;
    const auto columns = static_cast<size_t>(args.dOut.shape[1]);
    const auto width = static_cast<size_t>(end - begin);
    float* dWeight = args.dWeight.as<float>() + begin;
    for (int64_t t = 0; t < args.dOut.shape[0]; ++t) {
        const size_t start = static_cast<size_t>(t) * columns + static_cast<size_t>(begin);
        const T* dOut = args.dOut.as<T>() + start;
        const T* s = args.s.as<T>() + start;
        const FloatVec r = hn::Set(d, args.invRms.as<float>()[t]);
        forVectors(width, hn::Lanes(d), [&](size_t i, auto part) HWY_ATTR {
            const FloatVec n = hn::Mul(load(d, s + i, part), r);
            store(hn::MulAdd(load(d, dOut + i, part), n, load(d, dWeight + i, part)), d, dWeight + i, part);
        });
    }
}

}  // namespace

void RmsNormForwardRows(const RmsNormForwardArgs& args, int64_t begin, int64_t end) {
    for (int64_t t = begin; t < end; ++t) {
        if (args.x.dtype == DType::BF16) {
            forwardRow<BFloat16>(args, t);
        } else {
            forwardRow<float>(args, t);
        }
    }
}

void RmsNormBackwardRows(const RmsNormBackwardArgs& args, int64_t begin, int64_t end) {
    for (int64_t t = begin; t < end; ++t) {
        if (args.dOut.dtype == DType::BF16) {
            backwardRow<BFloat16>(args, t);
        } else {
            backwardRow<float>(args, t);
        }
    }
}

void RmsNormWeightColumns(const RmsNormBackwardArgs& args, int64_t begin, int64_t end) {
    if (args.dOut.dtype == DType::BF16) {
        weightColumns<BFloat16>(args, begin, end);
    } else {
        weightColumns<float>(args, begin, end);
    }
}

}  // namespace wb::kernels::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace wb::kernels::cpu {

HWY_EXPORT(RmsNormForwardRows);
HWY_EXPORT(RmsNormBackwardRows);
HWY_EXPORT(RmsNormWeightColumns);

void rmsNormForward(const Context& context, const RmsNormForwardArgs& args) {
    if (args.x.dtype == DType::F64) return reference::rmsNormForward(context, args);
    parallelFor(context, args.x.shape[0], args.x.shape[1], [&](int64_t begin, int64_t end) {
        HWY_DYNAMIC_DISPATCH(RmsNormForwardRows)(args, begin, end);
    });
}

void rmsNormBackward(const Context& context, const RmsNormBackwardArgs& args) {
    if (args.dOut.dtype == DType::F64) return reference::rmsNormBackward(context, args);
    const int64_t rows = args.dOut.shape[0];
    const int64_t columns = args.dOut.shape[1];
    if (args.dWeight.isPresent()) {  // first: dX may replace what it reads
        constexpr int64_t kStrip = 64;
        parallelFor(context, (columns + kStrip - 1) / kStrip, kStrip * rows, [&](int64_t begin, int64_t end) {
            HWY_DYNAMIC_DISPATCH(RmsNormWeightColumns)(args, begin * kStrip, std::min(end * kStrip, columns));
        });
    }
    parallelFor(context, rows, columns, [&](int64_t begin, int64_t end) {
        HWY_DYNAMIC_DISPATCH(RmsNormBackwardRows)(args, begin, end);
    });
}

}  // namespace wb::kernels::cpu
#endif  // HWY_ONCE
