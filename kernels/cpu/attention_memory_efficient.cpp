// SPDX-License-Identifier: Apache-2.0
// Memory-efficient attention, forward (Rabe and Staats 2021, arXiv:2112.05682): queries and keys are cut into chunks,
// the products of two chunks are whole matrix products, and a running maximum and sum join the chunks of a row:
//
//   S = rules(scale Q K^T);  m' = max(m, max_j S);  P = exp(S - m');  l' = l exp(m - m') + sum_j P
//   O' = O exp(m - m') + dropout(P) V;   at the end  out = O / l,  logSumExp = m + log l
//
// A thread owns a chunk of query rows and walks its keys in order with single-threaded products: the same bits for any
// number of threads. Memory is a chunk of each matrix a thread. BF16 operands are widened: at these sizes a product
// with a transposed BF16 operand costs more than the F32 one.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/attention_memory_efficient.cpp"
#include <hwy/foreach_target.h>  // IWYU pragma: keep

#include <hwy/highway.h>

#include "kernels/cpu/attention_chunks_inl.h"
#include "kernels/cpu/attention_workspace.h"
#include "kernels/cpu/cpu_ops.h"

#include <omp.h>
#include <vector>

// Highway includes this file once per instruction set; what all of them share is defined once.
#ifndef WB_KERNELS_CPU_ATTENTION_FORWARD_CHUNKS
#define WB_KERNELS_CPU_ATTENTION_FORWARD_CHUNKS
namespace wb::kernels::cpu {

// Scratch of one thread.
struct ForwardChunks {
    float* scores;   // [rows, keys], then weights
    float* sums;     // [rows, D]
    float* highest;  // [rows]
    float* total;    // [rows]
    float* keep;     // [keys] of one row
    float* queries;  // [rows, D]
    float* keys;     // [keys, D]
    float* values;   // [keys, D]
    float* panels;   // of the matrix layer

    ForwardChunks(float* start, int64_t headDim)
        : scores(start),
          sums(scores + kChunkRows * kForwardChunkKeys),
          highest(sums + kChunkRows * headDim),
          total(highest + kChunkRows),
          keep(total + kChunkRows),
          queries(keep + kForwardChunkKeys),
          keys(queries + kChunkRows * headDim),
          values(keys + kForwardChunkKeys * headDim),
          panels(values + kForwardChunkKeys * headDim) {}

    static int64_t floats(int64_t headDim) {
        return kChunkRows * (kForwardChunkKeys + 2 * headDim + 2) + kForwardChunkKeys * (2 * headDim + 1) +
               chunkProductFloats({{kChunkRows, kForwardChunkKeys, headDim}, {kChunkRows, headDim, kForwardChunkKeys}});
    }
};

}  // namespace wb::kernels::cpu
#endif

