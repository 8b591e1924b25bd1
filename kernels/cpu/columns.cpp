// SPDX-License-Identifier: Apache-2.0
// out[t, n, i] = x[t, starts[n] + i];  dX[t, starts[n] + i] += part[t, n, i]
#include "kernels/cpu/cpu_ops.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/reference/reference_ops.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/columns.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h

#include "kernels/cpu/simd_inl.h"

HWY_BEFORE_NAMESPACE();
namespace wb::kernels::cpu::HWY_NAMESPACE {
namespace {

template <class T>
void scatterRows(const ScatterAddColumnsArgs& args, int64_t begin, int64_t end) {
    const FloatTag d;
    const auto columns = static_cast<size_t>(args.dX.shape[1]);
    const auto width = static_cast<size_t>(args.part.shape[2]);
    const T* from = args.part.as<T>() + static_cast<size_t>(begin) * args.starts.size() * width;
    for (int64_t t = begin; t < end; ++t) {
        T* row = args.dX.as<T>() + static_cast<size_t>(t) * columns;
        for (const int32_t start : args.starts) {
            T* to = row + start;
            forVectors(width, hn::Lanes(d), [&](size_t i, auto part) HWY_ATTR {
                store(hn::Add(load(d, to + i, part), load(d, from + i, part)), d, to + i, part);
            });
            from += width;
        }
    }
}

}  // namespace

void ScatterColumnRows(const ScatterAddColumnsArgs& args, int64_t begin, int64_t end) {
    if (args.dX.dtype == DType::BF16) {
        scatterRows<BFloat16>(args, begin, end);
    } else {
        scatterRows<float>(args, begin, end);
    }
}

}  // namespace wb::kernels::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace wb::kernels::cpu {

HWY_EXPORT(ScatterColumnRows);

void gatherColumns(const Context& context, const GatherColumnsArgs& args) {
    const size_t size = dtypeBytes(args.x.dtype, 1);
    const size_t rowBytes = static_cast<size_t>(args.x.shape[1]) * size;
    const size_t slotBytes = static_cast<size_t>(args.out.shape[2]) * size;
    const int64_t workPerRow = args.out.shape[1] * args.out.shape[2];
    parallelFor(context, args.x.shape[0], workPerRow, [&](int64_t begin, int64_t end) {
        std::byte* to = args.out.as<std::byte>() + static_cast<size_t>(begin) * args.starts.size() * slotBytes;
        for (int64_t t = begin; t < end; ++t) {
            const std::byte* row = args.x.as<std::byte>() + static_cast<size_t>(t) * rowBytes;
            for (const int32_t start : args.starts) {
                std::memcpy(to, row + static_cast<size_t>(start) * size, slotBytes);
                to += slotBytes;
            }
        }
    });
}

void scatterAddColumns(const Context& context, const ScatterAddColumnsArgs& args) {
    if (args.dX.dtype == DType::F64) return reference::scatterAddColumns(context, args);
    parallelFor(context, args.dX.shape[0], args.part.shape[1] * args.part.shape[2], [&](int64_t begin, int64_t end) {
        HWY_DYNAMIC_DISPATCH(ScatterColumnRows)(args, begin, end);
    });
}

}  // namespace wb::kernels::cpu
#endif  // HWY_ONCE
