// SPDX-License-Identifier: Apache-2.0
#include "app/engine/bench_attention.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "app/engine/bench_ceilings.h"
#include "app/engine/measurement.h"
#include "kernels/base/float_formats.h"
#include "kernels/base/philox.h"
#include "kernels/runtime/runtime.h"

namespace wb::app {
namespace {

using kernels::Buffer;
using kernels::MemoryOwner;
using kernels::View;

constexpr double kSecondsPerFigure = 0.5;

void fillUniform(const View& view, uint64_t stream) {
    const int64_t count = view.shape.count();
    for (int64_t i = 0; i < count; i += 4) {
        const PhiloxBlock words = philoxBlock(stream, static_cast<uint64_t>(i / 4));
        for (int64_t j = i; j < std::min(i + 4, count); ++j) {
            const float value = 2.0F * philoxUnit(words[static_cast<size_t>(j - i)]) - 1.0F;
            if (view.dtype == DType::BF16) {
                view.as<BFloat16>()[j] = BFloat16(value);
            } else {
                view.as<float>()[j] = value;
            }
        }
    }
}

// Operands and results of one sequence, in the memory of the runtime.
class Problem {
public:
    Problem(kernels::Allocator& allocator, const AttentionSweep& sweep, int64_t length, int64_t headDim)
        : m_allocator(allocator),
          m_bounds{0, static_cast<int32_t>(length)},
          m_dtype(sweep.dtype),
          m_queries{length, sweep.numHeads, headDim},
          m_keys{length, sweep.keyValueHeads, headDim},
          m_options{.isCausal = sweep.isCausal} {
        m_q = makeFilled(m_queries, 1);
        m_k = makeFilled(m_keys, 2);
        m_v = makeFilled(m_keys, 3);
        m_out = make(m_dtype, m_queries);
        m_logSumExp = make(DType::F32, {length, sweep.numHeads});
    }

    // Not there from the start, so that the peak of the forward pass is its own.
    void addGradients() {
        m_dOut = makeFilled(m_queries, 4);
        m_dQ = make(m_dtype, m_queries);
        m_dK = make(m_dtype, m_keys);
        m_dV = make(m_dtype, m_keys);
    }

    void run(const kernels::Context& context, AttentionPass pass) const {
        kernels::attentionForward(context, {.q = m_q,
                                            .k = m_k,
                                            .v = m_v,
                                            .cuSeqlensQ = m_bounds,
                                            .cuSeqlensK = m_bounds,
                                            .out = m_out,
                                            .logSumExp = m_logSumExp,
                                            .options = m_options});
        if (pass == AttentionPass::Forward) return;
        kernels::attentionBackward(context, {.q = m_q,
                                             .k = m_k,
                                             .v = m_v,
                                             .out = m_out,
                                             .logSumExp = m_logSumExp,
                                             .dOut = m_dOut,
                                             .cuSeqlensQ = m_bounds,
                                             .cuSeqlensK = m_bounds,
                                             .dQ = m_dQ,
                                             .dK = m_dK,
                                             .dV = m_dV,
                                             .options = m_options});
    }

private:
    View make(DType dtype, const Shape& shape) {
        m_buffers.push_back(
            m_allocator.allocate(dtypeBytes(dtype, static_cast<size_t>(shape.count())), MemoryOwner::Activations));
        return {m_buffers.back().data(), dtype, shape};
    }
    View makeFilled(const Shape& shape, uint64_t stream) {
        const View view = make(m_dtype, shape);
        fillUniform(view, stream);
        return view;
    }

