// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/runtime/context.h"
#include "kernels/runtime/view.h"

namespace wb::kernels {

// Looks up one row per token: out[t] = scale * table[ids[t]].
//   table [V, C] F32/BF16/F64 and out [T, C] the same, or table in tiles of quantised blocks (kernels/quantize.h) and
//   out F32/BF16/F64; ids [T] I32, each in [0, V).
// Throws InvalidArgument on shapes, dtypes, or an id outside the table (CUDA: its row is NaN, its gradient left out).
struct EmbeddingForwardArgs {
    ConstView table;
    ConstView ids;
    View out;
    float scale = 1.0F;
};
void embeddingForward(const Context& context, const EmbeddingForwardArgs& args);

// dTable[ids[t]] += scale * dOut[t], in the order of t for every row: the result does not depend on threads. Tokens of
// untrainedId (-1: none) add nothing.
//   dOut [T, C] F32/BF16/F64; dTable [V, C] F32 (F64 for F64).
struct EmbeddingBackwardArgs {
    ConstView dOut;
    ConstView ids;
    View dTable;
    float scale = 1.0F;
    int32_t untrainedId = -1;
    View workspace;  // scratch, set by dispatch
};
void embeddingBackward(const Context& context, const EmbeddingBackwardArgs& args);

}  // namespace wb::kernels
