// SPDX-License-Identifier: Apache-2.0
#include "kernels/cuda/attention_flash.h"

#include "kernels/cuda/attention_flash_backward_inl.h"
#include "kernels/cuda/cuda_ops.h"
#include "kernels/cuda/stream.h"

namespace wb::kernels::cuda {

void requireShared(const Stream& stream, int bytes) {
    if (bytes <= stream.limits().sharedBytesPerBlock) return;
    throw Error{ErrorCode::Unsupported,
                "attention backend 'flash' needs " + std::to_string(bytes) +
                    " bytes of shared memory for this head dim and bias, and the device gives a block " +
                    std::to_string(stream.limits().sharedBytesPerBlock) + "; use --attention memory_efficient"};
}

// The picker lets nothing else through (attentionRefusal in kernels/attention.cpp).
void attentionForwardFlash(const Context& context, const AttentionForwardArgs& args) {
    if (args.q.dtype == DType::F16) return flashForward<__half>(context, args);
    flashForward<__nv_bfloat16>(context, args);
}

void attentionBackwardFlash(const Context& context, const AttentionBackwardArgs& args) {
    if (args.q.dtype == DType::F16) return flashBackward<__half>(context, args);
    flashBackward<__nv_bfloat16>(context, args);
}

// delta of every row, and the parts of the gradient of a distance table.
size_t attentionBackwardFlashWorkspace(const Context& /*context*/, const AttentionBackwardArgs& args) {
    const int64_t numHeads = args.q.shape[1];
    int64_t floats = args.q.shape[0] * numHeads;
    if (flash::hasTableGradient(args)) {
        flash::withShape(args, [&]<int kHeadDim, FlashBias kBias>() {
            floats += flash::planQueries<kHeadDim, kBias>(args).partEntries * numHeads;
        });
    }
    return static_cast<size_t>(floats) * sizeof(float);
}

}  // namespace wb::kernels::cuda
