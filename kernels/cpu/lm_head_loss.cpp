// SPDX-License-Identifier: Apache-2.0
// u = a hidden W^T + bias;  z = cap tanh(u / cap);  loss = logsumexp(z) - z[label]
// d = gradScale (softmax(z) - onehot(label)) (1 - (z / cap)^2)
// dHidden = a d W;  dW += a d^T hidden;  dBias += sum over rows of d.  Labelled rows are gathered and pass in chunks; d
// replaces z in the same memory.
#include "kernels/cpu/cpu_ops.h"
#include "kernels/cpu/gemm.h"
#include "kernels/cpu/lm_head_loss_layout.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/quantized_product.h"
#include "kernels/cpu/reference/reference_ops.h"

#include <cmath>
#include <vector>

// Highway includes this file once per instruction set; what all of them share is defined once.
#ifndef WB_KERNELS_CPU_LM_HEAD_LOSS_ONCE
#define WB_KERNELS_CPU_LM_HEAD_LOSS_ONCE
namespace wb::kernels::cpu {

enum class LogitGradient { None, F32, BF16 };

struct LogitRow {
    float* logits;
    size_t count;
    size_t label;
    float gradScale;
    float softCap;  // 0: none; else the logits are not capped yet
    LogitGradient gradient;
    bool wantsPrediction;
};

// Columns [begin, end) of sums += sum over rows of a matrix with `stride` elements a row, F32 or BF16.
struct ColumnSums {
    const void* gradients;
    bool isBf16;
    int64_t stride;
    int64_t rows;
    int64_t begin;
    int64_t end;
    float* sums;
};

struct RowResult {
    float loss;
    int32_t prediction;
};

}  // namespace wb::kernels::cpu
#endif

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/lm_head_loss.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h

#include "kernels/cpu/simd_inl.h"

