// SPDX-License-Identifier: Apache-2.0
#include "kernels/lm_head_loss.h"

#include "kernels/runtime/op_table.h"

#include <algorithm>

namespace wb::kernels {
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

void checkLabels(const Context& context, const ConstView& labels, int64_t vocabularySize) {
    if (context.device.type != DeviceType::Cpu) return;  // elsewhere the labels are out of reach
    const auto* label = labels.as<int32_t>();
    for (int64_t t = 0; t < labels.shape[0]; ++t) {
        if (label[t] == kIgnoredLabel || (label[t] >= 0 && label[t] < vocabularySize)) continue;
        throw Error{ErrorCode::InvalidArgument,
                    fmt::format("lmHeadLoss: label {} of token {} is neither in [0, {}) nor {}", label[t], t,
                                vocabularySize, kIgnoredLabel)};
    }
}

void checkArguments(const Context& context, const LmHeadLossArgs& args) {
    constexpr std::string_view kOp = "lmHeadLoss";
    requireRank(kOp, "hidden", args.hidden, 2);
    requireRank(kOp, "weight", args.weight, 2);
    requireComputeDtype(kOp, "hidden", args.hidden);
    const DType dtype = args.hidden.dtype;
    const int64_t tokens = args.hidden.shape[0];
    requireShape(kOp, "weight", args.weight, Shape{args.weight.shape[0], args.hidden.shape[1]});
    if (!isTiled(args.weight.dtype)) requireDtype(kOp, "weight", args.weight, dtype);
    requireShape(kOp, "labels", args.labels, Shape{tokens});
    requireDtype(kOp, "labels", args.labels, DType::I32);
    requireShape(kOp, "losses", args.losses, Shape{tokens});
    requireDtype(kOp, "losses", args.losses, accumulatorDtype(dtype));
    if (args.predictions.isPresent()) {
        requireShape(kOp, "predictions", args.predictions, Shape{tokens});
        requireDtype(kOp, "predictions", args.predictions, DType::I32);
    }
    if (args.dHidden.isPresent()) {
        requireShape(kOp, "dHidden", args.dHidden, args.hidden.shape);
        requireDtype(kOp, "dHidden", args.dHidden, dtype);
    }
    if (args.dWeight.isPresent()) {
        if (isTiled(args.weight.dtype)) {
            throw Error{ErrorCode::InvalidArgument, "lmHeadLoss: a quantised weight has no gradient"};
        }
        requireShape(kOp, "dWeight", args.dWeight, args.weight.shape);
        requireDtype(kOp, "dWeight", args.dWeight, accumulatorDtype(dtype));
    }
    if (args.bias.isPresent()) {
        requireShape(kOp, "bias", args.bias, Shape{args.weight.shape[0]});
        requireDtype(kOp, "bias", args.bias, dtype);
    }
    if (args.dBias.isPresent()) {
        requireShape(kOp, "dBias", args.dBias, Shape{args.weight.shape[0]});
        requireDtype(kOp, "dBias", args.dBias, accumulatorDtype(dtype));
    }
    if (!(args.softCap >= 0.0F)) {
        throw Error{ErrorCode::InvalidArgument,
                    fmt::format("lmHeadLoss: soft cap is {}, expected 0 (none) or more", args.softCap)};
    }
    if (args.vocabularySize < 1 || args.vocabularySize > args.weight.shape[0]) {
        throw Error{ErrorCode::InvalidArgument, fmt::format("lmHeadLoss: vocabulary of {} with a weight of {} rows",
                                                            args.vocabularySize, args.weight.shape[0])};
    }
    checkLabels(context, args.labels, args.vocabularySize);
}

size_t quantizedBytes(const Context& context, const LmHeadLossArgs& args, int64_t rows) {
    const int64_t hiddenSize = args.hidden.shape[1];
    const DType dtype = args.hidden.dtype;
    const auto forward = context.ops->quantizedWorkspaceBytes;
    const auto backward = args.dHidden.isPresent() ? context.ops->widenedWorkspaceBytes : nullptr;
    return std::max(
        forward == nullptr ? 0 : forward(rows, hiddenSize),
        backward == nullptr ? 0 : backward(rows, hiddenSize, args.vocabularySize, dtype, dtype, context.numThreads));
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
    if (context.ops->gemmWorkspaceBytes != nullptr) {
        const auto bytesOf = context.ops->gemmWorkspaceBytes;
        const int64_t n = args.vocabularySize;
        layout.bytes += std::max({bytesOf(layout.chunkRows, n, hiddenSize, dtype, sums, context.numThreads),
                                  bytesOf(layout.chunkRows, hiddenSize, n, dtype, dtype, context.numThreads),
                                  bytesOf(n, hiddenSize, layout.chunkRows, dtype, sums, context.numThreads)});
    }
    return layout;
}

void lmHeadLoss(const Context& context, const LmHeadLossArgs& args) {
    LmHeadLossArgs call = args;
    if (call.vocabularySize == 0 && call.weight.shape.rank() == 2) call.vocabularySize = call.weight.shape[0];
    checkArguments(context, call);
    const LmHeadLossLayout layout = lmHeadLossLayout(context, call);
    const Buffer workspace = context.allocator->allocate(layout.bytes, MemoryOwner::Workspace);
    call.workspace = {workspace.data(), DType::U8, Shape{static_cast<int64_t>(layout.bytes)}};

    int64_t labelled = args.labels.shape[0];
    if (context.device.type == DeviceType::Cpu) {
        labelled -= std::count(args.labels.as<int32_t>(), args.labels.as<int32_t>() + labelled, kIgnoredLabel);
    }
    const int products = 1 + (args.dHidden.isPresent() ? 1 : 0) + (args.dWeight.isPresent() ? 1 : 0);
    const double flops = 2.0 * products * static_cast<double>(labelled) * static_cast<double>(call.vocabularySize) *
                         static_cast<double>(args.hidden.shape[1]);
    const double weightPasses = products + (args.dWeight.isPresent() ? 1 : 0);
    dispatch(context, context.ops->lmHeadLoss, call,
             {.flops = flops, .bytes = weightPasses * static_cast<double>(args.weight.bytes())});
}

}  // namespace wb::kernels
