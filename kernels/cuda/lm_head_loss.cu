// SPDX-License-Identifier: Apache-2.0
// u = a hidden W^T + bias;  z = cap tanh(u / cap);  loss = logsumexp(z) - z[label]
// d = gradScale (softmax(z) - onehot(label)) (1 - (z / cap)^2)
// dHidden = a d W;  dW += a d^T hidden;  dBias += sum over rows of d.  Labelled rows are gathered and pass in chunks; d
// replaces z in the same memory.
//
// The host does not know the labels: it starts chunks for as many rows as may be labelled, and the device lists those
// that are; places left over hold zeros.
#include "kernels/cuda/bias_gradient.h"
#include "kernels/cuda/cross_entropy.h"
#include "kernels/cuda/cuda_ops.h"
#include "kernels/cuda/device.h"
#include "kernels/cuda/gemm.h"
#include "kernels/cuda/tiled_product.h"

#include <algorithm>

namespace wb::kernels::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int kListThreads = 1024;
constexpr int kListWarps = kListThreads / kWarpSize;
// Logits of a chunk that stay in the second-level cache of a large device.
constexpr int64_t kDefaultLogitBytes = int64_t{32} << 20;
// With fewer rows the products wait for memory: every chunk reads the weight twice, and reads and writes its gradient.
constexpr int64_t kMinRows = 512;
constexpr int64_t kMinRowsWithWeightGradient = 1024;
constexpr int64_t kRowMultiple = 16;
constexpr int64_t kColumnMultiple = 64;

// tokens[i] = the i-th labelled token, -1 behind the last one; settles the others. Losses of labelled tokens that find
// no place become NaN. One block.
__global__ void __launch_bounds__(kListThreads)
    listLabelledKernel(const int32_t* labels, int64_t count, int32_t* tokens, int64_t places, float* losses,
                       int32_t* predictions) {
    __shared__ int warpCounts[kListWarps];
    const int lane = static_cast<int>(threadIdx.x) % kWarpSize;
    const int warp = static_cast<int>(threadIdx.x) / kWarpSize;
    int64_t listed = 0;
    for (int64_t begin = 0; begin < count; begin += kListThreads) {
        const int64_t t = begin + threadIdx.x;
        const bool isLabelled = t < count && labels[t] != kIgnoredLabel;
        const unsigned votes = __ballot_sync(kAllLanes, isLabelled ? 1 : 0);
        __syncthreads();
        if (lane == 0) warpCounts[warp] = __popc(votes);
        __syncthreads();
        int64_t place = listed + __popc(votes & ((1U << lane) - 1U));
        for (int w = 0; w < kListWarps; ++w) {
            if (w < warp) place += warpCounts[w];
            listed += warpCounts[w];
        }
        if (t >= count) continue;
        if (isLabelled && place < places) {
            tokens[place] = static_cast<int32_t>(t);
            continue;
        }
        losses[t] = isLabelled ? NAN : 0.0F;
        if (predictions != nullptr) predictions[t] = -1;
    }
    for (int64_t place = listed + threadIdx.x; place < places; place += kListThreads) tokens[place] = -1;
}

// Row i of `to` = row tokens[i] of `from`, zeros if that is negative; or the way back, which leaves out the negative.
template <bool kIsGather, class Unit>
__global__ void __launch_bounds__(kThreads)
    moveRowsKernel(const Unit* from, const int32_t* tokens, int64_t units, Unit* to) {
    const int64_t token = tokens[blockIdx.x];
    if (!kIsGather && token < 0) return;
    const Unit* source = from + (kIsGather ? token : int64_t{blockIdx.x}) * units;
    Unit* target = to + (kIsGather ? int64_t{blockIdx.x} : token) * units;
    for (int64_t i = threadIdx.x; i < units; i += kThreads) target[i] = token < 0 ? Unit{} : source[i];
}

template <bool kIsGather>
void moveRows(const Stream& stream, const void* from, const int32_t* tokens, int64_t rows, size_t rowBytes, void* to) {
    const auto moveAs = [&](auto unit) {
        using Unit = decltype(unit);
        launch(stream, {static_cast<unsigned>(rows), kThreads}, moveRowsKernel<kIsGather, Unit>,
               static_cast<const Unit*>(from), tokens, static_cast<int64_t>(rowBytes / sizeof(Unit)),
               static_cast<Unit*>(to));
    };
    if (canPack<unsigned char>(static_cast<int64_t>(rowBytes), from, to)) return moveAs(uint4{});
    moveAs(uint16_t{});
}

