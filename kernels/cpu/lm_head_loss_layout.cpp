// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/lm_head_loss_layout.h"

#include "kernels/cpu/gemm.h"
#include "kernels/cpu/quantized_product.h"
#include "kernels/runtime/dispatch.h"

#include <algorithm>

namespace wb::kernels::cpu {
namespace {

// Logits of one chunk that still leave room for hidden rows and weight panels in a desktop's last-level cache.
constexpr int64_t kDefaultLogitBytes = int64_t{12} << 20;
// With fewer rows the products wait for memory: the weight is packed twice, and its gradient read and written, once a
// chunk; one in tiles is widened once a chunk. Measured with 49152 x 576, 2 threads: 241 GFLOP/s at 64 rows, 276 at
// 256, 292 at 512 for twice the memory.
constexpr int64_t kMinRows = 256;

// A multiple of kLossRowMultiple, so that padding a chunk depends on its labels alone and not on the rows around them.
int64_t chunkRowsOf(const LmHeadLossArgs& args, int64_t logitRowBytes) {
    const auto roundUp = [](int64_t rows) {
        return (rows + kLossRowMultiple - 1) / kLossRowMultiple * kLossRowMultiple;
    };
    const int64_t tokens = roundUp(std::max<int64_t>(1, args.hidden.shape[0]));
    if (args.maxLogitBytes > 0) {
        const int64_t affordable = args.maxLogitBytes / logitRowBytes / kLossRowMultiple * kLossRowMultiple;
        return std::min(tokens, std::max(kLossRowMultiple, affordable));
    }
    return std::min(tokens, roundUp(std::max(kMinRows, kDefaultLogitBytes / logitRowBytes)));
}

size_t quantizedBytes(const Context& context, const LmHeadLossArgs& args, int64_t rows) {
    const int64_t hiddenSize = args.hidden.shape[1];
    const DType dtype = args.hidden.dtype;
    const size_t forward = quantizedWorkspaceBytes(rows, hiddenSize);
    if (!args.dHidden.isPresent()) return forward;
    return std::max(forward,
                    widenedWorkspaceBytes(rows, hiddenSize, args.vocabularySize, dtype, dtype, context.numThreads));
}

}  // namespace

LmHeadLossLayout lmHeadLossLayout(const Context& context, const LmHeadLossArgs& args) {
    const int64_t hiddenSize = args.hidden.shape[1];
    const DType dtype = args.hidden.dtype;
    const DType sums = accumulatorDtype(dtype);
    const auto logitRowBytes = static_cast<int64_t>(dtypeBytes(sums, static_cast<size_t>(args.vocabularySize)));
    const auto align = [](size_t bytes) {
        return (bytes + Allocator::kGranule - 1) / Allocator::kGranule * Allocator::kGranule;
    };

    LmHeadLossLayout layout;
    layout.chunkRows = chunkRowsOf(args, logitRowBytes);
    const auto rows = static_cast<size_t>(layout.chunkRows);
    const size_t hiddenBytes = align(dtypeBytes(dtype, rows * static_cast<size_t>(hiddenSize)));
    layout.logits = 0;
    layout.hidden = align(rows * static_cast<size_t>(logitRowBytes));
    layout.dHidden = layout.hidden + hiddenBytes;
    layout.rowIndex = layout.dHidden + (args.dHidden.isPresent() ? hiddenBytes : 0);
    layout.gemm = layout.rowIndex + align(static_cast<size_t>(args.hidden.shape[0]) * sizeof(int32_t));
    layout.bytes = layout.gemm;
    if (isTiled(args.weight.dtype)) {
        layout.bytes += quantizedBytes(context, args, layout.chunkRows);
        return layout;
    }
    const int64_t n = args.vocabularySize;
    layout.bytes += std::max({gemmWorkspaceBytes(layout.chunkRows, n, hiddenSize, dtype, sums, context.numThreads),
                              gemmWorkspaceBytes(layout.chunkRows, hiddenSize, n, dtype, dtype, context.numThreads),
                              gemmWorkspaceBytes(n, hiddenSize, layout.chunkRows, dtype, sums, context.numThreads)});
    return layout;
}

size_t lmHeadLossWorkspace(const Context& context, const LmHeadLossArgs& args) {
    return lmHeadLossLayout(context, args).bytes;
}

}  // namespace wb::kernels::cpu
