// SPDX-License-Identifier: Apache-2.0
// out = act(gate) * up;  dGate = dOut * up * act'(gate);  dUp = dOut * act(gate)
#include "kernels/cpu/cpu_ops.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/reference/reference_ops.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/gated_activation.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h

#include "kernels/cpu/activation_inl.h"

HWY_BEFORE_NAMESPACE();
namespace wb::kernels::cpu::HWY_NAMESPACE {
namespace {

template <class T, class Act>
void forwardRange(const GatedActivationForwardArgs& args, int64_t begin, int64_t end, Act act) {
    const FloatTag d;
    const T* gate = args.gate.as<T>() + begin;
    const T* up = args.up.as<T>() + begin;
    T* out = args.out.as<T>() + begin;
    forVectors(static_cast<size_t>(end - begin), hn::Lanes(d), [&](size_t i, auto part) HWY_ATTR {
        store(hn::Mul(act(d, load(d, gate + i, part)).value, load(d, up + i, part)), d, out + i, part);
    });
}

template <class T, class Act>
void backwardRange(const GatedActivationBackwardArgs& args, int64_t begin, int64_t end, Act act) {
    const FloatTag d;
    const T* dOut = args.dOut.as<T>() + begin;
    const T* gate = args.gate.as<T>() + begin;
    const T* up = args.up.as<T>() + begin;
    T* dGate = args.dGate.as<T>() + begin;
    T* dUp = args.dUp.as<T>() + begin;
    forVectors(static_cast<size_t>(end - begin), hn::Lanes(d), [&](size_t i, auto part) HWY_ATTR {
        const FloatVec gradient = load(d, dOut + i, part);
        const FloatVec u = load(d, up + i, part);
        const ValueAndSlope a = act(d, load(d, gate + i, part));
        store(hn::Mul(hn::Mul(gradient, u), a.slope), d, dGate + i, part);
        store(hn::Mul(gradient, a.value), d, dUp + i, part);
    });
}

}  // namespace

void GatedForwardRange(const GatedActivationForwardArgs& args, int64_t begin, int64_t end) {
    withActivation(args.activation, [&](auto act) HWY_ATTR {
        if (args.gate.dtype == DType::BF16) {
            forwardRange<BFloat16>(args, begin, end, act);
        } else {
            forwardRange<float>(args, begin, end, act);
        }
    });
}

void GatedBackwardRange(const GatedActivationBackwardArgs& args, int64_t begin, int64_t end) {
    withActivation(args.activation, [&](auto act) HWY_ATTR {
        if (args.gate.dtype == DType::BF16) {
            backwardRange<BFloat16>(args, begin, end, act);
        } else {
            backwardRange<float>(args, begin, end, act);
        }
    });
}

}  // namespace wb::kernels::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace wb::kernels::cpu {

HWY_EXPORT(GatedForwardRange);
HWY_EXPORT(GatedBackwardRange);

void gatedActivationForward(const Context& context, const GatedActivationForwardArgs& args) {
    if (args.gate.dtype == DType::F64) return reference::gatedActivationForward(context, args);
    parallelFor(context, args.gate.shape.count(), 4, [&](int64_t begin, int64_t end) {
        HWY_DYNAMIC_DISPATCH(GatedForwardRange)(args, begin, end);
    });
}

void gatedActivationBackward(const Context& context, const GatedActivationBackwardArgs& args) {
    if (args.gate.dtype == DType::F64) return reference::gatedActivationBackward(context, args);
    parallelFor(context, args.gate.shape.count(), 4, [&](int64_t begin, int64_t end) {
        HWY_DYNAMIC_DISPATCH(GatedBackwardRange)(args, begin, end);
    });
}

}  // namespace wb::kernels::cpu
#endif  // HWY_ONCE
