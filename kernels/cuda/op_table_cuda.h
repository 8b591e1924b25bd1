// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/runtime/op_table.h"

namespace wb::kernels::cuda {

// What CUDA devices can do; an op that is missing here is refused by name.
const OpTable& cudaOpTable();

}  // namespace wb::kernels::cuda
