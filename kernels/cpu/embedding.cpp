// SPDX-License-Identifier: Apache-2.0
// out[t] = scale * table[ids[t]];  dTable[ids[t]] += scale * dOut[t]
#include "kernels/cpu/cpu_ops.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/quantized_tiles.h"
#include "kernels/cpu/reference/reference_ops.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/embedding.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h

#include "kernels/cpu/simd_inl.h"

HWY_BEFORE_NAMESPACE();
namespace wb::kernels::cpu::HWY_NAMESPACE {
namespace {

template <class T>
void lookupRows(const EmbeddingForwardArgs& args, int64_t begin, int64_t end) {
    const FloatTag d;
    const auto columns = static_cast<size_t>(args.table.shape[1]);
    const FloatVec factor = hn::Set(d, args.scale);
    for (int64_t t = begin; t < end; ++t) {
        const T* row = args.table.as<T>() + static_cast<size_t>(args.ids.as<int32_t>()[t]) * columns;
        T* out = args.out.as<T>() + static_cast<size_t>(t) * columns;
        if (args.scale == 1.0F) {
            std::memcpy(static_cast<void*>(out), row, columns * sizeof(T));
            continue;
        }
        forVectors(columns, hn::Lanes(d), [&](size_t i, auto part) HWY_ATTR {
            store(hn::Mul(load(d, row + i, part), factor), d, out + i, part);
        });
    }
}

// Columns [begin, end) of all tokens in order, so that repeated ids add up the same way whatever the threads.
template <class T>
void scatterColumns(const EmbeddingBackwardArgs& args, int64_t begin, int64_t end) {
    const FloatTag d;
    const auto columns = static_cast<size_t>(args.dTable.shape[1]);
    const FloatVec factor = hn::Set(d, args.scale);
    for (int64_t t = 0; t < args.ids.shape[0]; ++t) {
        if (args.ids.as<int32_t>()[t] == args.untrainedId) continue;
        const auto first = static_cast<size_t>(begin);
        const T* dOut = args.dOut.as<T>() + static_cast<size_t>(t) * columns + first;
        float* dRow = args.dTable.as<float>() + static_cast<size_t>(args.ids.as<int32_t>()[t]) * columns + first;
        forVectors(static_cast<size_t>(end - begin), hn::Lanes(d), [&](size_t i, auto part) HWY_ATTR {
            store(hn::MulAdd(load(d, dOut + i, part), factor, load(d, dRow + i, part)), d, dRow + i, part);
        });
    }
}

}  // namespace

void EmbeddingLookupRows(const EmbeddingForwardArgs& args, int64_t begin, int64_t end) {
    if (args.table.dtype == DType::BF16) {
        lookupRows<BFloat16>(args, begin, end);
    } else {
        lookupRows<float>(args, begin, end);
    }
}

void EmbeddingScatterColumns(const EmbeddingBackwardArgs& args, int64_t begin, int64_t end) {
    if (args.dOut.dtype == DType::BF16) {
        scatterColumns<BFloat16>(args, begin, end);
    } else {
        scatterColumns<float>(args, begin, end);
    }
}

}  // namespace wb::kernels::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace wb::kernels::cpu {

HWY_EXPORT(EmbeddingLookupRows);
HWY_EXPORT(EmbeddingScatterColumns);

namespace {

void lookUpTiles(const Context& context, const EmbeddingForwardArgs& args) {
    const int64_t columns = args.table.shape[1];
    const size_t rowBytes = dtypeBytes(args.out.dtype, static_cast<size_t>(columns));
    parallelFor(context, args.ids.shape[0], columns, [&](int64_t begin, int64_t end) {
        for (int64_t t = begin; t < end; ++t) {
            const int64_t id = args.ids.as<int32_t>()[t];
            widenTiles(args.table, {id, id + 1, 0, columns / kGroupLength}, args.scale,
                       args.out.as<std::byte>() + static_cast<size_t>(t) * rowBytes, args.out.dtype, columns);
        }
    });
}

}  // namespace

void embeddingForward(const Context& context, const EmbeddingForwardArgs& args) {
    if (args.out.dtype == DType::F64) return reference::embeddingForward(context, args);
    if (isTiled(args.table.dtype)) return lookUpTiles(context, args);
    parallelFor(context, args.ids.shape[0], args.table.shape[1], [&](int64_t begin, int64_t end) {
        HWY_DYNAMIC_DISPATCH(EmbeddingLookupRows)(args, begin, end);
    });
}

void embeddingBackward(const Context& context, const EmbeddingBackwardArgs& args) {
    if (args.dOut.dtype == DType::F64) return reference::embeddingBackward(context, args);
    constexpr int64_t kStrip = 64;  // columns, a multiple of a cache line: threads never share one
    const int64_t columns = args.dTable.shape[1];
    parallelFor(context, (columns + kStrip - 1) / kStrip, kStrip * args.ids.shape[0], [&](int64_t begin, int64_t end) {
        HWY_DYNAMIC_DISPATCH(EmbeddingScatterColumns)(args, begin * kStrip, std::min(end * kStrip, columns));
    });
}

}  // namespace wb::kernels::cpu
#endif  // HWY_ONCE
