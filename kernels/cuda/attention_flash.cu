// SPDX-License-Identifier: Apache-2.0
#include "kernels/cuda/attention_flash.h"

#include "kernels/cuda/cuda_ops.h"
#include "kernels/cuda/stream.h"

namespace wb::kernels::cuda {

// The picker lets nothing else through (attentionRefusal in kernels/attention.cpp).
void attentionForwardFlash(const Context& context, const AttentionForwardArgs& args) {
    if (args.q.dtype == DType::F16) return flashForward<__half>(context, args);
    flashForward<__nv_bfloat16>(context, args);
}

}  // namespace wb::kernels::cuda