    kernels::Allocator& m_allocator;
    std::vector<int32_t> m_bounds;
    DType m_dtype;
    Shape m_queries;
    Shape m_keys;
    kernels::AttentionOptions m_options;
    std::vector<Buffer> m_buffers;
    View m_q, m_k, m_v, m_dOut, m_out, m_dQ, m_dK, m_dV, m_logSumExp;
};

const char* passName(AttentionPass pass) {
    return pass == AttentionPass::Forward ? "forward" : "forward_backward";
}

double flopsOf(const AttentionSweep& sweep, const AttentionTiming& timing) {
    const auto length = static_cast<double>(timing.length);
    const double pairs = sweep.isCausal ? 0.5 * length * (length + 1) : length * length;
    const double each = timing.pass == AttentionPass::Forward ? 4.0 : 14.0;
    return each * pairs * static_cast<double>(sweep.numHeads * timing.headDim);
}

// Why the backend cannot run the pass; empty if it can.
std::string refusalOf(const kernels::Context& context, kernels::AttentionBackend backend, AttentionPass pass,
                      kernels::AttentionProblem facts) {
    std::string refusal = kernels::attentionRefusal(context, backend, facts);
    if (!refusal.empty() || pass == AttentionPass::Forward) return refusal;
    facts.isBackward = true;
    return kernels::attentionRefusal(context, backend, facts);
}

AttentionTiming timePoint(kernels::Runtime& runtime, const kernels::MachinePeak& peak, const Problem& problem,
                          const AttentionSweep& sweep, kernels::AttentionBackend backend, AttentionTiming timing) {
    runtime.setAttention(backend);
    const kernels::Context& context = runtime.context();
    const kernels::AttentionProblem facts{.dtype = sweep.dtype,
                                          .headDim = timing.headDim,
                                          .maxKeyLength = timing.length,
                                          .options = {.isCausal = sweep.isCausal}};
    timing.backend = kernels::attentionBackendName(backend);
    timing.reason = refusalOf(context, backend, timing.pass, facts);
    if (!timing.reason.empty()) return timing;
    const kernels::AttentionChoice choice = kernels::pickAttention(context, facts);
    timing.backend = kernels::attentionBackendName(choice.backend);
    timing.reason = choice.reason;
    runtime.allocator().resetPeak();
    timing.seconds = medianSeconds(sweep.repeats, kSecondsPerFigure, [&] { problem.run(context, timing.pass); });
    timing.gflops = 1e-9 * flopsOf(sweep, timing) / timing.seconds;
    timing.percentOfCeiling = 100 * timing.gflops / gemmCeiling(peak, sweep.dtype);
    const kernels::MemoryStats& stats = runtime.allocator().stats();
    timing.peakBytes = stats.peakBytes;
    timing.workspaceBytes = stats.peakByOwner[static_cast<size_t>(MemoryOwner::Workspace)];
    return timing;
}

}  // namespace

int64_t AttentionSweep::figures() const {
    return static_cast<int64_t>(lengths.size() * headDims.size() * backends.size() * passes.size());
}

std::vector<AttentionTiming> timeAttention(Device device, const kernels::MachinePeak& peak, const AttentionSweep& sweep,
                                           const std::function<void(const AttentionTiming&)>& onTiming) {
    kernels::Runtime runtime({.device = device, .numThreads = sweep.threads});
    std::vector<AttentionTiming> timings;
    for (const int64_t headDim : sweep.headDims) {
        for (const int64_t length : sweep.lengths) {
            Problem problem(runtime.allocator(), sweep, length, headDim);
            for (const AttentionPass pass : sweep.passes) {
                if (pass == AttentionPass::ForwardBackward) problem.addGradients();
                for (const kernels::AttentionBackend backend : sweep.backends) {
                    AttentionTiming timing;
                    timing.pass = pass;
                    timing.length = length;
                    timing.headDim = headDim;
                    timings.push_back(timePoint(runtime, peak, problem, sweep, backend, timing));
                    if (onTiming) onTiming(timings.back());
                }
            }
        }
    }
    return timings;
}

nlohmann::ordered_json attentionTimingJson(const AttentionSweep& sweep, const AttentionTiming& timing) {
    return {{"pass", passName(timing.pass)},   {"length", timing.length},
            {"head_dim", timing.headDim},      {"heads", sweep.numHeads},
            {"kv_heads", sweep.keyValueHeads}, {"causal", sweep.isCausal},
            {"dtype", dtypeName(sweep.dtype)}, {"seconds", timing.seconds},
            {"gflops", timing.gflops},         {"percent_of_ceiling", timing.percentOfCeiling},
            {"peak_bytes", timing.peakBytes},  {"workspace_bytes", timing.workspaceBytes},
            {"backend", timing.backend},       {"reason", timing.reason}};
}

}  // namespace wb::app
