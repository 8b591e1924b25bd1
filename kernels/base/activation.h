// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace wb::kernels {

// Names of the activation functions; their formulas are in kernels/activation.h. Includes nothing, so that descriptions
// of models can name one without the kernels.
enum class Activation { Silu, Gelu, GeluTanh, Relu, Sigmoid };

}  // namespace wb::kernels
