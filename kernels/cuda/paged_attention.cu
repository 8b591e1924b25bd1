// SPDX-License-Identifier: Apache-2.0
// kv_cache_store and attention over the block cache (kernels/attention.h; the arithmetic: paged_tiles.h).
//
// Few queries of a sequence (decode): a block for each span of keys and each 16 rows; partial results in the workspace,
// merged by a second kernel. Many (a chunk of a prompt): a block for its rows, which walks the spans of the cache.
#include "kernels/cuda/cuda_ops.h"
#include "kernels/cuda/paged_plan.h"
#include "kernels/cuda/paged_rows.h"
#include "kernels/cuda/stream.h"

#include <algorithm>
#include <type_traits>

namespace wb::kernels::cuda {
namespace {

constexpr int kMaxHeadDim = 256;
constexpr int kSplitQueries = 4;  // up to so many of a sequence, spans get blocks of their own
constexpr int kMergeThreads = 128;

// Calls onStep(first key of the step) for keys [begin, end) rounded to steps, whose keys and values lie in shared
// memory then.
template <class Rows, class OnStep>
__device__ void walkKeys(const PagedCall<typename Rows::T>& call, const PagedTile& tile, typename Rows::Shared& shared,
                         const RowRange& range, const OnStep& onStep) {
    using T = typename Rows::T;
    constexpr int kStep = Rows::kStepKeys;
    const auto load = [&](int first, int stage) {
        const auto rowOf = [&](const T* cache) {
            return [&call, &tile, cache, first](int row) { return cachedRow(call, tile, cache, first + row); };
        };
        loadRows<kStep, Rows::kWidth, Rows::kStride, Rows::kThreads>(call, shared.keys[stage], rowOf(call.keys));
        loadRows<kStep, Rows::kWidth, Rows::kStride, Rows::kThreads>(call, shared.values[stage], rowOf(call.values));
    };
    loadRows<Rows::kRows, Rows::kWidth, Rows::kStride, Rows::kThreads>(
        call, shared.queries, [&](int row) { return queryRow(call, tile, row); });
    const int begin = range.begin / kStep * kStep;
    if (begin < range.end) load(begin, 0);
    commitCopies();
    for (int first = begin, stage = 0; first < range.end; first += kStep) {
        const int next = first + kStep;
        if (Rows::kStages > 1 && next < range.end) load(next, 1 - stage);
        commitCopies();
        waitForCopies<1>();
        __syncthreads();
        onStep(stage, first);
        __syncthreads();
        if (Rows::kStages > 1) {
            stage = 1 - stage;
        } else if (next < range.end) {
            load(next, 0);
            commitCopies();
        }
    }
    waitForCopies<0>();
}

template <class T>
__device__ inline void storeOut(const PagedCall<T>& call, int64_t row, int column, float sum, const RowState& state) {
    if (column < call.rule.headDim) call.out[row * call.rule.headDim + column] = fromFloat<T>(normed(sum, state.total));
}

// Grid: spans, key/value heads times tiles of the longest sequence, sequences.
template <class Rows>
__global__ void __launch_bounds__(Rows::kThreads, 1) pagedSpanKernel(PagedCall<typename Rows::T> call) {
    auto& shared = *dynamicShared<typename Rows::Shared>();
    const int heads = call.rule.keyValueHeads;
    const int y = static_cast<int>(blockIdx.y);
    const int span = static_cast<int>(blockIdx.x);
    const PagedTile tile =
        pagedTile(call, static_cast<int>(blockIdx.z), y % heads, y / heads * Rows::kRows, Rows::kRows);
    if (tile.numRows == 0) return;
    RowRange range = tile.visibleToSome(call.rule.mask);
    range = {max(range.begin, span * kSpanKeys), min(range.end, (span + 1) * kSpanKeys)};
    const bool isWhole = gridDim.x == 1;
    if (range.count() == 0 && !isWhole) return;
    Rows rows(tile, call.rule.mask);
    walkKeys<Rows>(call, tile, shared, range,
                   [&](int stage, int firstKey) { rows.add(call.rule, shared, stage, firstKey); });
    int64_t rowOfCall[Rows::kSlots];
    for (int slot = 0; slot < Rows::kSlots; ++slot) {
        const int row = rows.row(slot);
        rowOfCall[slot] = row < tile.numRows ? tile.rowOfCall(row, call.rule.numHeads) : -1;
        if (isWhole || rowOfCall[slot] < 0 || !rows.isWriter(slot)) continue;
        const RowState state = rows.state(slot);
        call.stats[span * call.numRows + rowOfCall[slot]] = {state.total, state.highest};
    }
    rows.visit([&](int /*k*/, int slot, int column, float sum) {
        const int64_t row = rowOfCall[slot];
        if (row < 0) return;
        if (isWhole) {
            storeOut(call, row, column, sum, rows.state(slot));
        } else if (column < call.rule.headDim) {
            call.sums[(span * call.numRows + row) * call.rule.headDim + column] = sum;
        }
    });
}

// A block for each row of q and head: merges the spans that the row sees.
template <class T>
__global__ void __launch_bounds__(kMergeThreads) mergeSpansKernel(PagedCall<T> call) {
    const int64_t row = blockIdx.x;
    const int token = static_cast<int>(row / call.rule.numHeads);
    int sequence = 0;
    while (call.boundsQ[sequence + 1] <= token) ++sequence;
    const int numKeys = call.keyLengths[sequence];
    const int position = token - call.boundsQ[sequence + 1] + numKeys;
    const RowRange range{call.rule.mask.firstKey(position), call.rule.mask.endKey(position, numKeys)};
    for (int column = static_cast<int>(threadIdx.x); column < call.rule.headDim; column += kMergeThreads) {
        RowState state;
        float sum = 0;
#pragma unroll 4
        for (int span = range.begin / kSpanKeys; span * kSpanKeys < range.end; ++span) {
            const int64_t part = span * call.numRows + row;
            const float2 next = call.stats[part];
            const MergeFactors factors = mergeStates(state, {next.x, next.y});
            sum = mergeSums(sum, call.sums[part * call.rule.headDim + column], factors);
        }
        storeOut(call, row, column, sum, state);
    }
}

// Grid: tiles of the longest sequence, key/value heads, sequences. Late tiles, which see the most keys, come first.
template <class Rows>
__global__ void __launch_bounds__(Rows::kThreads, 1) pagedWalkKernel(PagedCall<typename Rows::T> call) {
    auto& shared = *dynamicShared<typename Rows::Shared>();
    float* merged = reinterpret_cast<float*>(&shared + 1) + threadIdx.x;
    const int place = static_cast<int>(gridDim.x - 1 - blockIdx.x);
    const PagedTile tile =
        pagedTile(call, static_cast<int>(blockIdx.z), static_cast<int>(blockIdx.y), place * Rows::kRows, Rows::kRows);
    if (tile.numRows == 0) return;
    const RowRange range = tile.visibleToSome(call.rule.mask);
    Rows rows(tile, call.rule.mask);
    RowState state[Rows::kSlots];
    for (int k = 0; k < Rows::kSums; ++k) merged[k * Rows::kThreads] = 0;
    const auto mergeSpan = [&] {
        MergeFactors factors[Rows::kSlots];
        for (int slot = 0; slot < Rows::kSlots; ++slot) factors[slot] = mergeStates(state[slot], rows.state(slot));
        rows.visit([&](int k, int slot, int /*column*/, float sum) {
            float& into = merged[k * Rows::kThreads];
            into = mergeSums(into, sum, factors[slot]);
        });
        rows.clear();
    };
    walkKeys<Rows>(call, tile, shared, range, [&](int stage, int firstKey) {
        rows.add(call.rule, shared, stage, firstKey);
        if ((firstKey + Rows::kStepKeys) % kSpanKeys == 0) mergeSpan();
    });
    mergeSpan();
    rows.visit([&](int k, int slot, int column, float /*sum*/) {
        const int row = rows.row(slot);
        if (row >= tile.numRows) return;
        storeOut(call, tile.rowOfCall(row, call.rule.numHeads), column, merged[k * Rows::kThreads], state[slot]);
    });
}

// Rows and their slots; a warp for each row.
template <int kBytes>
__global__ void __launch_bounds__(kMergeThreads)
    storeRowsKernel(const unsigned char* k, const unsigned char* v, const int32_t* slots, unsigned char* keys,
                    unsigned char* values, int64_t numRows, int64_t rowBytes) {
    const int64_t row = (int64_t{blockIdx.x} * kMergeThreads + threadIdx.x) / kWarpSize;
    if (row >= numRows) return;
    const int64_t to = slots[row] * rowBytes;
    for (int64_t i = threadIdx.x % kWarpSize * kBytes; i < rowBytes; i += kWarpSize * kBytes) {
        storePack(keys + to + i, loadPack<kBytes>(k + row * rowBytes + i));
        storePack(values + to + i, loadPack<kBytes>(v + row * rowBytes + i));
    }
}

struct PagedPlan {
    bool isSplit = false;
    int maxQueries = 0;
    int64_t numSpans = 1;
    int64_t numRows = 0;

