// SPDX-License-Identifier: Apache-2.0
// What the two kernels over a block cache share on the host.
#pragma once

#include "kernels/cuda/attention_geometry.h"

namespace wb::kernels::cuda {

AttentionRule pagedAttentionRule(const PagedAttentionArgs& args);

// Keys of the longest sequence, or the bound that the caller gives.
int64_t longestCache(const PagedAttentionArgs& args);

// Paged attention by the formula (attention_math.cu): when the user asks for `math`.
size_t pagedAttentionMathWorkspace(const PagedAttentionArgs& args);
void pagedAttentionMath(const Context& context, const PagedAttentionArgs& args);

}  // namespace wb::kernels::cuda
