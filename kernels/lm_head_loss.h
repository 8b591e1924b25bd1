// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/linear.h"
#include "kernels/runtime/context.h"
#include "kernels/runtime/view.h"

#include <cstdint>

namespace wb::kernels {

inline constexpr int32_t kIgnoredLabel = -100;

// Language-model head and softmax cross-entropy in one op, in chunks of rows: logits of a whole batch never exist, and
// rows whose label is ignored cost nothing.
//   u = logitScale * hidden W^T + bias (columns >= vocabularySize are masked);  z = softCap * tanh(u / softCap), or u
//   where softCap is 0;  loss[t] = logsumexp(z[t]) - z[t, label[t]]
//   with gradients: p = softmax(z);  d = gradScale * (p - onehot(label)) * (1 - (z / softCap)^2);
//   dHidden = logitScale * d W;  dWeight += logitScale * d^T hidden;  dBias += sum over rows of d
// Gradients are made in the same pass because the logits are at hand; gradScale is usually 1 / (label tokens of the
// step). The caller multiplies later only if its own upstream gradient is not one.
//   hidden [T, C] F32/BF16/F64; weight [V, C] same dtype, or tiles of quantised blocks (multiplied as in linear.h; no
//   dWeight then); bias [V] same dtype, optional;
//   labels [T] I32 in [0, vocabularySize) or kIgnoredLabel
//   losses [T] F32/F64: 0 where ignored; predictions [T] I32 optional: argmax, lowest id on ties, -1 where ignored
//   dHidden [T, C] dtype of hidden, optional: overwritten, 0 where ignored; dWeight [V, C], dBias [V] F32/F64
//   optional: accumulate, dWeight unless weightWrite says Replace (its first vocabularySize rows). maxLogitBytes bounds
//   the chunk (workspace); 0 chooses one that stays in cache.
struct LmHeadLossArgs {
    ConstView hidden;
    ConstView weight;
    ConstView bias;
    ConstView labels;
    View losses;
    View predictions;
    View dHidden;
    View dWeight;
    View dBias;
    float gradScale = 1.0F;
    float logitScale = 1.0F;
    float softCap = 0.0F;        // 0: none
    int64_t vocabularySize = 0;  // 0: all V
    int64_t maxLogitBytes = 0;
    Write weightWrite = Write::Add;
    View workspace;  // scratch, set by dispatch
};
void lmHeadLoss(const Context& context, const LmHeadLossArgs& args);

}  // namespace wb::kernels
