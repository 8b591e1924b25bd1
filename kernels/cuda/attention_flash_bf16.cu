// SPDX-License-Identifier: Apache-2.0
// The forward kernels of flash attention in BF16.
#include "kernels/cuda/attention_flash_forward_inl.h"

namespace wb::kernels::cuda {

template void flashForward<__nv_bfloat16>(const Context&, const AttentionForwardArgs&);

}  // namespace wb::kernels::cuda
