// SPDX-License-Identifier: Apache-2.0
#include "kernels/cuda/op_table_cuda.h"

#include "kernels/cuda/cuda_ops.h"
#include "kernels/cuda/host_read.h"
#include "kernels/cuda/stream.h"
#include "kernels/cuda/upload_ring.h"

namespace wb::kernels::cuda {
namespace {

void copyFromHost(const Context& context, void* target, const void* source, size_t bytes) {
    streamOf(context).uploads().send(target, source, bytes);
}

void copyToHost(const Context& context, void* target, const void* source, size_t bytes) {
    Stream& stream = streamOf(context);
    check(cudaMemcpyAsync(target, source, bytes, cudaMemcpyDeviceToHost, stream.handle()), "copying from the device");
    stream.synchronize();
}

OpTable makeCudaOpTable() {
    OpTable table;
    table.device = DeviceType::Cuda;
    table.add.run = add;
    table.scale.run = scale;
    table.softCap.run = softCap;
    table.fill.run = fill;
    table.cast.run = cast;
    table.dropout.run = dropout;
    table.linearForward = {table.linearForward.name, linearForward, linearForwardWorkspace};
    table.linearGroup.run = linearGroup;
    table.linearBackwardInput = {table.linearBackwardInput.name, linearBackwardInput, linearBackwardInputWorkspace};
    table.linearBackwardWeight = {table.linearBackwardWeight.name, linearBackwardWeight, linearBackwardWeightWorkspace};
    table.lmHeadLoss = {table.lmHeadLoss.name, lmHeadLoss, lmHeadLossWorkspace};
    table.lossSum.run = lossSum;
    table.globalNorm.run = globalNorm;
    table.globalNorm.workspaceBytes = globalNormWorkspace;
    table.stepSummary.run = stepSummary;
    table.adamW.run = adamW;
    table.copyFromHost = copyFromHost;
    table.copyToHost = copyToHost;
    table.makeHostRead = [](const Context& context, size_t capacity) -> HostRead* {
        return new DeviceRead(streamOf(context), capacity);
    };
    table.synchronize = [](const Context& context) { streamOf(context).synchronize(); };
    return table;
}

}  // namespace

const OpTable& cudaOpTable() {
    static const OpTable table = makeCudaOpTable();
    return table;
}

}  // namespace wb::kernels::cuda
