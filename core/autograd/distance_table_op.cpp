// SPDX-License-Identifier: Apache-2.0
#include "kernels/distance_table.h"

#include "core/autograd/ops.h"

namespace wb::core {

Var distanceTable(const Context& context, Parameter& weight,
                  std::shared_ptr<const std::vector<int32_t>> bucketOfDistance) {
    const Shape shape{weight.value.shape()[1], static_cast<int64_t>(bucketOfDistance->size())};
    Tensor table =
        Tensor::empty(context.device, gradientDtype(weight.value.dtype()), shape, kernels::MemoryOwner::Activations);
    kernels::distanceTableForward(
        context.device, {.weight = weight.value.view(), .bucketOfDistance = *bucketOfDistance, .table = table.view()});
    if (context.tape == nullptr || !weight.isTrainable()) return {std::move(table)};
    return context.tape->record(
        std::move(table), [&weight, buckets = std::move(bucketOfDistance)](Tape& tape, const Tensor& dTable) {
            kernels::distanceTableBackward(tape.context(), {.dTable = dTable.view(),
                                                            .bucketOfDistance = *buckets,
                                                            .dWeight = gradientSum(tape.context(), weight).view()});
        });
}

}  // namespace wb::core
