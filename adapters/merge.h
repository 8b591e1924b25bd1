// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "adapters/low_rank_adapter.h"

namespace wb::adapters {

// Adds scale * B A to the weight of every layer the adapter attaches to, in the model's element type, and detaches it:
// the model then behaves alone as it did with the adapter, up to rounding. Dropout plays no part.
void mergeAdapter(const kernels::Context& context, LowRankAdapter& adapter);

}  // namespace wb::adapters
