// SPDX-License-Identifier: Apache-2.0
// s = x + residual;  m = mean(s);  r = 1 / sqrt(mean((s - m)^2) + eps);  out = (s - m) * r * weight + bias
// dX = r * (g - mean(g) - n * mean(g * n)) (+ dResidual) with g = dOut * weight, n = (s - m) * r
// dWeight += sum over rows of dOut * n;  dBias += sum over rows of dOut
// The mean is taken first and the squares around it in a second sweep of the cached row: the difference of mean squares
// loses all digits of a row that lies far from zero.
#include "kernels/cpu/cpu_ops.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/reference/reference_ops.h"

#include <cmath>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/layer_norm.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h

#include "kernels/cpu/simd_inl.h"

HWY_BEFORE_NAMESPACE();
namespace wb::kernels::cpu::HWY_NAMESPACE {
namespace {

// Sum of row t of s = x + residual; `s` points to the row afterwards.
template <class T>
HWY_INLINE float sumOfRow(const LayerNormForwardArgs& args, size_t row, const T*& s) {
    const FloatTag d;
    const size_t lanes = hn::Lanes(d);
    const auto columns = static_cast<size_t>(args.x.shape[1]);
    s = args.x.as<T>() + row;
    FloatVec total = hn::Zero(d);
    if (!args.residual.isPresent()) {
        forVectors(columns, lanes, [&](size_t i, auto part) HWY_ATTR {
            const FloatVec v = load(d, s + i, part);
            total = hn::Add(total, v);
            if (args.sum.isPresent()) store(v, d, args.sum.as<T>() + row + i, part);
        });
        return sumLanes(d, total);
    }
    const T* residual = args.residual.as<T>() + row;
    T* sum = args.sum.as<T>() + row;
    forVectors(columns, lanes, [&](size_t i, auto part) HWY_ATTR {
        store(hn::Add(load(d, s + i, part), load(d, residual + i, part)), d, sum + i, part);
        // Read back, so that the norm is that of the rounded sum which later ops see.
        total = hn::Add(total, load(d, sum + i, part));
    });
    s = sum;
    return sumLanes(d, total);
}

template <class T>
void forwardRow(const LayerNormForwardArgs& args, int64_t t) {
    const FloatTag d;
    const size_t lanes = hn::Lanes(d);
    const auto columns = static_cast<size_t>(args.x.shape[1]);
    const size_t row = static_cast<size_t>(t) * columns;
    const T* s = nullptr;
    const float mean = sumOfRow(args, row, s) / static_cast<float>(columns);
    const FloatVec centre = hn::Set(d, mean);
    FloatVec squares = hn::Zero(d);
    forVectors(columns, lanes, [&](size_t i, auto part) HWY_ATTR {
        const FloatVec v = fillRest(d, hn::Sub(load(d, s + i, part), centre), part, 0.0F);
        squares = hn::MulAdd(v, v, squares);
    });
    const float r = 1.0F / std::sqrt(sumLanes(d, squares) / static_cast<float>(columns) + args.eps);
    const FloatVec scale = hn::Set(d, r);
    const T* weight = args.weight.as<T>();
    const T* bias = args.bias.isPresent() ? args.bias.as<T>() : nullptr;
    T* out = args.out.as<T>() + row;
    forVectors(columns, lanes, [&](size_t i, auto part) HWY_ATTR {
        const FloatVec n = hn::Mul(hn::Sub(load(d, s + i, part), centre), scale);
        const FloatVec shift = bias != nullptr ? load(d, bias + i, part) : hn::Zero(d);
        store(hn::MulAdd(n, load(d, weight + i, part), shift), d, out + i, part);
    });
    if (!args.invStd.isPresent()) return;
    args.mean.as<float>()[t] = mean;
    args.invStd.as<float>()[t] = r;
}

template <class T>
void backwardRow(const LayerNormBackwardArgs& args, int64_t t) {
    const FloatTag d;
    const size_t lanes = hn::Lanes(d);
    const auto columns = static_cast<size_t>(args.dOut.shape[1]);
    const size_t row = static_cast<size_t>(t) * columns;
    const T* dOut = args.dOut.as<T>() + row;
    const T* s = args.s.as<T>() + row;
    const T* weight = args.weight.as<T>();
    const T* dResidual = args.dResidual.isPresent() ? args.dResidual.as<T>() + row : nullptr;
    T* dX = args.dX.as<T>() + row;
    const FloatVec centre = hn::Set(d, args.mean.as<float>()[t]);
    const FloatVec scale = hn::Set(d, args.invStd.as<float>()[t]);
    FloatVec total = hn::Zero(d);
    FloatVec product = hn::Zero(d);
    forVectors(columns, lanes, [&](size_t i, auto part) HWY_ATTR {
        const FloatVec g = hn::Mul(load(d, dOut + i, part), load(d, weight + i, part));
        total = hn::Add(total, g);  // lanes behind the end are zero in g
        product = hn::MulAdd(g, hn::Mul(hn::Sub(load(d, s + i, part), centre), scale), product);
    });
    const FloatVec level = hn::Set(d, sumLanes(d, total) / static_cast<float>(columns));
    const FloatVec projection = hn::Set(d, sumLanes(d, product) / static_cast<float>(columns));
    forVectors(columns, lanes, [&](size_t i, auto part) HWY_ATTR {
        const FloatVec g = hn::Mul(load(d, dOut + i, part), load(d, weight + i, part));
        const FloatVec n = hn::Mul(hn::Sub(load(d, s + i, part), centre), scale);
        FloatVec gradient = hn::Mul(scale, hn::NegMulAdd(n, projection, hn::Sub(g, level)));
        if (dResidual != nullptr) gradient = hn::Add(gradient, load(d, dResidual + i, part));
        store(gradient, d, dX + i, part);
    });
}

// Columns [begin, end) of dWeight and dBias, all rows in order: the result does not depend on the number of threads.
template <class T>
void parameterColumns(const LayerNormBackwardArgs& args, int64_t begin, int64_t end) {
    const FloatTag d;
    const auto columns = static_cast<size_t>(args.dOut.shape[1]);
    const auto width = static_cast<size_t>(end - begin);
    float* dWeight = args.dWeight.isPresent() ? args.dWeight.as<float>() + begin : nullptr;
    float* dBias = args.dBias.isPresent() ? args.dBias.as<float>() + begin : nullptr;
    for (int64_t t = 0; t < args.dOut.shape[0]; ++t) {
        const size_t start = static_cast<size_t>(t) * columns + static_cast<size_t>(begin);
        const T* dOut = args.dOut.as<T>() + start;
        const T* s = args.s.as<T>() + start;
        const FloatVec centre = hn::Set(d, args.mean.as<float>()[t]);
        const FloatVec scale = hn::Set(d, args.invStd.as<float>()[t]);
        forVectors(width, hn::Lanes(d), [&](size_t i, auto part) HWY_ATTR {
            const FloatVec gradient = load(d, dOut + i, part);
            if (dBias != nullptr) store(hn::Add(gradient, load(d, dBias + i, part)), d, dBias + i, part);
            if (dWeight == nullptr) return;
            const FloatVec n = hn::Mul(hn::Sub(load(d, s + i, part), centre), scale);
            store(hn::MulAdd(gradient, n, load(d, dWeight + i, part)), d, dWeight + i, part);
        });
    }
}

}  // namespace

void LayerNormForwardRows(const LayerNormForwardArgs& args, int64_t begin, int64_t end) {
    for (int64_t t = begin; t < end; ++t) {
        if (args.x.dtype == DType::BF16) {
            forwardRow<BFloat16>(args, t);
        } else {
            forwardRow<float>(args, t);
        }
    }
}

void LayerNormBackwardRows(const LayerNormBackwardArgs& args, int64_t begin, int64_t end) {
    for (int64_t t = begin; t < end; ++t) {
        if (args.dOut.dtype == DType::BF16) {
            backwardRow<BFloat16>(args, t);
        } else {
            backwardRow<float>(args, t);
        }
    }
}

void LayerNormParameterColumns(const LayerNormBackwardArgs& args, int64_t begin, int64_t end) {
    if (args.dOut.dtype == DType::BF16) {
        parameterColumns<BFloat16>(args, begin, end);
    } else {
        parameterColumns<float>(args, begin, end);
    }
}

}  // namespace wb::kernels::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace wb::kernels::cpu {

