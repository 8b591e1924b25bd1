// SPDX-License-Identifier: Apache-2.0
// The attention kernels of the CPU that share an op-table entry, and the bytes of workspace of each. Bytes follow from
// shapes, sequence lengths and thread count alone, so that the plan device counts what a run will use.
#pragma once

#include "kernels/attention.h"

#include <cstddef>
#include <cstdint>

namespace wb::kernels::cpu {

size_t attentionForwardMathWorkspace(const Context& context, const AttentionForwardArgs& args);
size_t attentionBackwardMathWorkspace(const Context& context, const AttentionBackwardArgs& args);
size_t attentionForwardMemoryEfficientWorkspace(const Context& context, const AttentionForwardArgs& args);
size_t attentionBackwardMemoryEfficientWorkspace(const Context& context, const AttentionBackwardArgs& args);
size_t attentionForwardFlashWorkspace(const Context& context, const AttentionForwardArgs& args);
size_t attentionBackwardFlashWorkspace(const Context& context, const AttentionBackwardArgs& args);

// Most keys any sequence of the call sees.
int64_t longestCache(const PagedAttentionArgs& args);

size_t pagedAttentionWorkspace(const Context& context, const PagedAttentionArgs& args);

// Paged attention by the formula: F64, or when the user asks for `math`.
size_t pagedAttentionMathWorkspace(const Context& context, const PagedAttentionArgs& args);
void pagedAttentionMath(const Context& context, const PagedAttentionArgs& args);

// Paged attention by tiles: F32 and BF16.
size_t pagedAttentionTiledWorkspace(const Context& context, const PagedAttentionArgs& args);
void pagedAttentionTiled(const Context& context, const PagedAttentionArgs& args);

}  // namespace wb::kernels::cpu
