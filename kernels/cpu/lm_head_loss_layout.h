// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/lm_head_loss.h"

#include <cstddef>

namespace wb::kernels::cpu {

// Chunks are padded with zero rows to a multiple of this, so that the matrix products meet few different shapes (each
// new one costs code generation) whatever the number of labels.
inline constexpr int64_t kLossRowMultiple = 16;

// Where the parts of the workspace lie, in bytes from its start.
struct LmHeadLossLayout {
    int64_t chunkRows = 0;
    size_t logits = 0;    // [chunkRows, vocabularySize] F32/F64
    size_t hidden = 0;    // [chunkRows, C]: labelled rows, gathered
    size_t dHidden = 0;   // [chunkRows, C], present if dHidden is
    size_t rowIndex = 0;  // [T] I32: the labelled rows
    size_t gemm = 0;      // scratch of the products
    size_t bytes = 0;
};
// args as lmHeadLoss passes them on: vocabularySize is set.
LmHeadLossLayout lmHeadLossLayout(const Context& context, const LmHeadLossArgs& args);

}  // namespace wb::kernels::cpu
