// SPDX-License-Identifier: Apache-2.0
#include "kernels/logits.h"

#include "kernels/base/error.h"
#include "kernels/cpu/cpu_features.h"

#include <algorithm>
#include <cmath>
#include <limits>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/logits.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h

#include "kernels/cpu/simd_inl.h"

HWY_BEFORE_NAMESPACE();
namespace wb::kernels::cpu::HWY_NAMESPACE {

// -infinity if there is nothing but NaN.
float HighestOf(const float* values, size_t count) {
    const FloatTag d;
    const FloatVec nothing = hn::Set(d, -std::numeric_limits<float>::infinity());
    FloatVec highest = nothing;
    forVectors(count, hn::Lanes(d), [&](size_t i, auto part) HWY_ATTR {
        const FloatVec v = fillRest(d, load(d, values + i, part), part, -std::numeric_limits<float>::infinity());
        highest = hn::Max(highest, hn::IfThenElse(hn::IsNaN(v), nothing, v));
    });
    return maxLanes(d, highest);
}

// Sum of exp(values[i] - shift) for values up to shift.
float SumOfExp(const float* values, size_t count, float shift) {
    const FloatTag d;
    FloatVec sum = hn::Zero(d);
    forVectors(count, hn::Lanes(d), [&](size_t i, auto part) HWY_ATTR {
        const FloatVec v = fillRest(d, load(d, values + i, part), part, -std::numeric_limits<float>::infinity());
        sum = hn::Add(sum, expSmall(d, hn::Sub(v, hn::Set(d, shift))));
    });
    return sumLanes(d, sum);
}

}  // namespace wb::kernels::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace wb::kernels {
namespace cpu {
namespace {

HWY_EXPORT(HighestOf);
HWY_EXPORT(SumOfExp);

// Values summed in float; the sums of blocks are added in double.
constexpr size_t kBlock = 2048;

float highestOf(std::span<const float> values) {
    WB_CHECK(!values.empty(), "a row of logits has at least one value");
    cpuFeatures();  // applies the cap of the instruction set
    return HWY_DYNAMIC_DISPATCH(HighestOf)(values.data(), values.size());
}

double sumOfExp(std::span<const float> values, float shift) {
    double sum = 0;
    for (size_t begin = 0; begin < values.size(); begin += kBlock) {
        const size_t count = std::min(kBlock, values.size() - begin);
        sum += static_cast<double>(HWY_DYNAMIC_DISPATCH(SumOfExp)(values.data() + begin, count, shift));
    }
    return sum;
}

}  // namespace
}  // namespace cpu

double logSumExp(std::span<const float> values) {
    const float highest = cpu::highestOf(values);
    if (std::isinf(highest)) {
        const bool hasNan = std::ranges::any_of(values, [](float value) { return std::isnan(value); });
        return hasNan ? std::numeric_limits<double>::quiet_NaN() : static_cast<double>(highest);
    }
    return static_cast<double>(highest) + std::log(cpu::sumOfExp(values, highest));
}

size_t highestIndex(std::span<const float> values) {
    const float highest = cpu::highestOf(values);
    const auto found = std::ranges::find(values, highest);
    return found == values.end() ? 0 : static_cast<size_t>(found - values.begin());
}

}  // namespace wb::kernels
#endif  // HWY_ONCE
