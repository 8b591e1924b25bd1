// SPDX-License-Identifier: Apache-2.0
// Chooses and starts the forward kernel. Included by one file for each type.
#pragma once

#include "kernels/cuda/attention_flash.h"
#include "kernels/cuda/attention_flash_forward.h"
#include "kernels/cuda/stream.h"

namespace wb::kernels::cuda {
namespace flash {

template <class T, int kHeadDim, int kWarpBlocks, FlashBias kBias>
void startForward(Stream& stream, FlashForwardParams<T> params, const std::vector<AttentionTile>& tiles) {
    using Kernel = FlashForward<T, kHeadDim, kWarpBlocks, kBias>;
    params.tiles = stream.upload(std::span<const AttentionTile>(tiles));
    requireShared(stream, Kernel::kSharedBytes);
    launch(stream,
           {static_cast<unsigned>(tiles.size()) * static_cast<unsigned>(params.rule.numHeads), Kernel::kThreads,
            Kernel::kSharedBytes},
           flashForwardKernel<T, kHeadDim, kWarpBlocks, kBias>, params);
}

// 128 query rows a block read shared memory least; 64 rows where the sums need the registers, where a block of 128
// would be alone on its multiprocessor for lack of shared memory, or where there are too few of them to go round.
template <class T, int kHeadDim, FlashBias kBias>
void chooseForward(Stream& stream, const AttentionForwardArgs& args, const FlashForwardParams<T>& params) {
    constexpr bool kHasLarge = kHeadDim == 64 || (kHeadDim == 128 && kBias != FlashBias::Dense);
    const auto listTiles = [&](int rows) {
        return listQueryTiles(args.cuSeqlensQ, args.cuSeqlensK, params.rule.mask, rows);
    };
    if constexpr (kHasLarge) {
        using Large = FlashForward<T, kHeadDim, 2, kBias>;
        const DeviceLimits& limits = stream.limits();
        const std::vector<AttentionTile> tiles = listTiles(Large::kRows);
        const bool fillsDevice = static_cast<int64_t>(tiles.size()) * params.rule.numHeads >= limits.numMultiprocessors;
        if (fillsDevice && 2 * Large::kSharedBytes <= limits.sharedBytesPerBlock) {
            startForward<T, kHeadDim, 2, kBias>(stream, params, tiles);
            return;
        }
    }
    startForward<T, kHeadDim, 1, kBias>(stream, params, listTiles(FlashForward<T, kHeadDim, 1, kBias>::kRows));
}

template <class T, int kHeadDim>
void chooseForwardBias(Stream& stream, const AttentionForwardArgs& args, const FlashForwardParams<T>& params) {
    switch (args.options.bias) {
        case AttentionBias::DistanceTable: return chooseForward<T, kHeadDim, FlashBias::Table>(stream, args, params);
        case AttentionBias::Dense: return chooseForward<T, kHeadDim, FlashBias::Dense>(stream, args, params);
        default: return chooseForward<T, kHeadDim, FlashBias::NoneOrAlibi>(stream, args, params);
    }
}

}  // namespace flash

template <class T>
void flashForward(const Context& context, const AttentionForwardArgs& args) {
    const int64_t headDim = args.q.shape[2];
    FlashForwardParams<T> params;
    params.q = args.q.as<T>();
    params.k = args.k.as<T>();
    params.v = args.v.as<T>();
    params.out = args.out.as<T>();
    params.logSumExp = args.logSumExp.as<float>();
    params.rule = attentionRule(args);
    params.hasChunks = canPack<T>(headDim, params.q, params.k, params.v, params.out);
    Stream& stream = streamOf(context);
    if (headDim <= 64) return flash::chooseForwardBias<T, 64>(stream, args, params);
    if (headDim <= 128) return flash::chooseForwardBias<T, 128>(stream, args, params);
    flash::chooseForwardBias<T, 256>(stream, args, params);
}

}  // namespace wb::kernels::cuda
