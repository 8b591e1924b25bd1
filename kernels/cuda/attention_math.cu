// SPDX-License-Identifier: Apache-2.0
// Attention by the formula (kernels/attention.h), scores in memory: the oracle on the device, and what is left when no
// other kernel takes a problem. A block works on one row; sums have a fixed order.
//
//   forward   P = exp(S - max) / sum;  out = drop(P) V
//   backward  P = exp(S - logSumExp);  dP = drop(dOut V^T);  dS = P (dP - sum_j P dP);  dX = dS dS/dx of the soft cap
//             dQ = scale dX K;  dK = scale dX^T Q;  dV = drop(P)^T dOut;  dBias = dS, or its sums over distances
//
// Workspace: one F32 matrix [Hq, Tq, longest] for the forward pass and two (drop(P), then dX) for the backward pass.
#include "kernels/cuda/cuda_ops.h"
#include "kernels/cuda/paged_plan.h"
#include "kernels/cuda/stream.h"

namespace wb::kernels::cuda {
namespace {

constexpr int kThreads = 128;

// Sequence whose rows [bounds[b], bounds[b + 1]) hold `row`.
__device__ int sequenceOf(const int32_t* bounds, int numSequences, int row) {
    int low = 0;
    int high = numSequences - 1;
    while (low < high) {
        const int middle = (low + high) / 2;
        if (bounds[middle + 1] > row) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return low;
}

// Keys and values of packed sequences, and of a block cache: key j of a sequence.
template <class T>
struct PackedKeys {
    const T* k;
    const T* v;
    const int32_t* boundsK;
    int rowStride;  // elements
    int headDim;

    __device__ int count(int b) const { return boundsK[b + 1] - boundsK[b]; }
    __device__ int64_t offset(int b, int key, int head) const {
        return int64_t{boundsK[b] + key} * rowStride + int64_t{head} * headDim;
    }
};
template <class T>
struct CachedKeys {
    const T* k;
    const T* v;
    const int32_t* lengths;
    const int32_t* tables;
    int maxBlocks;
    int blockSize;
    int rowStride;
    int headDim;

    __device__ int count(int b) const { return lengths[b]; }
    __device__ int64_t offset(int b, int key, int head) const {
        const int64_t block = tables[int64_t{b} * maxBlocks + key / blockSize];
        return (block * blockSize + key % blockSize) * rowStride + int64_t{head} * headDim;
    }
};

// What a call says about its queries.
template <class T>
struct MathCall {
    const T* q;
    const int32_t* boundsQ;
    int numSequences;
    int64_t totalQueries;
    int64_t maxKeys;  // columns of the matrices
    AttentionRule rule;
    AttentionDropoutData dropout;
    float* weights;  // drop(P)
    float* scores;   // dS, then dX: backward

    __device__ int64_t place(int head, int row, int key) const { return (head * totalQueries + row) * maxKeys + key; }
    __device__ float factor(int head, int row, int key) const {
        return dropout.p > 0 ? dropout.factor(head, row, key) : 1.0F;
    }
};

// One row of queries and what it sees.
struct MathRow {
    int row;  // in the batch
    int head;
    int keyValueHead;
    int sequence;
    int position;
    RowRange keys;
};

template <class T, class Keys>
__device__ MathRow mathRow(const MathCall<T>& call, const Keys& keys, int row, int head) {
    const int b = sequenceOf(call.boundsQ, call.numSequences, row);
    const int numKeys = keys.count(b);
    const int position = row - call.boundsQ[b + 1] + numKeys;
    const AttentionMask& mask = call.rule.mask;
    return {row, head,     head / call.rule.group(),
            b,   position, {mask.firstKey(position), mask.endKey(position, numKeys)}};
}

template <class T>
__device__ float dot(const T* a, const T* b, int count) {
    float sum = 0;
    for (int d = 0; d < count; ++d) sum += toFloat(a[d]) * toFloat(b[d]);
    return sum;
}

__device__ inline float softCapped(const AttentionRule& rule, float x) {
    return rule.softCap > 0 ? rule.softCap * tanhf(x / rule.softCap) : x;
}

template <class T, class Keys>
__device__ float scoreOf(const MathCall<T>& call, const Keys& keys, const MathRow& r, int key) {
    const AttentionRule& rule = call.rule;
    const T* query = call.q + (int64_t{r.row} * rule.numHeads + r.head) * rule.headDim;
    const float x = rule.scale * dot(query, keys.k + keys.offset(r.sequence, key, r.keyValueHead), rule.headDim);
    return softCapped(rule, x) + rule.bias.value<T>(r.head, r.row, r.position, key);
}

// Grid: rows of queries, heads.
template <class T, class Keys>
__global__ void __launch_bounds__(kThreads) forwardRowKernel(MathCall<T> call, Keys keys, T* out, float* logSumExp) {
    __shared__ float scratch[kThreads / kWarpSize];
    const AttentionRule& rule = call.rule;
    const MathRow r = mathRow(call, keys, static_cast<int>(blockIdx.x), static_cast<int>(blockIdx.y));
    const int thread = static_cast<int>(threadIdx.x);
    float highest = -INFINITY;
    for (int j = r.keys.begin + thread; j < r.keys.end; j += kThreads) {
        const float score = scoreOf(call, keys, r, j);
        call.weights[call.place(r.head, r.row, j)] = score;
        highest = fmaxf(highest, score);
    }
    highest = blockMax<kThreads>(highest, scratch);
    const float shift = highest == -INFINITY ? 0.0F : highest;
    float total = 0;
    for (int j = r.keys.begin + thread; j < r.keys.end; j += kThreads) {
        float& weight = call.weights[call.place(r.head, r.row, j)];
        weight = expf(weight - shift);
        total += weight;
    }
    total = blockSum<kThreads>(total, scratch);
    for (int j = r.keys.begin + thread; j < r.keys.end; j += kThreads)
        call.weights[call.place(r.head, r.row, j)] *= call.factor(r.head, r.row, j) / total;
    __syncthreads();
    const int64_t rowOfCall = int64_t{r.row} * rule.numHeads + r.head;
    for (int d = thread; d < rule.headDim; d += kThreads) {
        float sum = 0;
        for (int j = r.keys.begin; j < r.keys.end; ++j) {
            sum += call.weights[call.place(r.head, r.row, j)] *
                   toFloat(keys.v[keys.offset(r.sequence, j, r.keyValueHead) + d]);
        }
        out[rowOfCall * rule.headDim + d] = fromFloat<T>(sum);
    }
    if (logSumExp != nullptr && thread == 0) logSumExp[rowOfCall] = total == 0 ? -INFINITY : shift + logf(total);
}

// weights = drop(P), scores = dS. Grid as above.
template <class T, class Keys>
__global__ void __launch_bounds__(kThreads)
    scoreGradientKernel(MathCall<T> call, Keys keys, const T* dOut, const float* logSumExp) {
    __shared__ float scratch[kThreads / kWarpSize];
    const AttentionRule& rule = call.rule;
    const MathRow r = mathRow(call, keys, static_cast<int>(blockIdx.x), static_cast<int>(blockIdx.y));
    const int64_t rowOfCall = int64_t{r.row} * rule.numHeads + r.head;
    const int thread = static_cast<int>(threadIdx.x);
    float sum = 0;
    for (int j = r.keys.begin + thread; j < r.keys.end; j += kThreads) {
        const float p = expf(scoreOf(call, keys, r, j) - logSumExp[rowOfCall]);
        const float factor = call.factor(r.head, r.row, j);
        const T* value = keys.v + keys.offset(r.sequence, j, r.keyValueHead);
        const float dP = factor * dot(dOut + rowOfCall * rule.headDim, value, rule.headDim);
        call.weights[call.place(r.head, r.row, j)] = p * factor;
        call.scores[call.place(r.head, r.row, j)] = dP;
        sum += p * dP;
    }
    sum = blockSum<kThreads>(sum, scratch);
    for (int j = r.keys.begin + thread; j < r.keys.end; j += kThreads) {
        const float p = expf(scoreOf(call, keys, r, j) - logSumExp[rowOfCall]);
        float& score = call.scores[call.place(r.head, r.row, j)];
        score = p * (score - sum);
    }
}

// scores = dX, and dQ from them. Grid as above.
template <class T, class Keys>
__global__ void __launch_bounds__(kThreads) queryGradientKernel(MathCall<T> call, Keys keys, T* dQ) {
    const AttentionRule& rule = call.rule;
    const MathRow r = mathRow(call, keys, static_cast<int>(blockIdx.x), static_cast<int>(blockIdx.y));
    const int64_t rowOfCall = int64_t{r.row} * rule.numHeads + r.head;
    const int thread = static_cast<int>(threadIdx.x);
    if (rule.softCap > 0) {
        const T* query = call.q + rowOfCall * rule.headDim;
        for (int j = r.keys.begin + thread; j < r.keys.end; j += kThreads) {
            const T* key = keys.k + keys.offset(r.sequence, j, r.keyValueHead);
            const float bent = tanhf(rule.scale * dot(query, key, rule.headDim) / rule.softCap);
            call.scores[call.place(r.head, r.row, j)] *= 1.0F - bent * bent;
        }
        __syncthreads();
    }
    if (dQ == nullptr) return;
    for (int d = thread; d < rule.headDim; d += kThreads) {
        float sum = 0;
        for (int j = r.keys.begin; j < r.keys.end; ++j) {
            sum += call.scores[call.place(r.head, r.row, j)] *
                   toFloat(keys.k[keys.offset(r.sequence, j, r.keyValueHead) + d]);
        }
        dQ[rowOfCall * rule.headDim + d] = fromFloat<T>(rule.scale * sum);
    }
}

// Grid: rows of keys, key/value heads.
template <class T>
__global__ void __launch_bounds__(kThreads)
    keyGradientKernel(MathCall<T> call, PackedKeys<T> keys, const T* dOut, T* dK, T* dV) {
    const AttentionRule& rule = call.rule;
    const int row = static_cast<int>(blockIdx.x);
    const int keyValueHead = static_cast<int>(blockIdx.y);
    const int b = sequenceOf(keys.boundsK, call.numSequences, row);
    const AttentionSequence sequence{call.boundsQ[b], call.boundsQ[b + 1] - call.boundsQ[b], keys.boundsK[b],
                                     keys.count(b)};
    const int key = row - sequence.firstKey;
    const RowRange queries = queriesSeeingSome(rule.mask, sequence, key, key);
    for (int d = static_cast<int>(threadIdx.x); d < rule.headDim; d += kThreads) {
        float sumK = 0;
        float sumV = 0;
        for (int head = keyValueHead * rule.group(); head < (keyValueHead + 1) * rule.group(); ++head) {
            for (int i = queries.begin; i < queries.end; ++i) {
                const int query = sequence.firstQuery + i;
                const int64_t element = (int64_t{query} * rule.numHeads + head) * rule.headDim + d;
                sumK += call.scores[call.place(head, query, key)] * toFloat(call.q[element]);
                sumV += call.weights[call.place(head, query, key)] * toFloat(dOut[element]);
            }
        }
        const int64_t target = (int64_t{row} * rule.keyValueHeads + keyValueHead) * rule.headDim + d;
        if (dK != nullptr) dK[target] = fromFloat<T>(rule.scale * sumK);
        if (dV != nullptr) dV[target] = fromFloat<T>(sumV);
    }
}

// dBias += dS. Grid: rows of queries, heads.
template <class T, class Keys>
__global__ void __launch_bounds__(kThreads) denseGradientKernel(MathCall<T> call, Keys keys, float* dBias) {
    const MathRow r = mathRow(call, keys, static_cast<int>(blockIdx.x), static_cast<int>(blockIdx.y));
    for (int j = r.keys.begin + static_cast<int>(threadIdx.x); j < r.keys.end; j += kThreads) {
        const int64_t place = call.place(r.head, r.row, j);
        dBias[place] += call.scores[place];
    }
}

// A block for each entry of a distance table: rows of queries dealt to threads. Grid: entries, heads.
template <class T, class Keys>
__global__ void __launch_bounds__(kThreads) tableGradientKernel(MathCall<T> call, Keys keys, float* dBias) {
    __shared__ float scratch[kThreads / kWarpSize];
    const int entry = static_cast<int>(blockIdx.x);
    const int head = static_cast<int>(blockIdx.y);
    const int length = call.rule.bias.tableLength;
    float sum = 0;
    for (int64_t row = threadIdx.x; row < call.totalQueries; row += kThreads) {
        const MathRow r = mathRow(call, keys, static_cast<int>(row), head);
        // Keys at that distance; those beyond the table go to its ends.
        const int at = r.position + entry - length / 2;
        const int first = entry == 0 ? r.keys.begin : max(r.keys.begin, at);
        const int end = entry == length - 1 ? r.keys.end : min(r.keys.end, at + 1);
        for (int j = first; j < end; ++j) sum += call.scores[call.place(head, r.row, j)];
    }
    sum = blockSum<kThreads>(sum, scratch);
    if (threadIdx.x == 0) dBias[int64_t{head} * length + entry] += sum;
}

// longest: keys of the longest sequence.
template <class T, class Args>
MathCall<T> mathCall(const Context& context, const Args& args, int64_t longest, const AttentionRule& rule) {
    auto* weights = args.workspace.template as<float>();
    const int64_t rows = args.q.shape[0];
    return {.q = args.q.template as<T>(),
            .boundsQ = streamOf(context).upload(args.cuSeqlensQ),
            .numSequences = static_cast<int>(args.cuSeqlensQ.size()) - 1,
            .totalQueries = rows,
            .maxKeys = longest,
            .rule = rule,
            .dropout = {},
            .weights = weights,
            .scores = weights + rows * args.q.shape[1] * longest};
}

template <class T, class Args>
PackedKeys<T> packedKeys(const Context& context, const Args& args) {
    const auto headDim = static_cast<int>(args.k.shape[2]);
    return {args.k.template as<T>(), args.v.template as<T>(), streamOf(context).upload(args.cuSeqlensK),
            static_cast<int>(args.k.shape[1]) * headDim, headDim};
}

dim3 gridOfRows(const ConstView& x) {
    return {static_cast<unsigned>(x.shape[0]), static_cast<unsigned>(x.shape[1])};
}

template <class Args>
size_t matrixBytes(const Args& args, int64_t longest) {
    return static_cast<size_t>(args.q.shape[0] * args.q.shape[1] * longest) * sizeof(float);
}

template <class T>
void backward(const Context& context, const AttentionBackwardArgs& args) {
    const Stream& stream = streamOf(context);
    MathCall<T> call = mathCall<T>(context, args, longestSequence(args.cuSeqlensK), attentionRule(args));
    call.dropout = attentionDropout(args);
    const PackedKeys<T> keys = packedKeys<T>(context, args);
    const dim3 rows = gridOfRows(args.q);
    launch(stream, {rows, kThreads}, scoreGradientKernel<T, PackedKeys<T>>, call, keys, args.dOut.as<T>(),
           args.logSumExp.as<float>());
    if (args.dBias.isPresent() && args.options.bias == AttentionBias::Dense) {
        launch(stream, {rows, kThreads}, denseGradientKernel<T, PackedKeys<T>>, call, keys, args.dBias.as<float>());
    } else if (args.dBias.isPresent()) {
        const dim3 entries(static_cast<unsigned>(args.bias.shape[1]), rows.y);
        launch(stream, {entries, kThreads}, tableGradientKernel<T, PackedKeys<T>>, call, keys, args.dBias.as<float>());
    }
    launch(stream, {rows, kThreads}, queryGradientKernel<T, PackedKeys<T>>, call, keys, args.dQ.as<T>());
    if (!args.dK.isPresent() && !args.dV.isPresent()) return;
    launch(stream, {gridOfRows(args.k), kThreads}, keyGradientKernel<T>, call, keys, args.dOut.as<T>(), args.dK.as<T>(),
           args.dV.as<T>());
}

}  // namespace

size_t attentionForwardMathWorkspace(const Context& /*context*/, const AttentionForwardArgs& args) {
    return matrixBytes(args, longestSequence(args.cuSeqlensK));
}

void attentionForwardMath(const Context& context, const AttentionForwardArgs& args) {
    withType("attention_forward", args.q.dtype, [&](auto tag) {
        using T = typename decltype(tag)::Type;
        MathCall<T> call = mathCall<T>(context, args, longestSequence(args.cuSeqlensK), attentionRule(args));
        call.dropout = attentionDropout(args);
        launch(streamOf(context), {gridOfRows(args.q), kThreads}, forwardRowKernel<T, PackedKeys<T>>, call,
               packedKeys<T>(context, args), args.out.as<T>(), args.logSumExp.as<float>());
    });
}

size_t attentionBackwardMathWorkspace(const Context& /*context*/, const AttentionBackwardArgs& args) {
    return 2 * matrixBytes(args, longestSequence(args.cuSeqlensK));
}

void attentionBackwardMath(const Context& context, const AttentionBackwardArgs& args) {
    withType("attention_backward", args.q.dtype,
             [&](auto tag) { backward<typename decltype(tag)::Type>(context, args); });
}

size_t pagedAttentionMathWorkspace(const PagedAttentionArgs& args) {
    return matrixBytes(args, longestCache(args));
}

void pagedAttentionMath(const Context& context, const PagedAttentionArgs& args) {
    Stream& stream = streamOf(context);
    withType("paged_attention", args.q.dtype, [&](auto tag) {
        using T = typename decltype(tag)::Type;
        const AttentionRule rule = pagedAttentionRule(args);
        const CachedKeys<T> keys{args.keyCache.as<T>(),
                                 args.valueCache.as<T>(),
                                 stream.upload(args.keyLengths),
                                 stream.upload(args.blockTables),
                                 args.maxBlocks,
                                 static_cast<int>(args.keyCache.shape[1]),
                                 rule.keyValueHeads * rule.headDim,
                                 rule.headDim};
        launch(stream, {gridOfRows(args.q), kThreads}, forwardRowKernel<T, CachedKeys<T>>,
               mathCall<T>(context, args, longestCache(args), rule), keys, args.out.as<T>(),
               static_cast<float*>(nullptr));
    });
}

}  // namespace wb::kernels::cuda
