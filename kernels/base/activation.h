// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace wb::kernels {

enum class Activation { Silu, Gelu, GeluTanh, Relu };

}  // namespace wb::kernels
