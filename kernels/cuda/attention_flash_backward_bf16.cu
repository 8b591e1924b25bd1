// SPDX-License-Identifier: Apache-2.0
// The backward kernels of flash attention in BF16.
#include "kernels/cuda/attention_flash_backward_inl.h"

namespace wb::kernels::cuda {

template void flashBackward<__nv_bfloat16>(const Context&, const AttentionBackwardArgs&);

}  // namespace wb::kernels::cuda
