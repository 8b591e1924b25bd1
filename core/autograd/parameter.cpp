// SPDX-License-Identifier: Apache-2.0
#include "core/autograd/parameter.h"

#include "kernels/elementwise.h"

namespace wb::core {

Tensor& gradientSum(const kernels::Context& context, Parameter& parameter) {
    if (parameter.isGradientUnset) kernels::fill(context, {.out = parameter.gradient.view()});
    parameter.isGradientUnset = false;
    return parameter.gradient;
}

}  // namespace wb::core