HWY_BEFORE_NAMESPACE();
namespace wb::kernels::cpu::HWY_NAMESPACE {
namespace {

HWY_INLINE float highestOf(const float* scores, size_t count) {
    const FloatTag d;
    auto top = hn::Set(d, kHidden);
    forVectors(count, hn::Lanes(d), [&](size_t i, auto part) HWY_ATTR {
        top = hn::Max(top, fillRest(d, load(d, scores + i, part), part, kHidden));
    });
    return maxLanes(d, top);
}

// Scores become exp(score - shift), times keep (optional). Returns their sum before keep.
HWY_INLINE float weighRow(float* scores, size_t count, float shift, const float* keep) {
    const FloatTag d;
    const auto by = hn::Set(d, shift);
    auto total = hn::Zero(d);
    forVectors(count, hn::Lanes(d), [&](size_t i, auto part) HWY_ATTR {
        auto weight = fillRest(d, expSmall(d, hn::Sub(load(d, scores + i, part), by)), part, 0.0F);
        total = hn::Add(total, weight);
        if (keep != nullptr) weight = hn::Mul(weight, load(d, keep + i, part));
        store(weight, d, scores + i, part);
    });
    return sumLanes(d, total);
}

HWY_INLINE void scaleRow(float factor, float* x, size_t count) {
    const FloatTag d;
    const auto by = hn::Set(d, factor);
    forVectors(count, hn::Lanes(d),
               [&](size_t i, auto part) HWY_ATTR { store(hn::Mul(load(d, x + i, part), by), d, x + i, part); });
}

// One step of the online softmax on each row of a chunk.
void weighChunk(const AttentionForwardArgs& args, const QueryTile& tile, KeyRange chunk, int64_t stride,
                const ForwardChunks& s) {
    const int64_t headDim = args.q.shape[2];
    const AttentionDropout dropout(args.options, args.q.shape[0], longestSequence(args.cuSeqlensK));
    for (int64_t r = 0; r < tile.numRows; ++r) {
        const ChunkRow row(tile, r, args.options, chunk);
        const int64_t begin = row.keys.begin - chunk.begin;
        const int64_t end = row.keys.end - chunk.begin;
        float* scores = s.scores + r * stride;
        if (begin < end) {
            applyRowRules(args.options, args.bias, row, scores + begin, nullptr);
            const float before = s.highest[r];
            const float top = std::max(before, highestOf(scores + begin, static_cast<size_t>(end - begin)));
            const float shift = top == kHidden ? 0.0F : top;  // -inf - -inf would be NaN
            if (dropout.isOn()) dropout.factors(row.head, row.token, row.keys.begin, end - begin, s.keep);
            const float sum =
                weighRow(scores + begin, static_cast<size_t>(end - begin), shift, dropout.isOn() ? s.keep : nullptr);
            if (before != top) {
                const float shrink = std::exp(before - shift);
                s.total[r] *= shrink;
                scaleRow(shrink, s.sums + r * headDim, static_cast<size_t>(headDim));
                s.highest[r] = top;
            }
            s.total[r] += sum;
        }
        zeroOutside(scores, begin, end, chunk.end - chunk.begin);
    }
}

template <class T>
void storeChunk(const AttentionForwardArgs& args, const QueryTile& tile, const float* sums, const float* highest,
                const float* total) {
    const int64_t numHeads = args.q.shape[1];
    const int64_t headDim = args.q.shape[2];
    for (int64_t r = 0; r < tile.numRows; ++r) {
        const float inverse = total[r] == 0 ? 0.0F : 1.0F / total[r];
        convertRow(sums + r * headDim, inverse, tile.row(args.out.as<T>(), r, numHeads, headDim),
                   static_cast<size_t>(headDim));
        if (!args.logSumExp.isPresent()) continue;
        *tile.row(args.logSumExp.as<float>(), r, numHeads, 1) =
            total[r] == 0 ? kHidden : highest[r] + std::log(total[r]);
    }
}

template <class T>
void forwardChunk(const AttentionForwardArgs& args, const QueryTile& tile, float* scratch) {
    const int64_t headDim = args.q.shape[2];
    const int64_t stride = args.k.shape[1] * headDim;
    const int64_t rows = tile.numRows;
    const ForwardChunks s(scratch, headDim);
    packRows(rows, headDim, s.queries,
             [&](int64_t r) { return tile.row(args.q.as<T>(), r, args.q.shape[1], headDim); });
    std::fill_n(s.sums, rows * headDim, 0.0F);
    std::fill_n(s.highest, rows, kHidden);
    std::fill_n(s.total, rows, 0.0F);
    const auto scale = static_cast<float>(attentionScale(args.options, headDim));
    const int64_t offset = tile.sequence.firstKey * stride + tile.keyValueHead * headDim;
    const KeyRange seen = tile.seenBySome(args.options);
    for (int64_t first = seen.begin; first < seen.end; first += kForwardChunkKeys) {
        const KeyRange chunk{first, std::min(first + kForwardChunkKeys, seen.end)};
        const int64_t count = chunk.end - chunk.begin;
        const int64_t scoreStride = chunkStride(count);
        const int64_t start = offset + first * stride;
        const ChunkOperand keys = chunkRows(args.k.as<T>() + start, stride, count, headDim, s.keys);
        const ChunkOperand values = chunkRows(args.v.as<T>() + start, stride, count, headDim, s.values);
        gemm(chunkProduct({rows, count, headDim}, {s.queries, headDim}, transposed(keys), s.scores, scoreStride,
                          Sum::Start, scale),
             s.panels);
        weighChunk(args, tile, chunk, scoreStride, s);
        gemm(chunkProduct({rows, headDim, count}, {s.scores, scoreStride}, values, s.sums, headDim, Sum::Continue),
             s.panels);
    }
    storeChunk<T>(args, tile, s.sums, s.highest, s.total);
}

}  // namespace

void forwardChunkOf(const AttentionForwardArgs& args, const QueryTile& tile, float* scratch) {
    if (args.q.dtype == DType::BF16) return forwardChunk<BFloat16>(args, tile, scratch);
    forwardChunk<float>(args, tile, scratch);
}

}  // namespace wb::kernels::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace wb::kernels::cpu {
namespace {

HWY_EXPORT(forwardChunkOf);

}  // namespace

size_t attentionForwardMemoryEfficientWorkspace(const Context& context, const AttentionForwardArgs& args) {
    return static_cast<size_t>(ForwardChunks::floats(args.q.shape[2])) * sizeof(float) *
           static_cast<size_t>(std::max(1, context.numThreads));
}

void attentionForwardMemoryEfficient(const Context& context, const AttentionForwardArgs& args) {
    const int64_t group = args.q.shape[1] / args.k.shape[1];
    const std::vector<TileRef> tiles = listTiles(args.cuSeqlensQ, args.k.shape[1], group, kChunkRows);
    const auto numItems = static_cast<int64_t>(tiles.size());
    const int64_t scratch = ForwardChunks::floats(args.q.shape[2]);
    const int threads = attentionThreads(context, numItems, attentionFlops(args));
    // Last chunks first: with a causal mask they are the longest.
#pragma omp parallel for schedule(dynamic) num_threads(threads)
    for (int64_t item = numItems - 1; item >= 0; --item) {
        const TileRef& ref = tiles[static_cast<size_t>(item)];
        const QueryTile tile(attentionSequence(args.cuSeqlensQ, args.cuSeqlensK, ref.sequence), ref.keyValueHead, group,
                             ref.tile, kChunkRows);
        float* mine = args.workspace.as<float>() + scratch * omp_get_thread_num();
        HWY_DYNAMIC_DISPATCH(forwardChunkOf)(args, tile, mine);
    }
}

}  // namespace wb::kernels::cpu
#endif  // HWY_ONCE
