// SPDX-License-Identifier: Apache-2.0
// Key/value blocks: storing rows, and attention over them by the formula (one row of scores in memory), which is the
// oracle of the tiled kernel and serves F64.
#include "kernels/cpu/attention_common.h"
#include "kernels/cpu/attention_workspace.h"
#include "kernels/cpu/cpu_ops.h"
#include "kernels/cpu/parallel.h"

#include <omp.h>
#include <cstring>
#include <limits>
#include <type_traits>

namespace wb::kernels::cpu {
namespace {

template <class T>
using Accumulator = std::conditional_t<std::is_same_v<T, double>, double, float>;

// Rows of the cache of one sequence and one key/value head.
template <class T>
struct CachedRows {
    const T* data;
    const int32_t* table;  // blocks of the sequence
    int64_t blockSize;
    int64_t numHeads;
    int64_t head;
    int64_t headDim;

    const T* operator[](int64_t j) const {
        const int64_t slot = table[j / blockSize] * blockSize + j % blockSize;
        return data + (slot * numHeads + head) * headDim;
    }
};

template <class T>
void pagedRow(const PagedAttentionArgs& args, size_t b, int64_t token, int64_t head, Accumulator<T>* scratch) {
    using Acc = Accumulator<T>;
    const Shape& cache = args.keyCache.shape;
    const int64_t headDim = args.q.shape[2];
    const int64_t numHeads = args.q.shape[1];
    const int64_t numKeys = args.keyLengths[b];
    const int64_t numQueries = args.cuSeqlensQ[b + 1] - args.cuSeqlensQ[b];
    const int64_t position = token - args.cuSeqlensQ[b] + numKeys - numQueries;
    const int32_t* table = args.blockTables.data() + b * static_cast<size_t>(args.maxBlocks);
    const int64_t keyValueHead = head / (numHeads / cache[2]);
    const CachedRows<T> keys{args.keyCache.as<T>(), table, cache[1], cache[2], keyValueHead, headDim};
    const CachedRows<T> values{args.valueCache.as<T>(), table, cache[1], cache[2], keyValueHead, headDim};
    const T* query = args.q.as<T>() + (token * numHeads + head) * headDim;
    const auto scale = static_cast<Acc>(attentionScale(args.options, headDim));
    const auto cap = static_cast<Acc>(args.options.softCap);
    const auto biasAt = [&](int64_t j) {
        switch (args.options.bias) {
            case AttentionBias::Alibi:
                return -biasValue<Acc>(args.bias, head) * static_cast<Acc>(std::abs(position - j));
            case AttentionBias::DistanceTable: {
                const int64_t length = args.bias.shape[1];
                return biasValue<Acc>(args.bias, head * length + distanceIndex(j, position, length));
            }
            default: return Acc{0};
        }
    };

    const KeyRange range = visibleKeys(args.options, position, numKeys);
    Acc* scores = scratch;
    Acc* sums = scratch + longestCache(args);
    Acc highest = -std::numeric_limits<Acc>::infinity();
    for (int64_t j = range.begin; j < range.end; ++j) {
        const T* key = keys[j];
        Acc x = 0;
        for (int64_t d = 0; d < headDim; ++d) x += static_cast<Acc>(query[d]) * static_cast<Acc>(key[d]);
        x *= scale;
        if (cap > 0) x = cap * std::tanh(x / cap);
        scores[j] = x + biasAt(j);
        highest = std::max(highest, scores[j]);
    }
    const Acc shift = std::isinf(highest) && highest < 0 ? Acc{0} : highest;
    Acc total = 0;
    std::fill(sums, sums + headDim, Acc{0});
    for (int64_t j = range.begin; j < range.end; ++j) {
        const Acc weight = std::exp(scores[j] - shift);
        const T* value = values[j];
        total += weight;
        for (int64_t d = 0; d < headDim; ++d) sums[d] += weight * static_cast<Acc>(value[d]);
    }
    T* out = args.out.as<T>() + (token * numHeads + head) * headDim;
    for (int64_t d = 0; d < headDim; ++d) out[d] = static_cast<T>(total == 0 ? Acc{0} : sums[d] / total);
}

template <class T>
void pagedMath(const Context& context, const PagedAttentionArgs& args) {
    using Acc = Accumulator<T>;
    const int64_t numHeads = args.q.shape[1];
    const auto scratch = static_cast<size_t>(longestCache(args) + args.q.shape[2]);
    for (size_t b = 0; b < args.keyLengths.size(); ++b) {
        const int64_t firstRow = args.cuSeqlensQ[b] * numHeads;
        const int64_t lastRow = args.cuSeqlensQ[b + 1] * numHeads;
        const double perRow = 4.0 * static_cast<double>(args.keyLengths[b]) * static_cast<double>(args.q.shape[2]);
        const int threads =
            attentionThreads(context, lastRow - firstRow, perRow * static_cast<double>(lastRow - firstRow));
#pragma omp parallel for schedule(static) num_threads(threads)
        for (int64_t row = firstRow; row < lastRow; ++row) {
            pagedRow<T>(args, b, row / numHeads, row % numHeads,
                        args.workspace.as<Acc>() + scratch * static_cast<size_t>(omp_get_thread_num()));
        }
    }
}

}  // namespace

int64_t longestCache(const PagedAttentionArgs& args) {
    int64_t longest = 0;
    for (const int32_t length : args.keyLengths) longest = std::max<int64_t>(longest, length);
    return longest;
}

size_t pagedAttentionMathWorkspace(const Context& context, const PagedAttentionArgs& args) {
    const size_t element = args.q.dtype == DType::F64 ? sizeof(double) : sizeof(float);
    return static_cast<size_t>(longestCache(args) + args.q.shape[2]) * element *
           static_cast<size_t>(std::max(1, context.numThreads));
}

void pagedAttentionMath(const Context& context, const PagedAttentionArgs& args) {
    switch (args.q.dtype) {
        case DType::F64: return pagedMath<double>(context, args);
        case DType::BF16: return pagedMath<BFloat16>(context, args);
        default: return pagedMath<float>(context, args);
    }
}

namespace {

bool wantsMath(const Context& context, const PagedAttentionArgs& args) {
    return args.q.dtype == DType::F64 || context.attention == AttentionBackend::Math;
}

}  // namespace

size_t pagedAttentionWorkspace(const Context& context, const PagedAttentionArgs& args) {
    return wantsMath(context, args) ? pagedAttentionMathWorkspace(context, args)
                                    : pagedAttentionTiledWorkspace(context, args);
}

void pagedAttention(const Context& context, const PagedAttentionArgs& args) {
    if (wantsMath(context, args)) {
        pagedAttentionMath(context, args);
    } else {
        pagedAttentionTiled(context, args);
    }
}

void kvCacheStore(const Context& context, const KvCacheStoreArgs& args) {
    const auto rowBytes = static_cast<int64_t>(dtypeBytes(args.k.dtype, 1)) * args.k.shape[1] * args.k.shape[2];
    const auto copyRow = [rowBytes](const ConstView& from, const View& to, int64_t row, int64_t slot) {
        std::memcpy(to.as<std::byte>() + slot * rowBytes, from.as<std::byte>() + row * rowBytes,
                    static_cast<size_t>(rowBytes));
    };
    parallelFor(context, args.k.shape[0], 2 * args.k.shape[1] * args.k.shape[2], [&](int64_t begin, int64_t end) {
        for (int64_t row = begin; row < end; ++row) {
            const int64_t slot = args.slots[static_cast<size_t>(row)];
            copyRow(args.k, args.keyCache, row, slot);
            copyRow(args.v, args.valueCache, row, slot);
        }
    });
}

}  // namespace wb::kernels::cpu
