// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>

namespace wb::kernels::cuda {

// Compute capabilities this plugin was compiled for, ascending: 80 for 8.0.
std::span<const int> builtArchitectures();

// Whether the present device can run a kernel of this plugin: the runtime's own word, which needs its context.
bool hasKernelsForDevice();

}  // namespace wb::kernels::cuda