HWY_BEFORE_NAMESPACE();
namespace wb::kernels::cpu::HWY_NAMESPACE {
namespace {

float maximum(const float* x, size_t count) {
    const FloatTag d;
    const float lowest = hwy::LowestValue<float>();
    FloatVec best = hn::Set(d, lowest);
    forVectors(count, hn::Lanes(d), [&](size_t i, auto part) HWY_ATTR {
        best = hn::Max(best, fillRest(d, load(d, x + i, part), part, lowest));
    });
    return maxLanes(d, best);
}

int32_t firstIndexOf(const float* x, size_t count, float value) {
    const FloatTag d;
    const size_t lanes = hn::Lanes(d);
    size_t i = 0;
    for (; i + lanes <= count; i += lanes) {
        if (!hn::AllFalse(d, hn::Eq(hn::LoadU(d, x + i), hn::Set(d, value)))) break;
    }
    for (; i < count; ++i) {
        if (x[i] == value) return static_cast<int32_t>(i);
    }
    return 0;  // no number in the row: the loss tells by being NaN
}

// Sum of e^(x - shift); the terms replace x where a gradient follows.
float sumOfExp(float* x, size_t count, float shift, bool isKept) {
    const FloatTag d;
    const FloatVec offset = hn::Set(d, shift);
    FloatVec sum = hn::Zero(d);
    forVectors(count, hn::Lanes(d), [&](size_t i, auto part) HWY_ATTR {
        const FloatVec e = expVec(d, hn::Sub(load(d, x + i, part), offset));
        sum = hn::Add(sum, fillRest(d, e, part, 0.0F));
        if (isKept) store(e, d, x + i, part);
    });
    return sumLanes(d, sum);
}

// Out may be the memory of x: vector i of the narrower type never reaches a value that is still to be read.
template <class Out>
void scaleInto(const float* x, size_t count, float factor, Out* out) {
    const FloatTag d;
    const FloatVec f = hn::Set(d, factor);
    forVectors(count, hn::Lanes(d),
               [&](size_t i, auto part) HWY_ATTR { store(hn::Mul(load(d, x + i, part), f), d, out + i, part); });
}

void capRow(float* x, size_t count, float cap) {
    const FloatTag d;
    const FloatVec inverse = hn::Set(d, 1.0F / cap);
    forVectors(count, hn::Lanes(d), [&](size_t i, auto part) HWY_ATTR {
        store(hn::Mul(hn::Set(d, cap), tanhVec(d, hn::Mul(load(d, x + i, part), inverse))), d, x + i, part);
    });
}

// d = factor (e^(z - best) - sum onehot) (1 - (z / cap)^2) in place of capped logits z, factor = gradScale / sum. The
// exponentials are taken again: the slope needs z itself. Out may be the memory of z, as in scaleInto.
template <class Out>
void cappedGradientInto(const LogitRow& row, float best, float sum, Out* out) {
    const FloatTag d;
    const FloatVec inverse = hn::Set(d, 1.0F / row.softCap);
    const FloatVec offset = hn::Set(d, best);
    const FloatVec factor = hn::Set(d, row.gradScale / sum);
    const FloatVec one = hn::Set(d, 1.0F);
    const float atLabel = row.logits[row.label];
    forVectors(row.count, hn::Lanes(d), [&](size_t i, auto part) HWY_ATTR {
        const FloatVec z = load(d, row.logits + i, part);
        const FloatVec t = hn::Mul(z, inverse);
        const FloatVec e = expVec(d, hn::Sub(z, offset));
        store(hn::Mul(hn::Mul(e, factor), hn::NegMulAdd(t, t, one)), d, out + i, part);
    });
    const float t = atLabel / row.softCap;
    out[row.label] = Out((std::exp(atLabel - best) - sum) * (row.gradScale / sum) * (1.0F - t * t));
}

}  // namespace

RowResult CrossEntropyRow(const LogitRow& row) {
    const bool isCapped = row.softCap > 0.0F;
    if (isCapped) capRow(row.logits, row.count, row.softCap);
    const float best = maximum(row.logits, row.count);
    RowResult result{0.0F, row.wantsPrediction ? firstIndexOf(row.logits, row.count, best) : 0};
    const float labelLogit = row.logits[row.label];
    const bool hasGradient = row.gradient != LogitGradient::None;
    const float sum = sumOfExp(row.logits, row.count, best, hasGradient && !isCapped);
    result.loss = std::log(sum) + (best - labelLogit);
    if (!hasGradient) return result;
    if (isCapped) {
        if (row.gradient == LogitGradient::F32) {
            cappedGradientInto(row, best, sum, row.logits);
        } else {
            cappedGradientInto(row, best, sum, reinterpret_cast<BFloat16*>(row.logits));
        }
        return result;
    }
    row.logits[row.label] -= sum;  // (e - sum) / sum = p - 1
    const float factor = row.gradScale / sum;
    if (row.gradient == LogitGradient::F32) {
        scaleInto(row.logits, row.count, factor, row.logits);
    } else {
        scaleInto(row.logits, row.count, factor, reinterpret_cast<BFloat16*>(row.logits));
    }
    return result;
}

void AddColumnSums(const ColumnSums& job) {
    const FloatTag d;
    const auto width = static_cast<size_t>(job.end - job.begin);
    float* sums = job.sums + job.begin;
    for (int64_t row = 0; row < job.rows; ++row) {
        const int64_t start = row * job.stride + job.begin;
        forVectors(width, hn::Lanes(d), [&](size_t i, auto part) HWY_ATTR {
            const FloatVec gradient = job.isBf16
                                          ? load(d, static_cast<const BFloat16*>(job.gradients) + start + i, part)
                                          : load(d, static_cast<const float*>(job.gradients) + start + i, part);
            store(hn::Add(gradient, load(d, sums + i, part)), d, sums + i, part);
        });
    }
}

}  // namespace wb::kernels::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace wb::kernels::cpu {

HWY_EXPORT(CrossEntropyRow);
HWY_EXPORT(AddColumnSums);

namespace {

class LossPass {
public:
    LossPass(const Context& context, const LmHeadLossArgs& args)
        : m_context(context),
          m_args(args),
          m_layout(lmHeadLossLayout(context, args)),
          m_isBf16(args.hidden.dtype == DType::BF16),
          m_hiddenSize(args.hidden.shape[1]),
          m_rowBytes(static_cast<size_t>(m_hiddenSize) * (m_isBf16 ? sizeof(BFloat16) : sizeof(float))),
          m_rows(part<int32_t>(m_layout.rowIndex)) {}

