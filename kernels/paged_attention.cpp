// SPDX-License-Identifier: Apache-2.0
#include "kernels/attention_checks.h"
#include "kernels/runtime/op_table.h"

#include <fmt/format.h>
#include <algorithm>

namespace wb::kernels {
namespace {

int64_t longestCache(const PagedAttentionArgs& args) {
    return args.keyLengths.empty() ? 0 : *std::ranges::max_element(args.keyLengths);
}

void checkBlocks(const PagedAttentionArgs& args) {
    constexpr std::string_view kOp = "paged_attention";
    const Shape& cache = args.keyCache.shape;
    const size_t numSequences = args.keyLengths.size();
    if (args.cuSeqlensQ.size() != numSequences + 1) {
        refuseArguments(
            kOp, fmt::format("cuSeqlensQ names {} sequences, keyLengths {}", args.cuSeqlensQ.size() - 1, numSequences));
    }
    if (args.maxBlocks < 0 || args.blockTables.size() < numSequences * static_cast<size_t>(args.maxBlocks)) {
        refuseArguments(kOp, fmt::format("block table holds {} entries, expected {} sequences of {}",
                                         args.blockTables.size(), numSequences, args.maxBlocks));
    }
    for (size_t b = 0; b < numSequences; ++b) {
        const int64_t used = (args.keyLengths[b] + cache[1] - 1) / cache[1];
        if (args.keyLengths[b] < 0 || used > args.maxBlocks) {
            refuseArguments(kOp, fmt::format("sequence {} has {} keys, its table holds {} blocks of {}", b,
                                             args.keyLengths[b], args.maxBlocks, cache[1]));
        }
        for (int64_t i = 0; i < used; ++i) {
            const int32_t block = args.blockTables[b * static_cast<size_t>(args.maxBlocks) + static_cast<size_t>(i)];
            if (block < 0 || block >= cache[0]) {
                refuseArguments(kOp,
                                fmt::format("sequence {} names block {} of a cache of {} blocks", b, block, cache[0]));
            }
        }
    }
}

void checkPaged(const Context& context, const PagedAttentionArgs& args) {
    constexpr std::string_view kOp = "paged_attention";
    requirePresent(kOp, "q", args.q);
    requireComputeDtype(context, kOp, "q", args.q);
    checkAttentionOptions(kOp, args.options);
    if (args.options.dropout > 0) refuseArguments(kOp, "dropout is for training; the cache serves inference");
    if (args.q.shape.rank() != 3 || args.keyCache.shape.rank() != 4) {
        refuseArguments(kOp, fmt::format("q has shape {} and keyCache {}, expected [T, H, D] and [blocks, size, K, D]",
                                         args.q.shape.text(), args.keyCache.shape.text()));
    }
    const Shape& cache = args.keyCache.shape;
    if (cache[1] < 1 || cache[2] < 1 || args.q.shape[1] < 1 || args.q.shape[1] % cache[2] != 0 ||
        cache[3] != args.q.shape[2]) {
        refuseArguments(kOp, fmt::format("q {} does not fit a cache {}", args.q.shape.text(), cache.text()));
    }
    requireShape(kOp, "valueCache", args.valueCache, cache);
    requireDtype(kOp, "keyCache", args.keyCache, args.q.dtype);
    requireDtype(kOp, "valueCache", args.valueCache, args.q.dtype);
    requireShape(kOp, "out", args.out, args.q.shape);
    requireDtype(kOp, "out", args.out, args.q.dtype);
    checkSequenceBounds(kOp, "cuSeqlensQ", args.cuSeqlensQ, args.q.shape[0]);
    if (args.options.bias == AttentionBias::Dense) {
        refuseArguments(kOp, "a dense bias is not defined over a cache: only None, DistanceTable and Alibi");
    }
    checkAttentionBias(kOp, args.bias, args.options.bias, args.q, 0);
    checkBlocks(args);
}

OpCost costOf(const Context& context, const PagedAttentionArgs& args) {
    if (!isProfiled(context)) return {};
    OpCost cost{0, static_cast<double>(2 * args.q.bytes())};
    const auto width = static_cast<double>(args.q.shape[2]);
    const double rowBytes =
        width * static_cast<double>(args.keyCache.shape[2]) * static_cast<double>(dtypeBytes(args.keyCache.dtype, 1));
    for (size_t b = 0; b < args.keyLengths.size(); ++b) {
        const int64_t queries = args.cuSeqlensQ[b + 1] - args.cuSeqlensQ[b];
        cost.flops += 4.0 * width * static_cast<double>(args.q.shape[1]) *
                      visiblePairs(args.options, queries, args.keyLengths[b]);
        cost.bytes += 2.0 * rowBytes * args.keyLengths[b];
    }
    return cost;
}

}  // namespace

void kvCacheStore(const Context& context, const KvCacheStoreArgs& args) {
    constexpr std::string_view kOp = "kv_cache_store";
    if (args.k.shape.rank() != 3)
        refuseArguments(kOp, fmt::format("k has shape {}, expected [T, K, D]", args.k.shape.text()));
    if (args.keyCache.shape.rank() != 4) {
        refuseArguments(
            kOp, fmt::format("keyCache has shape {}, expected [blocks, size, K, D]", args.keyCache.shape.text()));
    }
    const Shape& cache = args.keyCache.shape;
    requireShape(kOp, "k", args.k, {args.k.shape[0], cache[2], cache[3]});
    requireShape(kOp, "v", args.v, args.k.shape);
    requireShape(kOp, "valueCache", args.valueCache, cache);
    requireDtype(kOp, "k", args.k, args.keyCache.dtype);
    requireDtype(kOp, "v", args.v, args.keyCache.dtype);
    requireDtype(kOp, "valueCache", args.valueCache, args.keyCache.dtype);
    if (static_cast<int64_t>(args.slots.size()) != args.k.shape[0]) {
        refuseArguments(kOp, fmt::format("{} slots for {} rows", args.slots.size(), args.k.shape[0]));
    }
    for (const int32_t slot : args.slots) {
        if (slot < 0 || slot >= cache[0] * cache[1]) {
            refuseArguments(kOp, fmt::format("slot {} is outside the cache of {} slots", slot, cache[0] * cache[1]));
        }
    }
    dispatch(context, context.ops->kvCacheStore, args, {0, 2.0 * static_cast<double>(args.k.bytes() + args.v.bytes())});
}

void pagedAttention(const Context& context, const PagedAttentionArgs& args) {
    checkPaged(context, args);
    const AttentionChoice choice = pickAttention(context, {.dtype = args.q.dtype,
                                                           .headDim = args.q.shape[2],
                                                           .maxKeyLength = longestCache(args),
                                                           .options = args.options,
                                                           .isPaged = true});
    dispatch(context, context.ops->pagedAttention, args, costOf(context, args), attentionBackendName(choice.backend),
             choice.reason);
}

}  // namespace wb::kernels