// The rows of the weight that count.
ConstView vocabularyOf(const LmHeadLossArgs& args) {
    return {args.weight.data, args.weight.dtype, Shape{args.vocabularySize, args.hidden.shape[1]}};
}

int64_t roundUp(int64_t value, int64_t multiple) {
    return (value + multiple - 1) / multiple * multiple;
}

// Where the parts of the workspace lie, in bytes from its start.
struct Layout {
    int64_t chunks = 0;
    int64_t chunkRows = 0;
    int64_t logitStride = 0;  // of a row of logits
    size_t logits = 0;        // [chunkRows, logitStride] F32, then gradients
    size_t hidden = 0;        // [chunkRows, C]
    size_t dHidden = 0;       // [chunkRows, C], if dHidden is wanted
    size_t tokens = 0;        // [chunks * chunkRows] I32
    size_t scratch = 0;       // of products and sums
    size_t bytes = 0;
};

int64_t chunkRowsAtMost(const LmHeadLossArgs& args, int64_t logitRowBytes) {
    if (args.maxLogitBytes > 0) {
        return std::max(kRowMultiple, args.maxLogitBytes / logitRowBytes / kRowMultiple * kRowMultiple);
    }
    const int64_t least = args.dWeight.isPresent() ? kMinRowsWithWeightGradient : kMinRows;
    return std::max(least, kDefaultLogitBytes / logitRowBytes / kRowMultiple * kRowMultiple);
}

Layout layoutOf(const LmHeadLossArgs& args) {
    const int64_t rows = args.hidden.shape[0];
    const int64_t hiddenSize = args.hidden.shape[1];
    Layout layout;
    layout.logitStride = roundUp(args.vocabularySize, kColumnMultiple);
    const int64_t logitRowBytes = layout.logitStride * static_cast<int64_t>(sizeof(float));
    const int64_t atMost = chunkRowsAtMost(args, logitRowBytes);
    layout.chunks = (rows + atMost - 1) / atMost;
    if (layout.chunks == 0) return layout;
    // All of one size: the products meet one shape.
    layout.chunkRows = roundUp((rows + layout.chunks - 1) / layout.chunks, kRowMultiple);
    const size_t hiddenBytes =
        alignedBytes(dtypeBytes(args.hidden.dtype, static_cast<size_t>(layout.chunkRows * hiddenSize)));
    layout.hidden = alignedBytes(static_cast<size_t>(layout.chunkRows * logitRowBytes));
    layout.dHidden = layout.hidden + hiddenBytes;
    layout.tokens = layout.dHidden + (args.dHidden.isPresent() ? hiddenBytes : 0);
    layout.scratch =
        layout.tokens + alignedBytes(static_cast<size_t>(layout.chunks * layout.chunkRows) * sizeof(int32_t));
    size_t scratch = isTiled(args.weight.dtype)
                         ? tiledWorkspaceBytes(layout.chunkRows, vocabularyOf(args).shape, args.hidden.dtype)
                         : gemmWorkspaceBytes(layout.chunkRows, std::max(args.vocabularySize, hiddenSize));
    if (args.dWeight.isPresent()) scratch = std::max(scratch, gemmWorkspaceBytes(args.vocabularySize, hiddenSize));
    if (args.dBias.isPresent()) scratch = std::max(scratch, biasGradientBytes(layout.chunkRows, args.vocabularySize));
    layout.bytes = layout.scratch + scratch;
    return layout;
}

class LossPass {
public:
    LossPass(const Context& context, const LmHeadLossArgs& args)
        : m_stream(streamOf(context)),
          m_args(args),
          m_layout(layoutOf(args)),
          m_dtype(args.hidden.dtype),
          m_hiddenSize(args.hidden.shape[1]),
          m_rowBytes(dtypeBytes(args.hidden.dtype, static_cast<size_t>(args.hidden.shape[1]))) {}

    void run() {
        if (m_layout.chunks == 0) return clearUnlabelled();
        launch(m_stream, {1, kListThreads}, listLabelledKernel, m_args.labels.as<int32_t>(), m_args.labels.shape[0],
               part<int32_t>(m_layout.tokens), m_layout.chunks * m_layout.chunkRows, m_args.losses.as<float>(),
               m_args.predictions.as<int32_t>());
        if (m_args.dHidden.isPresent()) clear(m_args.dHidden.data, m_args.dHidden.bytes());
        for (int64_t chunk = 0; chunk < m_layout.chunks; ++chunk) runChunk(chunk);
    }

private:
    template <class T>
    T* part(size_t offset) const {
        return reinterpret_cast<T*>(m_args.workspace.as<std::byte>() + offset);
    }