    explicit PagedPlan(const PagedAttentionArgs& args) {
        for (size_t b = 0; b + 1 < args.cuSeqlensQ.size(); ++b)
            maxQueries = std::max(maxQueries, args.cuSeqlensQ[b + 1] - args.cuSeqlensQ[b]);
        isSplit = maxQueries <= kSplitQueries;
        if (isSplit) numSpans = std::max<int64_t>(1, (longestCache(args) + kSpanKeys - 1) / kSpanKeys);
        numRows = args.q.shape[0] * args.q.shape[1];
    }
    size_t statsBytes() const { return numSpans > 1 ? static_cast<size_t>(numSpans * numRows) * sizeof(float2) : 0; }
    size_t sumsBytes(int64_t headDim) const { return statsBytes() / sizeof(float2) * headDim * sizeof(float); }
};

template <class T>
PagedCall<T> callOf(const Context& context, const PagedAttentionArgs& args, const PagedPlan& plan) {
    Stream& stream = streamOf(context);
    auto* workspace = args.workspace.as<unsigned char>();
    return {.q = args.q.as<T>(),
            .keys = args.keyCache.as<T>(),
            .values = args.valueCache.as<T>(),
            .out = args.out.as<T>(),
            .boundsQ = stream.upload(args.cuSeqlensQ),
            .keyLengths = stream.upload(args.keyLengths),
            .tables = stream.upload(args.blockTables),
            .maxBlocks = args.maxBlocks,
            .blockSize = static_cast<int>(args.keyCache.shape[1]),
            .isPacked = canPack<T>(args.q.shape[2], args.q.data, args.keyCache.data, args.valueCache.data),
            .rule = pagedAttentionRule(args),
            .sums = reinterpret_cast<float*>(workspace + plan.statsBytes()),
            .stats = reinterpret_cast<float2*>(workspace),
            .numRows = plan.numRows};
}

template <class Rows>
void runSpans(const Stream& stream, const PagedCall<typename Rows::T>& call, const PagedPlan& plan, unsigned batch) {
    const unsigned tiles = blocksFor(int64_t{plan.maxQueries} * call.rule.group(), Rows::kRows);
    const dim3 grid(static_cast<unsigned>(plan.numSpans), tiles * static_cast<unsigned>(call.rule.keyValueHeads),
                    batch);
    launch(stream, {grid, Rows::kThreads, sizeof(typename Rows::Shared)}, pagedSpanKernel<Rows>, call);
    if (plan.numSpans == 1) return;
    launch(stream, {static_cast<unsigned>(plan.numRows), kMergeThreads}, mergeSpansKernel<typename Rows::T>, call);
}

template <class Rows>
void runWalks(const Stream& stream, const PagedCall<typename Rows::T>& call, const PagedPlan& plan, unsigned batch) {
    const unsigned tiles = blocksFor(int64_t{plan.maxQueries} * call.rule.group(), Rows::kRows);
    constexpr size_t kShared = sizeof(typename Rows::Shared) + sizeof(float) * Rows::kSums * Rows::kThreads;
    launch(stream, {dim3(tiles, static_cast<unsigned>(call.rule.keyValueHeads), batch), Rows::kThreads, kShared},
           pagedWalkKernel<Rows>, call);
}

template <class T, int kDim>
void runTiles(const Context& context, const PagedAttentionArgs& args) {
    const PagedPlan plan(args);
    const PagedCall<T> call = callOf<T>(context, args, plan);
    const Stream& stream = streamOf(context);
    const auto batch = static_cast<unsigned>(args.keyLengths.size());
    if constexpr (std::is_same_v<T, float>) {
        if (plan.isSplit) return runSpans<FloatRows<kDim>>(stream, call, plan, batch);
        runWalks<FloatRows<kDim>>(stream, call, plan, batch);
    } else {
        if (plan.isSplit) return runSpans<MmaRows<T, kDim, false>>(stream, call, plan, batch);
        runWalks<MmaRows<T, kDim, true>>(stream, call, plan, batch);
    }
}

}  // namespace

AttentionRule pagedAttentionRule(const PagedAttentionArgs& args) {
    const float headDim = static_cast<float>(args.q.shape[2]);
    return {.numHeads = static_cast<int>(args.q.shape[1]),
            .keyValueHeads = static_cast<int>(args.keyCache.shape[2]),
            .headDim = static_cast<int>(args.q.shape[2]),
            .scale = args.options.scale != 0 ? args.options.scale : 1.0F / std::sqrt(headDim),
            .softCap = args.options.softCap,
            .mask = attentionMask(args.options),
            .bias = attentionBias(args.bias, args.options.bias)};
}

int64_t longestCache(const PagedAttentionArgs& args) {
    int64_t longest = args.maxKeyLength;
    for (const int32_t length : args.keyLengths) longest = std::max<int64_t>(longest, length);
    return longest;
}

size_t pagedAttentionWorkspace(const Context& context, const PagedAttentionArgs& args) {
    if (context.attention == AttentionBackend::Math) return pagedAttentionMathWorkspace(args);
    const PagedPlan plan(args);
    return plan.statsBytes() + plan.sumsBytes(args.q.shape[2]);
}

void pagedAttention(const Context& context, const PagedAttentionArgs& args) {
    if (context.attention == AttentionBackend::Math) return pagedAttentionMath(context, args);
    const int64_t headDim = args.q.shape[2];
    if (headDim > kMaxHeadDim) {
        throw Error{ErrorCode::Unsupported, "paged_attention: head dim " + std::to_string(headDim) + " exceeds the " +
                                                std::to_string(kMaxHeadDim) + " of CUDA; use --attention math"};
    }
    if (args.q.shape[0] == 0) return;
    withType("paged_attention", args.q.dtype, [&](auto tag) {
        using T = typename decltype(tag)::Type;
        if (headDim <= 64) return runTiles<T, 64>(context, args);
        if (headDim <= 128) return runTiles<T, 128>(context, args);
        runTiles<T, 256>(context, args);
    });
}

void kvCacheStore(const Context& context, const KvCacheStoreArgs& args) {
    Stream& stream = streamOf(context);
    const int64_t rows = args.k.shape[0];
    const auto rowBytes = static_cast<int64_t>(dtypeBytes(args.k.dtype, 1)) * args.k.shape[1] * args.k.shape[2];
    const auto store = [&](auto kernel) {
        launch(stream, {blocksFor(rows * kWarpSize, kMergeThreads), kMergeThreads}, kernel, args.k.as<unsigned char>(),
               args.v.as<unsigned char>(), stream.upload(args.slots), args.keyCache.as<unsigned char>(),
               args.valueCache.as<unsigned char>(), rows, rowBytes);
    };
    if (canPack<unsigned char>(rowBytes, args.k.data, args.v.data, args.keyCache.data, args.valueCache.data)) {
        store(storeRowsKernel<16>);
    } else {
        store(storeRowsKernel<2>);
    }
}

}  // namespace wb::kernels::cuda