    void run() {
        const int64_t labelled = collectRows();
        if (labelled == 0 && m_args.dWeight.isPresent() && m_args.weightWrite == Write::Replace) {
            std::fill_n(m_args.dWeight.as<float>(), m_args.vocabularySize * m_hiddenSize, 0.0F);
        }
        for (int64_t first = 0; first < labelled; first += m_layout.chunkRows) {
            runChunk(first, std::min(m_layout.chunkRows, labelled - first));
        }
    }

private:
    template <class T>
    T* part(size_t offset) const {
        return reinterpret_cast<T*>(m_args.workspace.as<std::byte>() + offset);
    }
    std::byte* rowOf(void* matrix, int64_t row) const {
        return static_cast<std::byte*>(matrix) + static_cast<size_t>(row) * m_rowBytes;
    }
    const std::byte* rowOf(const void* matrix, int64_t row) const {
        return static_cast<const std::byte*>(matrix) + static_cast<size_t>(row) * m_rowBytes;
    }

    // Lists the labelled rows and settles all others.
    int64_t collectRows() {
        const auto* labels = m_args.labels.as<int32_t>();
        int64_t count = 0;
        for (int64_t t = 0; t < m_args.hidden.shape[0]; ++t) {
            if (labels[t] != kIgnoredLabel) {
                m_rows[count++] = static_cast<int32_t>(t);
                continue;
            }
            m_args.losses.as<float>()[t] = 0;
            if (m_args.predictions.isPresent()) m_args.predictions.as<int32_t>()[t] = -1;
            if (m_args.dHidden.isPresent()) std::memset(rowOf(m_args.dHidden.data, t), 0, m_rowBytes);
        }
        return count;
    }

    void runChunk(int64_t first, int64_t count) {
        const int32_t* rows = m_rows + first;
        const int64_t padded = (count + kLossRowMultiple - 1) / kLossRowMultiple * kLossRowMultiple;
        const bool isDirect = padded == count && rows[count - 1] - rows[0] == count - 1;
        const void* hidden = isDirect ? rowOf(m_args.hidden.data, rows[0]) : gather(rows, count, padded);
        auto* logits = part<float>(m_layout.logits);
        product({.m = padded,
                 .n = m_args.vocabularySize,
                 .k = m_hiddenSize,
                 .a = hidden,
                 .strideA = m_hiddenSize,
                 .b = m_args.weight.data,
                 .strideB = m_hiddenSize,
                 .isTransposedB = true,
                 .c = logits,
                 .strideC = m_args.vocabularySize,
                 .bias = m_args.bias.data},
                DType::F32);
        // Rows that only fill the chunk hold the bias now, perhaps an infinite one; as gradients they must be zeros.
        if (m_args.bias.isPresent()) {
            std::fill(logits + count * m_args.vocabularySize, logits + padded * m_args.vocabularySize, 0.0F);
        }
        crossEntropy(rows, count, logits);
        // A BF16 gradient row starts where its F32 logits did.
        const int64_t gradientStride = m_args.vocabularySize * (m_isBf16 ? 2 : 1);
        if (m_args.dBias.isPresent()) addBiasGradient(logits, gradientStride, count);
        if (m_args.dHidden.isPresent()) {
            void* dHidden = isDirect ? rowOf(m_args.dHidden.data, rows[0]) : part<std::byte>(m_layout.dHidden);
            product({.m = padded,
                     .n = m_hiddenSize,
                     .k = m_args.vocabularySize,
                     .a = logits,
                     .strideA = gradientStride,
                     .b = m_args.weight.data,
                     .strideB = m_hiddenSize,
                     .c = dHidden,
                     .strideC = m_hiddenSize},
                    m_args.hidden.dtype);
            for (int64_t i = 0; !isDirect && i < count; ++i) {
                std::memcpy(rowOf(m_args.dHidden.data, rows[i]), rowOf(dHidden, i), m_rowBytes);
            }
        }
        if (m_args.dWeight.isPresent()) {
            product({.m = m_args.vocabularySize,
                     .n = m_hiddenSize,
                     .k = padded,
                     .a = logits,
                     .strideA = gradientStride,
                     .isTransposedA = true,
                     .b = hidden,
                     .strideB = m_hiddenSize,
                     .c = m_args.dWeight.data,
                     .strideC = m_hiddenSize,
                     .accumulates = first > 0 || m_args.weightWrite == Write::Add},
                    DType::F32);
        }
    }

