// SPDX-License-Identifier: Apache-2.0
// Softmax cross-entropy of rows of logits: the middle of kernels/lm_head_loss.h.
#pragma once

#include "kernels/cuda/stream.h"

#include <cstdint>

namespace wb::kernels::cuda {

struct CrossEntropyRows {
    float* logits = nullptr;  // [rows, stride]: logitScale * hidden W^T, without bias and cap
    int64_t rows = 0;
    int64_t columns = 0;
    int64_t stride = 0;               // elements from row to row, a multiple of 8
    const int32_t* tokens = nullptr;  // [rows]: whose row it is; negative: nobody's
    const int32_t* labels = nullptr;  // [T]
    const void* bias = nullptr;       // [columns]; null: none
    float* losses = nullptr;          // [T]
    int32_t* predictions = nullptr;   // [T]; null: not wanted
    DType dtype = DType::F32;         // of bias and gradient
    float gradScale = 1.0F;
    float softCap = 0.0F;  // 0: none
    bool hasGradient = false;
};

// Losses and predictions of the rows' tokens. The gradient with respect to logits + bias takes the place of the logits,
// in `dtype`: a row starts where its logits did. Rows of nobody get a gradient of zeros. A label outside [0, columns)
// makes the loss and the gradient NaN.
void crossEntropy(const Stream& stream, const CrossEntropyRows& args);

}  // namespace wb::kernels::cuda
