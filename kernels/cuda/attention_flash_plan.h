// SPDX-License-Identifier: Apache-2.0
// Host side of the flash backward pass that does not depend on the type: instantiations, and who keeps which part of
// the gradient of a distance table.
#pragma once

#include "kernels/cuda/attention_flash_backward_queries.h"
#include "kernels/cuda/stream.h"

namespace wb::kernels::cuda::flash {

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

}  // namespace wb::kernels::cuda::flash