    void clear(void* data, size_t bytes) const {
        check(cudaMemsetAsync(data, 0, bytes, m_stream.handle()), "clearing memory");
    }

    // There are no rows.
    void clearUnlabelled() const {
        if (!m_args.dWeight.isPresent() || m_args.weightWrite == Write::Add) return;
        clear(m_args.dWeight.data, static_cast<size_t>(m_args.vocabularySize * m_hiddenSize) * sizeof(float));
    }

    void runChunk(int64_t chunk) {
        const int64_t rows = m_layout.chunkRows;
        const int64_t vocabulary = m_args.vocabularySize;
        const int32_t* tokens = part<int32_t>(m_layout.tokens) + chunk * rows;
        auto* logits = part<float>(m_layout.logits);
        auto* hidden = part<std::byte>(m_layout.hidden);
        moveRows<true>(m_stream, m_args.hidden.data, tokens, rows, m_rowBytes, hidden);
        product({.m = rows,
                 .n = vocabulary,
                 .k = m_hiddenSize,
                 .a = hidden,
                 .strideA = m_hiddenSize,
                 .b = m_args.weight.data,
                 .strideB = m_hiddenSize,
                 .isTransposedB = true,
                 .c = logits,
                 .strideC = m_layout.logitStride},
                DType::F32);
        crossEntropy(m_stream, {.logits = logits,
                                .rows = rows,
                                .columns = vocabulary,
                                .stride = m_layout.logitStride,
                                .tokens = tokens,
                                .labels = m_args.labels.as<int32_t>(),
                                .bias = m_args.bias.data,
                                .losses = m_args.losses.as<float>(),
                                .predictions = m_args.predictions.as<int32_t>(),
                                .dtype = m_dtype,
                                .gradScale = m_args.gradScale,
                                .softCap = m_args.softCap,
                                .hasGradient = m_args.dHidden.isPresent() || m_args.dWeight.isPresent() ||
                                               m_args.dBias.isPresent()});
        // A gradient row starts where its F32 logits did.
        const int64_t stride = m_layout.logitStride * static_cast<int64_t>(sizeof(float) / dtypeBytes(m_dtype, 1));
        if (m_args.dBias.isPresent()) {
            addBiasGradient(m_stream, logits, m_dtype, rows, vocabulary, stride, m_args.dBias.as<float>(),
                            part<std::byte>(m_layout.scratch));
        }
        if (m_args.dHidden.isPresent()) passOn(tokens, logits, stride);
        if (!m_args.dWeight.isPresent()) return;
        product({.m = vocabulary,
                 .n = m_hiddenSize,
                 .k = rows,
                 .a = logits,
                 .strideA = stride,
                 .isTransposedA = true,
                 .b = hidden,
                 .strideB = m_hiddenSize,
                 .c = m_args.dWeight.data,
                 .strideC = m_hiddenSize,
                 .accumulates = chunk > 0 || m_args.weightWrite == Write::Add},
                DType::F32);
    }

    void passOn(const int32_t* tokens, const void* gradient, int64_t stride) {
        auto* dHidden = part<std::byte>(m_layout.dHidden);
        product({.m = m_layout.chunkRows,
                 .n = m_hiddenSize,
                 .k = m_args.vocabularySize,
                 .a = gradient,
                 .strideA = stride,
                 .b = m_args.weight.data,
                 .strideB = m_hiddenSize,
                 .c = dHidden,
                 .strideC = m_hiddenSize},
                m_dtype);
        moveRows<false>(m_stream, dHidden, tokens, m_layout.chunkRows, m_rowBytes, m_args.dHidden.data);
    }

    // All products carry the scale of the logits: forward, and by the chain rule both gradients.
    void product(GemmProblem problem, DType output) {
        problem.alpha = m_args.logitScale;
        problem.inputs = m_dtype;
        problem.output = output;
        auto* scratch = part<std::byte>(m_layout.scratch);
        if (!isTiled(m_args.weight.dtype)) return m_stream.gemm().multiply(m_stream, problem, scratch);
        multiplyTiled(m_stream, problem, vocabularyOf(m_args), scratch);
    }

    Stream& m_stream;
    const LmHeadLossArgs& m_args;
    const Layout m_layout;
    const DType m_dtype;
    const int64_t m_hiddenSize;
    const size_t m_rowBytes;
};

}  // namespace

size_t lmHeadLossWorkspace(const Context& /*context*/, const LmHeadLossArgs& args) {
    return layoutOf(args).bytes;
}

void lmHeadLoss(const Context& context, const LmHeadLossArgs& args) {
    LossPass(context, args).run();
}

}  // namespace wb::kernels::cuda
