// SPDX-License-Identifier: Apache-2.0
// Chooses and starts the backward kernels. Included by one file for each type.
#pragma once

#include "kernels/cuda/attention_flash.h"
#include "kernels/cuda/attention_flash_backward_queries.h"
#include "kernels/cuda/stream.h"

namespace wb::kernels::cuda {
namespace flash {

// Blocks that share the queries of a sequence where each keeps a part of a table: few, or the parts take more memory
// than the tensors.
constexpr int kTableBlocks = 16;

// The query tiles of the second kernel, and where the part of the table of each starts, in entries of one head.
struct QueryPlan {
    int rows = 0;  // of a block
    std::vector<AttentionTile> tiles;
    std::vector<int64_t> partStarts;
    int64_t partEntries = 0;
};

inline bool hasTableGradient(const AttentionBackwardArgs& args) {
    return args.dBias.isPresent() && args.options.bias == AttentionBias::DistanceTable;
}

template <int kHeadDim, FlashBias kBias>
QueryPlan planQueries(const AttentionBackwardArgs& args) {
    using Tiles = FlashQueryTiles<kHeadDim, kBias>;
    const AttentionRule rule = attentionRule(args);
    const bool hasTable = hasTableGradient(args);
    QueryPlan plan;
    plan.rows = Tiles::kRows;
    if (hasTable) {
        const auto tilesOfLongest = blocksFor(longestSequence(args.cuSeqlensQ), Tiles::kRows);
        plan.rows *= static_cast<int>(std::max(1U, blocksFor(tilesOfLongest, kTableBlocks)));
    }
    plan.tiles = listQueryTiles(args.cuSeqlensQ, args.cuSeqlensK, rule.mask, plan.rows);
    if (!hasTable) return plan;
    for (const AttentionTile& tile : plan.tiles) {
        plan.partStarts.push_back(plan.partEntries);
        plan.partEntries += tablePart(rule, tile.sequence, tile.first, plan.rows, Tiles::kKeys).count();
    }
    return plan;
}

// Calls body.operator()<kHeadDim, kBias>(). A dense bias above 128 is refused by the picker: its gradients would spill.
template <class Args, class Body>
void withShape(const Args& args, const Body& body) {
    const int64_t headDim = args.q.shape[2];
    const auto withDim = [&]<FlashBias kBias>() {
        if (headDim <= 64) return body.template operator()<64, kBias>();
        if constexpr (kBias != FlashBias::Dense) {
            if (headDim > 128) return body.template operator()<256, kBias>();
        }
        body.template operator()<128, kBias>();
    };
    switch (args.options.bias) {
        case AttentionBias::DistanceTable: return withDim.template operator()<FlashBias::Table>();
        case AttentionBias::Dense: return withDim.template operator()<FlashBias::Dense>();
        default: return withDim.template operator()<FlashBias::NoneOrAlibi>();
    }
}

template <class T, int kHeadDim, FlashBias kBias>
void startKeys(Stream& stream, const AttentionBackwardArgs& args, FlashBackwardParams<T> params) {
    using Kernel = FlashBackwardKeys<T, kHeadDim, kBias>;
    const std::vector<AttentionTile> tiles =
        listKeyTiles(args.cuSeqlensQ, args.cuSeqlensK, params.rule.mask, Kernel::kKeys);
    params.tiles = stream.upload(std::span<const AttentionTile>(tiles));
    const auto blocks =
        static_cast<unsigned>(tiles.size()) * static_cast<unsigned>(params.rule.keyValueHeads * Kernel::Tiles::kPasses);
    requireShared(stream, Kernel::kSharedBytes);
    launch(stream, {blocks, Kernel::kThreads, Kernel::kSharedBytes}, flashBackwardKeysKernel<T, kHeadDim, kBias>,
           params);
}

template <class T, int kHeadDim, FlashBias kBias>
void startQueries(Stream& stream, const AttentionBackwardArgs& args, FlashBackwardParams<T> params, float* parts) {
    using Kernel = FlashBackwardQueries<T, kHeadDim, kBias>;
    const QueryPlan plan = planQueries<kHeadDim, kBias>(args);
    params.tiles = stream.upload(std::span<const AttentionTile>(plan.tiles));
    params.tileRows = plan.rows;
    if (kBias == FlashBias::Dense) params.dDense = args.dBias.as<float>();
    const bool hasTable = !plan.partStarts.empty();
    if (hasTable) {
        params.dTables = parts;
        params.partStarts = stream.upload(std::span<const int64_t>(plan.partStarts));
        const size_t bytes = static_cast<size_t>(plan.partEntries * params.rule.numHeads) * sizeof(float);
        check(cudaMemsetAsync(parts, 0, bytes, stream.handle()), "clearing the parts of a table");
    }
    requireShared(stream, Kernel::kSharedBytes);
    const auto blocks = static_cast<unsigned>(plan.tiles.size()) * static_cast<unsigned>(params.rule.numHeads);
    launch(stream, {blocks, Kernel::kThreads, Kernel::kSharedBytes}, flashBackwardQueriesKernel<T, kHeadDim, kBias>,
           params);
    if (!hasTable) return;
    launch(stream,
           {dim3(blocksFor(params.rule.bias.tableLength, 128), static_cast<unsigned>(params.rule.numHeads)), 128},
           addTablePartsKernel<T>, params, static_cast<int>(plan.tiles.size()), Kernel::kKeys, args.dBias.as<float>());
}

}  // namespace flash

template <class T>
void flashBackward(const Context& context, const AttentionBackwardArgs& args) {
    constexpr int kDeltaThreads = 256;
    constexpr int kDeltaRows = kDeltaThreads / 8;
    FlashBackwardParams<T> params;
    params.q = args.q.as<T>();
    params.k = args.k.as<T>();
    params.v = args.v.as<T>();
    params.out = args.out.as<T>();
    params.dOut = args.dOut.as<T>();
    params.logSumExp = args.logSumExp.as<float>();
    params.delta = args.workspace.as<float>();
    params.dQ = args.dQ.as<T>();
    params.dK = args.dK.as<T>();
    params.dV = args.dV.as<T>();
    params.totalQueries = args.q.shape[0];
    params.rule = attentionRule(args);
    params.hasChunks = canPack<T>(args.q.shape[2], params.q, params.k, params.v, params.out, params.dOut, params.dQ,
                                  params.dK, params.dV);
    Stream& stream = streamOf(context);
    const int64_t rows = params.totalQueries * params.rule.numHeads;
    launch(stream, {blocksFor(rows, kDeltaRows), kDeltaThreads}, flashDeltaKernel<T>, params);
    flash::withShape(args, [&]<int kHeadDim, FlashBias kBias>() {
        if (args.dK.isPresent() || args.dV.isPresent()) flash::startKeys<T, kHeadDim, kBias>(stream, args, params);
        if (args.dQ.isPresent() || args.dBias.isPresent()) {
            flash::startQueries<T, kHeadDim, kBias>(stream, args, params, params.delta + rows);
        }
    });
}

}  // namespace wb::kernels::cuda