    const void* gather(const int32_t* rows, int64_t count, int64_t padded) const {
        auto* hidden = part<std::byte>(m_layout.hidden);
        for (int64_t i = 0; i < count; ++i) {
            std::memcpy(rowOf(hidden, i), rowOf(m_args.hidden.data, rows[i]), m_rowBytes);
        }
        std::memset(rowOf(hidden, count), 0, static_cast<size_t>(padded - count) * m_rowBytes);
        return hidden;
    }

    void crossEntropy(const int32_t* rows, int64_t count, float* logits) const {
        const bool hasGradient = m_args.dHidden.isPresent() || m_args.dWeight.isPresent() || m_args.dBias.isPresent();
        const LogitGradient gradient = !hasGradient ? LogitGradient::None
                                       : m_isBf16   ? LogitGradient::BF16
                                                    : LogitGradient::F32;
        const auto vocabulary = static_cast<size_t>(m_args.vocabularySize);
        parallelFor(m_context, count, 4 * m_args.vocabularySize, [&](int64_t begin, int64_t end) {
            for (int64_t i = begin; i < end; ++i) {
                const RowResult result = HWY_DYNAMIC_DISPATCH(CrossEntropyRow)(
                    {.logits = logits + static_cast<size_t>(i) * vocabulary,
                     .count = vocabulary,
                     .label = static_cast<size_t>(m_args.labels.as<int32_t>()[rows[i]]),
                     .gradScale = m_args.gradScale,
                     .softCap = m_args.softCap,
                     .gradient = gradient,
                     .wantsPrediction = m_args.predictions.isPresent()});
                m_args.losses.as<float>()[rows[i]] = result.loss;
                if (m_args.predictions.isPresent()) m_args.predictions.as<int32_t>()[rows[i]] = result.prediction;
            }
        });
    }

    // Strips of columns, all rows in order: the result does not depend on the number of threads.
    void addBiasGradient(const void* gradients, int64_t stride, int64_t rows) const {
        constexpr int64_t kStrip = 512;
        const int64_t columns = m_args.vocabularySize;
        parallelFor(m_context, (columns + kStrip - 1) / kStrip, kStrip * rows, [&](int64_t begin, int64_t end) {
            HWY_DYNAMIC_DISPATCH(AddColumnSums)
            ({.gradients = gradients,
              .isBf16 = m_isBf16,
              .stride = stride,
              .rows = rows,
              .begin = begin * kStrip,
              .end = std::min(end * kStrip, columns),
              .sums = m_args.dBias.as<float>()});
        });
    }

    // All products carry the scale of the logits: forward, and by the chain rule both gradients.
    void product(GemmProblem problem, DType output) const {
        problem.alpha = m_args.logitScale;
        problem.inputs = m_args.hidden.dtype;
        problem.output = output;
        problem.numThreads = m_context.numThreads;
        auto* workspace = part<std::byte>(m_layout.gemm);
        if (!isTiled(m_args.weight.dtype)) return gemm(problem, workspace);
        ConstView weight = m_args.weight;
        weight.shape = {m_args.vocabularySize, m_hiddenSize};
        if (!problem.isTransposedB) return multiplyWidened(m_context, problem, weight, workspace);
        multiplyQuantized(m_context,
                          {.rows = problem.m,
                           .x = problem.a,
                           .inputs = problem.inputs,
                           .weight = weight,
                           .bias = problem.bias,
                           .out = problem.c,
                           .output = output,
                           .strideOut = problem.strideC,
                           .alpha = problem.alpha},
                          workspace);
    }

    const Context& m_context;
    const LmHeadLossArgs& m_args;
    const LmHeadLossLayout m_layout;
    const bool m_isBf16;
    const int64_t m_hiddenSize;
    const size_t m_rowBytes;
    int32_t* m_rows;
};

}  // namespace

void lmHeadLoss(const Context& context, const LmHeadLossArgs& args) {
    if (args.hidden.dtype == DType::F64) return reference::lmHeadLoss(context, args);
    LossPass(context, args).run();
}

}  // namespace wb::kernels::cpu
#endif  // HWY_ONCE
