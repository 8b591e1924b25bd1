// SPDX-License-Identifier: Apache-2.0
// Flash attention in one 16-bit type: what attention_flash.cu asks of the files that hold the kernels of each type.
#pragma once

#include "kernels/attention.h"

#include <cstddef>

namespace wb::kernels::cuda {

class Stream;

// T: __nv_bfloat16 or __half.
template <class T>
void flashForward(const Context& context, const AttentionForwardArgs& args);
template <class T>
void flashBackward(const Context& context, const AttentionBackwardArgs& args);

// Unsupported if the device has less shared memory for a block.
void requireShared(const Stream& stream, int bytes);

}  // namespace wb::kernels::cuda