HWY_EXPORT(LayerNormForwardRows);
HWY_EXPORT(LayerNormBackwardRows);
HWY_EXPORT(LayerNormParameterColumns);

void layerNormForward(const Context& context, const LayerNormForwardArgs& args) {
    if (args.x.dtype == DType::F64) return reference::layerNormForward(context, args);
    parallelFor(context, args.x.shape[0], args.x.shape[1], [&](int64_t begin, int64_t end) {
        HWY_DYNAMIC_DISPATCH(LayerNormForwardRows)(args, begin, end);
    });
}

void layerNormBackward(const Context& context, const LayerNormBackwardArgs& args) {
    if (args.dOut.dtype == DType::F64) return reference::layerNormBackward(context, args);
    const int64_t rows = args.dOut.shape[0];
    const int64_t columns = args.dOut.shape[1];
    if (args.dWeight.isPresent() || args.dBias.isPresent()) {  // first: dX may replace what it reads
        constexpr int64_t kStrip = 64;
        parallelFor(context, (columns + kStrip - 1) / kStrip, kStrip * rows, [&](int64_t begin, int64_t end) {
            HWY_DYNAMIC_DISPATCH(LayerNormParameterColumns)(args, begin * kStrip, std::min(end * kStrip, columns));
        });
    }
    parallelFor(context, rows, columns, [&](int64_t begin, int64_t end) {
        HWY_DYNAMIC_DISPATCH(LayerNormBackwardRows)(args, begin, end);
    });
}

}  // namespace wb::kernels::cpu
#endif  // HWY_ONCE
