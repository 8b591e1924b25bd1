// SPDX-License-Identifier: Apache-2.0
#include "adapters/merge.h"

#include "kernels/linear.h"

namespace wb::adapters {

void mergeAdapter(const kernels::Context& context, LowRankAdapter& adapter) {
    adapter.detach();
    adapter.visitDeltas([&context](core::LinearLayer& layer, core::LowRankDelta& delta) {
        // The product of dX = alpha * dOut W with dOut = B [out, rank] and W = A [rank, in] is the update itself.
        kernels::linearBackwardInput(context, {.dOut = delta.b.value.view(),
                                               .weight = delta.a.value.view(),
                                               .dX = layer.weight.value.view(),
                                               .alpha = delta.scale,
                                               .write = kernels::Write::Add});
    });
}

}  // namespace wb::adapters
