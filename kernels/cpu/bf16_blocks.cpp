// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/bf16_blocks.h"

#include <algorithm>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/bf16_blocks.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h

#include "kernels/cpu/simd_inl.h"

HWY_BEFORE_NAMESPACE();
namespace wb::kernels::cpu::HWY_NAMESPACE {

void WidenRow(const BFloat16* in, int64_t count, float* out) {
    const FloatTag d;
    forVectors(static_cast<size_t>(count), hn::Lanes(d),
               [&](size_t i, auto part) HWY_ATTR { store(load(d, in + i, part), d, out + i, part); });
}

void RoundRow(const float* in, int64_t count, BFloat16* out) {
    const FloatTag d;
    forVectors(static_cast<size_t>(count), hn::Lanes(d),
               [&](size_t i, auto part) HWY_ATTR { store(load(d, in + i, part), d, out + i, part); });
}

}  // namespace wb::kernels::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace wb::kernels::cpu {
namespace {

HWY_EXPORT(WidenRow);
HWY_EXPORT(RoundRow);

// Elements that pay for a second thread.
constexpr int64_t kGrain = 32768;

int threadsFor(int64_t elements, int numThreads) {
    return static_cast<int>(std::clamp<int64_t>(elements / kGrain, 1, std::max(1, numThreads)));
}

}  // namespace

void widenBlock(const BFloat16* in, int64_t stride, int64_t rows, int64_t columns, float* out, int numThreads) {
#pragma omp parallel for num_threads(threadsFor(rows* columns, numThreads)) schedule(static)
    for (int64_t r = 0; r < rows; ++r) HWY_DYNAMIC_DISPATCH(WidenRow)(in + r * stride, columns, out + r * columns);
}

void roundBlock(const float* in, int64_t rows, int64_t columns, BFloat16* out, int64_t stride, int numThreads) {
#pragma omp parallel for num_threads(threadsFor(rows* columns, numThreads)) schedule(static)
    for (int64_t r = 0; r < rows; ++r) HWY_DYNAMIC_DISPATCH(RoundRow)(in + r * columns, columns, out + r * stride);
}

}  // namespace wb::kernels::cpu
#endif  // HWY_ONCE
