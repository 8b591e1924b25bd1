// SPDX-License-Identifier: Apache-2.0
// out = x * gain + bias (+ out);  dX = dOut * gain;  dGain += column sums of dOut * x;  dBias += column sums of dOut
#include "kernels/cpu/cpu_ops.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/reference/reference_ops.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/column_scale.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h

#include "kernels/cpu/simd_inl.h"

HWY_BEFORE_NAMESPACE();
namespace wb::kernels::cpu::HWY_NAMESPACE {
namespace {

template <class T, class Out>
void forwardRow(const ColumnScaleForwardArgs& args, int64_t t) {
    const FloatTag d;
    const auto columns = static_cast<size_t>(args.x.shape[1]);
    const T* x = args.x.as<T>() + static_cast<size_t>(t) * columns;
    Out* out = args.out.as<Out>() + static_cast<size_t>(t) * columns;
    const float* gain = args.gain.isPresent() ? args.gain.as<float>() : nullptr;
    const T* bias = args.bias.isPresent() ? args.bias.as<T>() : nullptr;
    forVectors(columns, hn::Lanes(d), [&](size_t i, auto part) HWY_ATTR {
        FloatVec value = load(d, x + i, part);
        if (gain != nullptr) value = hn::Mul(value, load(d, gain + i, part));
        if (bias != nullptr) value = hn::Add(value, load(d, bias + i, part));
        if (args.accumulates) value = hn::Add(value, load(d, out + i, part));
        store(value, d, out + i, part);
    });
}

template <class T>
void inputRow(const ColumnScaleBackwardArgs& args, int64_t t) {
    const FloatTag d;
    const auto columns = static_cast<size_t>(args.dOut.shape[1]);
    const T* dOut = args.dOut.as<T>() + static_cast<size_t>(t) * columns;
    T* dX = args.dX.as<T>() + static_cast<size_t>(t) * columns;
    const float* gain = args.gain.as<float>();
    forVectors(columns, hn::Lanes(d), [&](size_t i, auto part) HWY_ATTR {
        store(hn::Mul(load(d, dOut + i, part), load(d, gain + i, part)), d, dX + i, part);
    });
}

// Columns [begin, end) of both sums, all rows in order.
template <class T>
void sumColumns(const ColumnScaleBackwardArgs& args, int64_t begin, int64_t end) {
    const FloatTag d;
    const auto columns = static_cast<size_t>(args.dOut.shape[1]);
    for (int64_t t = 0; t < args.dOut.shape[0]; ++t) {
        const size_t first = static_cast<size_t>(t) * columns + static_cast<size_t>(begin);
        const T* dOut = args.dOut.as<T>() + first;
        forVectors(static_cast<size_t>(end - begin), hn::Lanes(d), [&](size_t i, auto part) HWY_ATTR {
            const FloatVec upstream = load(d, dOut + i, part);
            if (args.dGain.isPresent()) {
                float* dGain = args.dGain.as<float>() + begin + i;
                const FloatVec x = load(d, args.x.as<T>() + first + i, part);
                store(hn::MulAdd(upstream, x, load(d, dGain, part)), d, dGain, part);
            }
            if (args.dBias.isPresent()) {
                float* dBias = args.dBias.as<float>() + begin + i;
                store(hn::Add(load(d, dBias, part), upstream), d, dBias, part);
            }
        });
    }
}

}  // namespace

void ColumnScaleForwardRows(const ColumnScaleForwardArgs& args, int64_t begin, int64_t end) {
    for (int64_t t = begin; t < end; ++t) {
        if (args.x.dtype == DType::F32) {
            forwardRow<float, float>(args, t);
        } else if (args.out.dtype == DType::F32) {
            forwardRow<BFloat16, float>(args, t);
        } else {
            forwardRow<BFloat16, BFloat16>(args, t);
        }
    }
}

void ColumnScaleInputRows(const ColumnScaleBackwardArgs& args, int64_t begin, int64_t end) {
    for (int64_t t = begin; t < end; ++t) {
        args.dOut.dtype == DType::BF16 ? inputRow<BFloat16>(args, t) : inputRow<float>(args, t);
    }
}

void ColumnScaleSums(const ColumnScaleBackwardArgs& args, int64_t begin, int64_t end) {
    args.dOut.dtype == DType::BF16 ? sumColumns<BFloat16>(args, begin, end) : sumColumns<float>(args, begin, end);
}

}  // namespace wb::kernels::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace wb::kernels::cpu {

HWY_EXPORT(ColumnScaleForwardRows);
HWY_EXPORT(ColumnScaleInputRows);
HWY_EXPORT(ColumnScaleSums);

void columnScaleForward(const Context& context, const ColumnScaleForwardArgs& args) {
    if (args.x.dtype == DType::F64) return reference::columnScaleForward(context, args);
    parallelFor(context, args.x.shape[0], args.x.shape[1], [&](int64_t begin, int64_t end) {
        HWY_DYNAMIC_DISPATCH(ColumnScaleForwardRows)(args, begin, end);
    });
}

void columnScaleBackward(const Context& context, const ColumnScaleBackwardArgs& args) {
    if (args.dOut.dtype == DType::F64) return reference::columnScaleBackward(context, args);
    const int64_t rows = args.dOut.shape[0];
    const int64_t columns = args.dOut.shape[1];
    // Sums first: dX may replace dOut.
    if (args.dGain.isPresent() || args.dBias.isPresent()) {
        constexpr int64_t kStrip = 64;
        parallelFor(context, (columns + kStrip - 1) / kStrip, kStrip * rows, [&](int64_t begin, int64_t end) {
            HWY_DYNAMIC_DISPATCH(ColumnScaleSums)(args, begin * kStrip, std::min(end * kStrip, columns));
        });
    }
    if (!args.dX.isPresent()) return;
    parallelFor(context, rows, columns, [&](int64_t begin, int64_t end) {
        HWY_DYNAMIC_DISPATCH(ColumnScaleInputRows)(args, begin, end);
    });
}

}  // namespace wb::kernels::cpu
#endif  // HWY_ONCE
