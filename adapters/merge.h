// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "adapters/low_rank_adapter.h"

namespace wb::adapters {

// Makes the adapter part of the model's weights, in their element type, and detaches it: the model then behaves alone
// as it did with the adapter, up to rounding. Dropout plays no part.
//   W + scale B A;  with a magnitude: that, each row scaled to the length magnitude;  biases of B join the layer's;
//   weights of the adapter's own take the place of the model's.
// Throws Unsupported, before anything has changed, where a layer has no bias that a bias of B could join, and for an
// embedding or a head of its own where the model ties the two.
void mergeAdapter(const kernels::Context& context, LowRankAdapter& adapter);

// Throws Unsupported if the model is held in blocks, whose rounding nothing must be written over or kept for good.
void requireWholeWeights(const core::LanguageModel& model);

}  // namespace wb::adapters
