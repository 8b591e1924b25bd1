// SPDX-License-Identifier: Apache-2.0
#include "kernels/attention.h"

#include "kernels/attention_checks.h"
#include "kernels/cpu/attention_common.h"
#include "kernels/cpu/attention_speeds.h"
#include "kernels/cpu/attention_tiles.h"
#include "kernels/runtime/op_table.h"

#include <fmt/format.h>
#include <array>
#include <cmath>

namespace wb::kernels {
namespace {

constexpr std::array<const char*, 5> kBackendNames{"auto", "math", "memory_efficient", "flash", "decode"};

// Everything that forward and backward have in common.
template <class Args>
void checkInputs(const Context& context, std::string_view op, const Args& args) {
    requirePresent(op, "q", args.q);
    requirePresent(op, "k", args.k);
    requireComputeDtype(context, op, "q", args.q);
    checkAttentionOptions(op, args.options);
    if (args.q.shape.rank() != 3 || args.k.shape.rank() != 3) {
        refuseArguments(
            op, fmt::format("q has shape {} and k {}, expected [T, H, D]", args.q.shape.text(), args.k.shape.text()));
    }
    const int64_t numHeads = args.q.shape[1];
    const int64_t keyValueHeads = args.k.shape[1];
    if (args.q.shape[2] < 1 || keyValueHeads < 1 || numHeads < 1 || numHeads % keyValueHeads != 0) {
        refuseArguments(op, fmt::format("{} query heads are no multiple of {} key/value heads, or a dimension is 0",
                                        numHeads, keyValueHeads));
    }
    requireShape(op, "k", args.k, {args.k.shape[0], keyValueHeads, args.q.shape[2]});
    requireShape(op, "v", args.v, args.k.shape);
    requireDtype(op, "k", args.k, args.q.dtype);
    requireDtype(op, "v", args.v, args.q.dtype);
    requireShape(op, "out", args.out, args.q.shape);
    requireDtype(op, "out", args.out, args.q.dtype);
    checkSequenceBounds(op, "cuSeqlensQ", args.cuSeqlensQ, args.q.shape[0]);
    checkSequenceBounds(op, "cuSeqlensK", args.cuSeqlensK, args.k.shape[0]);
    if (args.cuSeqlensQ.size() != args.cuSeqlensK.size()) {
        refuseArguments(op, fmt::format("cuSeqlensQ names {} sequences, cuSeqlensK {}", args.cuSeqlensQ.size() - 1,
                                        args.cuSeqlensK.size() - 1));
    }
    if (args.logSumExp.isPresent()) {
        requireShape(op, "logSumExp", args.logSumExp, {args.q.shape[0], numHeads});
        requireDtype(op, "logSumExp", args.logSumExp, accumulatorDtype(args.q.dtype));
    }
    checkAttentionBias(op, args.bias, args.options.bias, args.q, cpu::longestSequence(args.cuSeqlensK));
}

void checkGradient(std::string_view name, const View& gradient, const ConstView& like, DType dtype) {
    if (!gradient.isPresent()) return;
    requireShape("attention_backward", name, gradient, like.shape);
    requireDtype("attention_backward", name, gradient, dtype);
}

void checkBackward(const Context& context, const AttentionBackwardArgs& args) {
    constexpr std::string_view kOp = "attention_backward";
    checkInputs(context, kOp, args);
    requirePresent(kOp, "logSumExp", args.logSumExp);
    requireShape(kOp, "dOut", args.dOut, args.q.shape);
    requireDtype(kOp, "dOut", args.dOut, args.q.dtype);
    checkGradient("dQ", args.dQ, args.q, args.q.dtype);
    checkGradient("dK", args.dK, args.k, args.q.dtype);
    checkGradient("dV", args.dV, args.v, args.q.dtype);
    if (args.dBias.isPresent()) {
        if (args.options.bias != AttentionBias::DistanceTable && args.options.bias != AttentionBias::Dense) {
            refuseArguments(kOp, "dBias is given, but only a distance table and a dense bias have a gradient");
        }
        checkGradient("dBias", args.dBias, args.bias, accumulatorDtype(args.q.dtype));
    }
}

template <class Args>
double packedPairs(const Args& args) {
    double pairs = 0;
    for (size_t b = 0; b + 1 < args.cuSeqlensQ.size(); ++b) {
        const cpu::AttentionSequence sequence = cpu::attentionSequence(args.cuSeqlensQ, args.cuSeqlensK, b);
        pairs += visiblePairs(args.options, sequence.numQueries, sequence.numKeys);
    }
    return pairs;
}

OpCost costOf(const Context& context, const AttentionForwardArgs& args) {
    if (!isProfiled(context)) return {};
    const double perPair = 4.0 * static_cast<double>(args.q.shape[2] * args.q.shape[1]);
    return {perPair * packedPairs(args), static_cast<double>(args.q.bytes() + args.k.bytes() + args.v.bytes() +
                                                             args.out.bytes() + args.logSumExp.bytes())};
}

OpCost costOf(const Context& context, const AttentionBackwardArgs& args) {
    if (!isProfiled(context)) return {};
    const double perPair = 10.0 * static_cast<double>(args.q.shape[2] * args.q.shape[1]);
    const size_t read = args.q.bytes() + args.k.bytes() + args.v.bytes() + args.out.bytes() + args.dOut.bytes();
    return {perPair * packedPairs(args),
            static_cast<double>(read + args.dQ.bytes() + args.dK.bytes() + args.dV.bytes())};
}

template <class Args>
AttentionProblem problemOf(const Args& args) {
    return {.dtype = args.q.dtype,
            .headDim = args.q.shape[2],
            .maxKeyLength = cpu::longestSequence(args.cuSeqlensK),
            .options = args.options};
}

const OpEntry<AttentionForwardArgs>& forwardEntry(const OpTable& ops, AttentionBackend backend) {
    switch (backend) {
        case AttentionBackend::Flash: return ops.attentionForwardFlash;
        case AttentionBackend::MemoryEfficient: return ops.attentionForwardMemoryEfficient;
        default: return ops.attentionForwardMath;
    }
}

const OpEntry<AttentionBackwardArgs>& backwardEntry(const OpTable& ops, AttentionBackend backend) {
    switch (backend) {
        case AttentionBackend::Flash: return ops.attentionBackwardFlash;
        case AttentionBackend::MemoryEfficient: return ops.attentionBackwardMemoryEfficient;
        default: return ops.attentionBackwardMath;
    }
}

bool hasKernel(const Context& context, AttentionBackend backend, const AttentionProblem& problem) {
    if (problem.isPaged) return context.ops->pagedAttention.run != nullptr;
    if (problem.isBackward) return backwardEntry(*context.ops, backend).run != nullptr;
    return forwardEntry(*context.ops, backend).run != nullptr;
}

// The faster of the two O(T) kernels over contiguous keys, by the table of measured speeds. Forward and backward are
// chosen apart: both kernels save the same logSumExp.
AttentionChoice fastestOfTable(const AttentionProblem& problem) {
    if (problem.dtype == DType::BF16 && cpu::multipliesPairs(problem.headDim)) {
        return {AttentionBackend::Flash,
                "flash: the one backend that multiplies BF16 tiles unwidened on this processor"};
    }
    const cpu::AttentionSpeeds speeds =
        cpu::measuredAttentionSpeeds(problem.dtype, problem.headDim, problem.maxKeyLength, problem.isBackward);
    const bool isFlash = speeds.flash >= speeds.memoryEfficient;
    const double ratio = isFlash ? speeds.flash / speeds.memoryEfficient : speeds.memoryEfficient / speeds.flash;
    const AttentionBackend best = isFlash ? AttentionBackend::Flash : AttentionBackend::MemoryEfficient;
    const AttentionBackend other = isFlash ? AttentionBackend::MemoryEfficient : AttentionBackend::Flash;
    return {best,
            fmt::format("{}: {:.2f}x {} {} at head dim {}, length {}{} (measured table)", attentionBackendName(best),
                        ratio, ratio < 1.005 ? "as fast as" : "faster than", attentionBackendName(other),
                        speeds.headDim, speeds.length, problem.isBackward ? ", backward" : "")};
}

// On CUDA, flash runs the 16-bit types on the tensor cores; what it lacks goes to the other O(T) kernel.
constexpr int64_t kCudaFlashHeadDim = 256;

std::string cudaFlashRefusal(const AttentionProblem& problem) {
    if (problem.dtype != DType::BF16 && problem.dtype != DType::F16) {
        return fmt::format("flash on CUDA multiplies BF16 and F16 tiles, and q is {}", dtypeName(problem.dtype));
    }
    if (problem.headDim > kCudaFlashHeadDim) {
        return fmt::format("flash on CUDA holds rows of up to {} elements, and the head dim is {}", kCudaFlashHeadDim,
                           problem.headDim);
    }
    if (problem.options.dropout > 0) return "flash on CUDA has no dropout";
    if (problem.isBackward && problem.options.bias == AttentionBias::Dense && problem.headDim > 128) {
        return fmt::format("flash on CUDA has gradients with a dense bias up to head dim 128, and this one is {}",
                           problem.headDim);
    }
    return {};
}

AttentionChoice fastestBackend(const Context& context, const AttentionProblem& problem) {
    if (problem.isPaged) {
        return {AttentionBackend::Decode, "decode: flash tiles over the paged cache, long caches split"};
    }
    if (context.ops->device == DeviceType::Cuda) {
        const std::string refusal = attentionRefusal(context, AttentionBackend::Flash, problem);
        if (refusal.empty()) return {AttentionBackend::Flash, "flash: fused tiles on the tensor cores, O(T) memory"};
        const std::string second = attentionRefusal(context, AttentionBackend::MemoryEfficient, problem);
        if (second.empty()) return {AttentionBackend::MemoryEfficient, "memory_efficient: " + refusal};
        return {AttentionBackend::Math, fmt::format("math: {}; {}", refusal, second)};
    }
    const bool isTabled = problem.dtype == DType::F32 || problem.dtype == DType::BF16;
    if (isTabled) return fastestOfTable(problem);
    return {AttentionBackend::Flash, "flash: tiled, O(T) memory"};
}

}  // namespace

const char* attentionBackendName(AttentionBackend backend) {
    return kBackendNames[static_cast<size_t>(backend)];
}

AttentionBackend parseAttentionBackend(std::string_view name) {
    for (size_t i = 0; i < kBackendNames.size(); ++i) {
        if (name == kBackendNames[i]) return static_cast<AttentionBackend>(i);
    }
    throw Error{ErrorCode::InvalidArgument,
                fmt::format("attention backend '{}' is unknown; choose {}", name, fmt::join(kBackendNames, ", "))};
}

std::string attentionRefusal(const Context& context, AttentionBackend backend, const AttentionProblem& problem) {
    if (backend == AttentionBackend::Auto) return {};
    if (backend == AttentionBackend::Decode && !problem.isPaged) {
        return "decode reads a paged key/value cache, and keys and values of this call are contiguous";
    }
    const bool isOnCuda = context.ops->device == DeviceType::Cuda;
    if (isOnCuda && backend == AttentionBackend::Flash && !problem.isPaged) {
        if (std::string refusal = cudaFlashRefusal(problem); !refusal.empty()) return refusal;
    }
    if (!isOnCuda && backend != AttentionBackend::Math && problem.dtype != DType::F32 && problem.dtype != DType::BF16) {
        return fmt::format("{} runs F32 and BF16, and q is {}", attentionBackendName(backend),
                           dtypeName(problem.dtype));
    }
    if (!hasKernel(context, backend, problem)) {
        return fmt::format("{} does not exist on device {}", attentionBackendName(backend), deviceName(context.device));
    }
    return {};
}

AttentionChoice pickAttention(const Context& context, const AttentionProblem& problem) {
    const AttentionBackend wanted = context.attention;
    if (wanted != AttentionBackend::Auto) {
        const std::string refusal = attentionRefusal(context, wanted, problem);
        if (!refusal.empty()) {
            throw Error{ErrorCode::Unsupported,
                        fmt::format("attention backend '{}' was asked for and cannot run: {}; use --attention auto",
                                    attentionBackendName(wanted), refusal)};
        }
        if (problem.isPaged && wanted != AttentionBackend::Math) {
            return {
                AttentionBackend::Decode,
                fmt::format("decode: the O(T) kernel over a paged cache; --attention {} chooses one over contiguous "
                            "keys",
                            attentionBackendName(wanted))};
        }
        return {wanted, fmt::format("{}: forced by --attention {}", attentionBackendName(wanted),
                                    attentionBackendName(wanted))};
    }
    const AttentionChoice best = fastestBackend(context, problem);
    const std::string refusal = attentionRefusal(context, best.backend, problem);
    if (refusal.empty() || best.backend == AttentionBackend::Math) return best;
    return {AttentionBackend::Math, "math: " + refusal};
}

void attentionForward(const Context& context, const AttentionForwardArgs& args) {
    checkInputs(context, "attention_forward", args);
    const AttentionChoice choice = pickAttention(context, problemOf(args));
    dispatch(context, forwardEntry(*context.ops, choice.backend), args, costOf(context, args),
             attentionBackendName(choice.backend), choice.reason);
}

void attentionBackward(const Context& context, const AttentionBackwardArgs& args) {
    checkBackward(context, args);
    AttentionProblem problem = problemOf(args);
    problem.isBackward = true;
    const AttentionChoice choice = pickAttention(context, problem);
    dispatch(context, backwardEntry(*context.ops, choice.backend), args, costOf(context, args),
             attentionBackendName(choice.backend), choice.reason);
}

}  // namespace wb::kernels
