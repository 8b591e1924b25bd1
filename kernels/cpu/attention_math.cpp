// SPDX-License-Identifier: Apache-2.0
// Attention by the formula, with the whole matrix of probabilities of a head in memory: the oracle of the tiled
// kernels.
//
//   x = scale q k^T;  S = cap tanh(x / cap) + bias;  P = softmax(S);  W = P * keep;  out = W v
//   dW = dOut v^T;  dP = dW * keep;  dS = P (dP - sum_j P dP);  dBias += dS;  dx = dS (1 - tanh^2)
//   dQ = scale dx k;  dK = scale dx^T q;  dV = W^T dOut
//
// A thread owns a (sequence, key/value head), or a head of all sequences where a distance table sums over them, and
// walks it in order: the same bits whatever the number of threads.
#include "kernels/cpu/attention_common.h"
#include "kernels/cpu/attention_workspace.h"
#include "kernels/cpu/cpu_ops.h"

#include <omp.h>
#include <limits>
#include <type_traits>

namespace wb::kernels::cpu {
namespace {

template <class T>
using Accumulator = std::conditional_t<std::is_same_v<T, double>, double, float>;

template <class T>
Accumulator<T> widen(T value) {
    return static_cast<Accumulator<T>>(value);
}

template <class T>
Accumulator<T> dot(const T* x, const T* y, int64_t count) {
    Accumulator<T> sum = 0;
    for (int64_t d = 0; d < count; ++d) sum += widen(x[d]) * widen(y[d]);
    return sum;
}

// y += factor * x
template <class T>
void addScaled(Accumulator<T> factor, const T* x, Accumulator<T>* y, int64_t count) {
    for (int64_t d = 0; d < count; ++d) y[d] += factor * widen(x[d]);
}

template <class T>
void storeRow(const Accumulator<T>* from, T* to, int64_t count) {
    for (int64_t d = 0; d < count; ++d) to[d] = static_cast<T>(from[d]);
}

// One query head of one sequence.
struct Head {
    AttentionSequence sequence;
    int64_t query = 0;     // of Hq
    int64_t keyValue = 0;  // of Hkv
};

// Row of `head` in a packed [T, H, D].
template <class T>
T* rowAt(auto* data, int64_t token, int64_t head, const Shape& shape) {
    return static_cast<T*>(data) + (token * shape[1] + head) * shape[2];
}

int64_t biasIndex(const ConstView& bias, AttentionBias kind, const Head& head, int64_t i, int64_t j) {
    if (kind == AttentionBias::Dense) {
        return (head.query * bias.shape[1] + head.sequence.firstQuery + i) * bias.shape[2] + j;
    }
    return head.query * bias.shape[1] + distanceIndex(j, head.sequence.position(i), bias.shape[1]);
}

template <class Acc>
Acc biasAt(const ConstView& bias, AttentionBias kind, const Head& head, int64_t i, int64_t j) {
    if (kind == AttentionBias::None) return 0;
    if (kind == AttentionBias::Alibi) {
        const int64_t distance = head.sequence.position(i) - j;
        return -biasValue<Acc>(bias, head.query) * static_cast<Acc>(std::abs(distance));
    }
    return biasValue<Acc>(bias, biasIndex(bias, kind, head, i, j));
}

// In place: scores of the visible keys become probabilities. Returns log(sum(exp(scores))).
template <class Acc>
Acc softmaxInPlace(Acc* scores, KeyRange keys) {
    constexpr Acc kNothing = -std::numeric_limits<Acc>::infinity();
    Acc highest = kNothing;
    for (int64_t j = keys.begin; j < keys.end; ++j) highest = std::max(highest, scores[j]);
    const Acc shift = highest == kNothing ? Acc{0} : highest;  // a NaN does not count here but reaches the sum
    Acc sum = 0;
    for (int64_t j = keys.begin; j < keys.end; ++j) {
        scores[j] = std::exp(scores[j] - shift);
        sum += scores[j];
    }
    if (sum == 0) return kNothing;  // no visible key; the row holds zeros
    for (int64_t j = keys.begin; j < keys.end; ++j) scores[j] /= sum;
    return shift + std::log(sum);
}

// Probabilities [Tq, Tk] of a head, 0 where a key is not visible; capSlopes (optional) gets dS/dx.
template <class T, class Args>
void fillProbabilities(const Args& args, const Head& head, Accumulator<T>* probabilities, Accumulator<T>* capSlopes,
                       Accumulator<T>* logSumExp) {
    using Acc = Accumulator<T>;
    const int64_t headDim = args.q.shape[2];
    const auto scale = static_cast<Acc>(attentionScale(args.options, headDim));
    const auto cap = static_cast<Acc>(args.options.softCap);
    const int64_t numKeys = head.sequence.numKeys;
    for (int64_t i = 0; i < head.sequence.numQueries; ++i) {
        Acc* row = probabilities + i * numKeys;
        std::fill(row, row + numKeys, Acc{0});
        const T* query = rowAt<const T>(args.q.data, head.sequence.firstQuery + i, head.query, args.q.shape);
        const KeyRange keys = visibleKeys(args.options, head.sequence.position(i), numKeys);
        for (int64_t j = keys.begin; j < keys.end; ++j) {
            const T* key = rowAt<const T>(args.k.data, head.sequence.firstKey + j, head.keyValue, args.k.shape);
            Acc x = scale * dot(query, key, headDim);
            if (cap > 0) {
                const Acc t = std::tanh(x / cap);
                if (capSlopes != nullptr) capSlopes[i * numKeys + j] = 1 - t * t;
                x = cap * t;
            }
            row[j] = x + biasAt<Acc>(args.bias, args.options.bias, head, i, j);
        }
        const Acc sum = softmaxInPlace(row, keys);
        if (logSumExp != nullptr) logSumExp[(head.sequence.firstQuery + i) * args.q.shape[1] + head.query] = sum;
    }
}

template <class T>
void forwardHead(const AttentionForwardArgs& args, const Head& head, Accumulator<T>* scratch) {
    using Acc = Accumulator<T>;
    const int64_t headDim = args.q.shape[2];
    const AttentionSequence& sequence = head.sequence;
    Acc* probabilities = scratch;
    Acc* keep = probabilities + sequence.numQueries * sequence.numKeys;
    Acc* sum = keep + sequence.numKeys;
    const AttentionDropout dropout(args.options, args.q.shape[0], longestSequence(args.cuSeqlensK));

    fillProbabilities<T>(args, head, probabilities, nullptr, args.logSumExp.as<Acc>());
    for (int64_t i = 0; i < sequence.numQueries; ++i) {
        const Acc* row = probabilities + i * sequence.numKeys;
        const KeyRange keys = visibleKeys(args.options, sequence.position(i), sequence.numKeys);
        if (dropout.isOn()) dropout.factors(head.query, sequence.firstQuery + i, 0, sequence.numKeys, keep);
        std::fill(sum, sum + headDim, Acc{0});
        for (int64_t j = keys.begin; j < keys.end; ++j) {
            const Acc weight = dropout.isOn() ? row[j] * keep[j] : row[j];
            addScaled(weight, rowAt<const T>(args.v.data, sequence.firstKey + j, head.keyValue, args.v.shape), sum,
                      headDim);
        }
        storeRow(sum, rowAt<T>(args.out.data, sequence.firstQuery + i, head.query, args.out.shape), headDim);
    }
}

// Scratch of one thread in backward.
template <class Acc>
struct BackwardScratch {
    Acc* probabilities;  // [maxTq, maxTk]
    Acc* capSlopes;      // [maxTq, maxTk], only with a soft cap
    Acc* keep;           // [maxTk]
    Acc* dScores;        // [maxTk]
    Acc* dQuery;         // [D]
    Acc* dKeys;          // [maxTk, D]
    Acc* dValues;        // [maxTk, D]
};

template <class T>
void backwardRow(const AttentionBackwardArgs& args, const Head& head, int64_t i,
                 const BackwardScratch<Accumulator<T>>& s) {
    using Acc = Accumulator<T>;
    const int64_t headDim = args.q.shape[2];
    const AttentionSequence& sequence = head.sequence;
    const int64_t token = sequence.firstQuery + i;
    const T* query = rowAt<const T>(args.q.data, token, head.query, args.q.shape);
    const T* dOut = rowAt<const T>(args.dOut.data, token, head.query, args.q.shape);
    const Acc* row = s.probabilities + i * sequence.numKeys;
    const KeyRange keys = visibleKeys(args.options, sequence.position(i), sequence.numKeys);
    const auto scale = static_cast<Acc>(attentionScale(args.options, headDim));

    Acc delta = 0;
    for (int64_t j = keys.begin; j < keys.end; ++j) {
        const T* value = rowAt<const T>(args.v.data, sequence.firstKey + j, head.keyValue, args.v.shape);
        s.dScores[j] = dot(dOut, value, headDim) * s.keep[j];
        delta += row[j] * s.dScores[j];
        addScaled(row[j] * s.keep[j], dOut, s.dValues + j * headDim, headDim);
    }
    std::fill(s.dQuery, s.dQuery + headDim, Acc{0});
    for (int64_t j = keys.begin; j < keys.end; ++j) {
        Acc dScore = row[j] * (s.dScores[j] - delta);
        if (args.dBias.isPresent()) {
            args.dBias.as<Acc>()[biasIndex(args.bias, args.options.bias, head, i, j)] += dScore;
        }
        if (args.options.softCap > 0) dScore *= s.capSlopes[i * sequence.numKeys + j];
        const T* key = rowAt<const T>(args.k.data, sequence.firstKey + j, head.keyValue, args.k.shape);
        addScaled(scale * dScore, key, s.dQuery, headDim);
        addScaled(scale * dScore, query, s.dKeys + j * headDim, headDim);
    }
    if (args.dQ.isPresent()) storeRow(s.dQuery, rowAt<T>(args.dQ.data, token, head.query, args.q.shape), headDim);
}

template <class T>
void backwardKeyValueHead(const AttentionBackwardArgs& args, const AttentionSequence& sequence, int64_t keyValueHead,
                          const BackwardScratch<Accumulator<T>>& s) {
    using Acc = Accumulator<T>;
    const int64_t headDim = args.q.shape[2];
    const int64_t group = args.q.shape[1] / args.k.shape[1];
    const AttentionDropout dropout(args.options, args.q.shape[0], longestSequence(args.cuSeqlensK));
    std::fill(s.dKeys, s.dKeys + sequence.numKeys * headDim, Acc{0});
    std::fill(s.dValues, s.dValues + sequence.numKeys * headDim, Acc{0});
    std::fill(s.keep, s.keep + sequence.numKeys, Acc{1});
    for (int64_t h = keyValueHead * group; h < (keyValueHead + 1) * group; ++h) {
        const Head head{sequence, h, keyValueHead};
        fillProbabilities<T>(args, head, s.probabilities, s.capSlopes, static_cast<Acc*>(nullptr));
        for (int64_t i = 0; i < sequence.numQueries; ++i) {
            if (dropout.isOn()) dropout.factors(h, sequence.firstQuery + i, 0, sequence.numKeys, s.keep);
            backwardRow<T>(args, head, i, s);
        }
    }
    for (int64_t j = 0; j < sequence.numKeys; ++j) {
        const int64_t token = sequence.firstKey + j;
        if (args.dK.isPresent()) {
            storeRow(s.dKeys + j * headDim, rowAt<T>(args.dK.data, token, keyValueHead, args.k.shape), headDim);
        }
        if (args.dV.isPresent()) {
            storeRow(s.dValues + j * headDim, rowAt<T>(args.dV.data, token, keyValueHead, args.v.shape), headDim);
        }
    }
}

// Elements of scratch of one thread.
size_t forwardScratch(const AttentionForwardArgs& args) {
    const int64_t keys = longestSequence(args.cuSeqlensK);
    return static_cast<size_t>(longestSequence(args.cuSeqlensQ) * keys + keys + args.q.shape[2]);
}

size_t backwardScratch(const AttentionBackwardArgs& args) {
    const int64_t keys = longestSequence(args.cuSeqlensK);
    const int64_t matrices = args.options.softCap > 0 ? 2 : 1;
    return static_cast<size_t>(matrices * longestSequence(args.cuSeqlensQ) * keys + 2 * keys +
                               args.q.shape[2] * (1 + 2 * keys));
}

int mathThreads(size_t numItems, int numThreads) {
    return static_cast<int>(std::clamp<size_t>(numItems, 1, static_cast<size_t>(std::max(1, numThreads))));
}

template <class T>
void forwardMath(const Context& context, const AttentionForwardArgs& args) {
    using Acc = Accumulator<T>;
    const int64_t numHeads = args.q.shape[1];
    const int64_t group = numHeads / args.k.shape[1];
    const auto numItems = static_cast<int64_t>(args.cuSeqlensQ.size() - 1) * numHeads;
    const size_t scratch = forwardScratch(args);
    const int threads = attentionThreads(context, numItems, attentionFlops(args));
#pragma omp parallel for schedule(dynamic) num_threads(threads)
    for (int64_t item = 0; item < numItems; ++item) {
        const int64_t h = item % numHeads;
        const AttentionSequence sequence =
            attentionSequence(args.cuSeqlensQ, args.cuSeqlensK, static_cast<size_t>(item / numHeads));
        forwardHead<T>(args, {sequence, h, h / group},
                       args.workspace.as<Acc>() + scratch * static_cast<size_t>(omp_get_thread_num()));
    }
}

template <class T>
void backwardMath(const Context& context, const AttentionBackwardArgs& args) {
    using Acc = Accumulator<T>;
    const int64_t numHeads = args.k.shape[1];
    const auto numSequences = static_cast<int64_t>(args.cuSeqlensQ.size() - 1);
    // A distance table sums over sequences: its head stays with one thread.
    const bool ownsHead = args.dBias.isPresent() && args.options.bias == AttentionBias::DistanceTable;
    const int64_t numItems = ownsHead ? numHeads : numHeads * numSequences;
    const size_t scratchElements = backwardScratch(args);
    const int64_t keys = longestSequence(args.cuSeqlensK);
    const int64_t matrix = longestSequence(args.cuSeqlensQ) * keys;
    const int threads = attentionThreads(context, numItems, attentionFlops(args));
#pragma omp parallel for schedule(dynamic) num_threads(threads)
    for (int64_t item = 0; item < numItems; ++item) {
        BackwardScratch<Acc> s{};
        s.probabilities = args.workspace.as<Acc>() + scratchElements * static_cast<size_t>(omp_get_thread_num());
        Acc* next = s.probabilities + matrix;
        if (args.options.softCap > 0) {
            s.capSlopes = next;
            next += matrix;
        }
        s.keep = next;
        s.dScores = s.keep + keys;
        s.dQuery = s.dScores + keys;
        s.dKeys = s.dQuery + args.q.shape[2];
        s.dValues = s.dKeys + keys * args.q.shape[2];
        const int64_t first = ownsHead ? 0 : item / numHeads;
        const int64_t last = ownsHead ? numSequences : first + 1;
        for (int64_t b = first; b < last; ++b) {
            backwardKeyValueHead<T>(args, attentionSequence(args.cuSeqlensQ, args.cuSeqlensK, static_cast<size_t>(b)),
                                    item % numHeads, s);
        }
    }
}

size_t accumulatorBytes(DType dtype) {
    return dtype == DType::F64 ? sizeof(double) : sizeof(float);
}

}  // namespace

size_t attentionForwardMathWorkspace(const Context& context, const AttentionForwardArgs& args) {
    const size_t items = (args.cuSeqlensQ.size() - 1) * static_cast<size_t>(args.q.shape[1]);
    return forwardScratch(args) * accumulatorBytes(args.q.dtype) *
           static_cast<size_t>(mathThreads(items, context.numThreads));
}

size_t attentionBackwardMathWorkspace(const Context& context, const AttentionBackwardArgs& args) {
    const size_t items = (args.cuSeqlensQ.size() - 1) * static_cast<size_t>(args.k.shape[1]);
    return backwardScratch(args) * accumulatorBytes(args.q.dtype) *
           static_cast<size_t>(mathThreads(items, context.numThreads));
}

void attentionForwardMath(const Context& context, const AttentionForwardArgs& args) {
    switch (args.q.dtype) {
        case DType::F64: return forwardMath<double>(context, args);
        case DType::BF16: return forwardMath<BFloat16>(context, args);
        default: return forwardMath<float>(context, args);
    }
}

void attentionBackwardMath(const Context& context, const AttentionBackwardArgs& args) {
    switch (args.q.dtype) {
        case DType::F64: return backwardMath<double>(context, args);
        case DType::BF16: return backwardMath<BFloat16>(context, args);
        default: return backwardMath<float>(context, args);
    }
}

}  // namespace wb::kernels::cpu
