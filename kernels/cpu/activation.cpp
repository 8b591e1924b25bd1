// SPDX-License-Identifier: Apache-2.0
// out = act(x);  dX = dOut * act'(x)
#include "kernels/cpu/cpu_ops.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/reference/reference_ops.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/activation.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h

#include "kernels/cpu/activation_inl.h"

HWY_BEFORE_NAMESPACE();
namespace wb::kernels::cpu::HWY_NAMESPACE {
namespace {

template <class T, class Act>
void forwardRange(const ActivationForwardArgs& args, int64_t begin, int64_t end, Act act) {
    const FloatTag d;
    const T* x = args.x.as<T>() + begin;
    T* out = args.out.as<T>() + begin;
    forVectors(static_cast<size_t>(end - begin), hn::Lanes(d),
               [&](size_t i, auto part) HWY_ATTR { store(act(d, load(d, x + i, part)).value, d, out + i, part); });
}

template <class T, class Act>
void backwardRange(const ActivationBackwardArgs& args, int64_t begin, int64_t end, Act act) {
    const FloatTag d;
    const T* dOut = args.dOut.as<T>() + begin;
    const T* x = args.x.as<T>() + begin;
    T* dX = args.dX.as<T>() + begin;
    forVectors(static_cast<size_t>(end - begin), hn::Lanes(d), [&](size_t i, auto part) HWY_ATTR {
        store(hn::Mul(load(d, dOut + i, part), act(d, load(d, x + i, part)).slope), d, dX + i, part);
    });
}

}  // namespace

void ActivationForwardRange(const ActivationForwardArgs& args, int64_t begin, int64_t end) {
    withActivation(args.activation, [&](auto act) HWY_ATTR {
        if (args.x.dtype == DType::BF16) {
            forwardRange<BFloat16>(args, begin, end, act);
        } else {
            forwardRange<float>(args, begin, end, act);
        }
    });
}

void ActivationBackwardRange(const ActivationBackwardArgs& args, int64_t begin, int64_t end) {
    withActivation(args.activation, [&](auto act) HWY_ATTR {
        if (args.x.dtype == DType::BF16) {
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

HWY_EXPORT(ActivationForwardRange);
HWY_EXPORT(ActivationBackwardRange);

void activationForward(const Context& context, const ActivationForwardArgs& args) {
    if (args.x.dtype == DType::F64) return reference::activationForward(context, args);
    parallelFor(context, args.x.shape.count(), 4, [&](int64_t begin, int64_t end) {
        HWY_DYNAMIC_DISPATCH(ActivationForwardRange)(args, begin, end);
    });
}

void activationBackward(const Context& context, const ActivationBackwardArgs& args) {
    if (args.x.dtype == DType::F64) return reference::activationBackward(context, args);
    parallelFor(context, args.x.shape.count(), 4, [&](int64_t begin, int64_t end) {
        HWY_DYNAMIC_DISPATCH(ActivationBackwardRange)(args, begin, end);
    });
}

}  // namespace wb::kernels::cpu
#endif  // HWY_ONCE
