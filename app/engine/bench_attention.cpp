// SPDX-License-Identifier: Apache-2.0
#include "app/engine/bench_attention.h"

#include <algorithm>
#include <chrono>
#include <functional>
#include <nlohmann/json.hpp>

#include "kernels/base/float_formats.h"
#include "kernels/base/philox.h"
#include "kernels/runtime/runtime.h"

namespace wb::app {
namespace {

using kernels::Buffer;
using kernels::MemoryOwner;
using kernels::View;

constexpr double kSecondsPerFigure = 1.0;

double medianSeconds(int repeats, const std::function<void()>& body) {
    using Clock = std::chrono::steady_clock;
    body();  // warms caches and allocator
    std::vector<double> seconds;
    const auto begin = Clock::now();
    for (int i = 0; i < std::max(1, repeats); ++i) {
        const auto start = Clock::now();
        if (i > 0 && std::chrono::duration<double>(start - begin).count() > kSecondsPerFigure) break;
        body();
        seconds.push_back(std::chrono::duration<double>(Clock::now() - start).count());
    }
    std::nth_element(seconds.begin(), seconds.begin() + seconds.size() / 2, seconds.end());
    return seconds[seconds.size() / 2];
}

// Inputs and outputs of one sequence, in the memory of the runtime.
class Problem {
public:
    Problem(kernels::Allocator& allocator, const AttentionSweep& sweep, int64_t length, int64_t headDim)
        : m_allocator(allocator), m_bounds{0, static_cast<int32_t>(length)} {
        const Shape queries{length, sweep.numHeads, headDim};
        const Shape keys{length, sweep.keyValueHeads, headDim};
        m_q = make(sweep.dtype, queries, 1);
        m_k = make(sweep.dtype, keys, 2);
        m_v = make(sweep.dtype, keys, 3);
        m_dOut = make(sweep.dtype, queries, 4);
        m_out = make(sweep.dtype, queries, 0);
        m_dQ = make(sweep.dtype, queries, 0);
        m_dK = make(sweep.dtype, keys, 0);
        m_dV = make(sweep.dtype, keys, 0);
        m_logSumExp = make(sweep.dtype == DType::F64 ? DType::F64 : DType::F32, {length, sweep.numHeads}, 0);
    }

    void forward(const kernels::Context& context) const {
        kernels::attentionForward(context, {.q = m_q,
                                            .k = m_k,
                                            .v = m_v,
                                            .cuSeqlensQ = m_bounds,
                                            .cuSeqlensK = m_bounds,
                                            .out = m_out,
                                            .logSumExp = m_logSumExp,
                                            .options = {.isCausal = true}});
    }
    void backward(const kernels::Context& context) const {
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
                                             .options = {.isCausal = true}});
    }

private:
    // Filled with uniform numbers in [-1, 1) of a stream, or left as it is for stream 0.
    View make(DType dtype, const Shape& shape, uint64_t stream) {
        m_buffers.push_back(
            m_allocator.allocate(dtypeBytes(dtype, static_cast<size_t>(shape.count())), MemoryOwner::Activations));
        const View view{m_buffers.back().data(), dtype, shape};
        for (int64_t i = 0; stream != 0 && i < shape.count(); ++i) {
            const float value = 2.0F * philoxUnit(philoxWord(stream, static_cast<uint64_t>(i))) - 1.0F;
            switch (dtype) {
                case DType::F64: view.as<double>()[i] = value; break;
                case DType::BF16: view.as<BFloat16>()[i] = BFloat16(value); break;
                default: view.as<float>()[i] = value;
            }
        }
        return view;
    }

    kernels::Allocator& m_allocator;
    std::vector<int32_t> m_bounds;
    std::vector<Buffer> m_buffers;
    View m_q, m_k, m_v, m_dOut, m_out, m_dQ, m_dK, m_dV, m_logSumExp;
};

int64_t workspacePeak(const kernels::Allocator& allocator) {
    return allocator.stats().peakByOwner[static_cast<size_t>(MemoryOwner::Workspace)];
}

// Adds the forward and the backward timing of one backend.
void timePoint(kernels::Runtime& runtime, const Problem& problem, const AttentionSweep& sweep,
               kernels::AttentionBackend backend, AttentionTiming timing, std::vector<AttentionTiming>& timings) {
    runtime.setAttention(backend);
    const kernels::Context& context = runtime.context();
    const double pairs = 0.5 * static_cast<double>(timing.length) * static_cast<double>(timing.length + 1) *
                         static_cast<double>(sweep.numHeads * timing.headDim);
    for (const bool isBackward : {false, true}) {
        timing.pass = isBackward ? "backward" : "forward";
        const kernels::AttentionProblem facts{.dtype = sweep.dtype,
                                              .headDim = timing.headDim,
                                              .maxKeyLength = timing.length,
                                              .options = {.isCausal = true},
                                              .isBackward = isBackward};
        timing.backend = kernels::attentionBackendName(backend);
        timing.reason = kernels::attentionRefusal(context, backend, facts);
        timing.seconds = timing.gflops = 0;
        timing.peakBytes = 0;
        if (timing.reason.empty()) {
            const kernels::AttentionChoice choice = kernels::pickAttention(context, facts);
            timing.backend = kernels::attentionBackendName(choice.backend);
            timing.reason = choice.reason;
            runtime.allocator().resetPeak();
            timing.seconds = medianSeconds(sweep.repeats,
                                           [&] { isBackward ? problem.backward(context) : problem.forward(context); });
            timing.gflops = (isBackward ? 10.0 : 4.0) * pairs / timing.seconds / 1e9;
            timing.peakBytes = workspacePeak(runtime.allocator());
        }
        timings.push_back(timing);
    }
}

}  // namespace

std::vector<AttentionTiming> timeAttention(Device device, int numThreads, const AttentionSweep& sweep) {
    kernels::Runtime runtime({.device = device, .numThreads = numThreads});
    std::vector<AttentionTiming> timings;
    for (const int64_t headDim : sweep.headDims) {
        for (const int64_t length : sweep.lengths) {
            const Problem problem(runtime.allocator(), sweep, length, headDim);
            for (const kernels::AttentionBackend backend : sweep.backends) {
                AttentionTiming timing;
                timing.length = length;
                timing.headDim = headDim;
                timePoint(runtime, problem, sweep, backend, timing, timings);
            }
        }
    }
    return timings;
}

nlohmann::ordered_json attentionTimingsJson(const std::vector<AttentionTiming>& timings) {
    nlohmann::ordered_json rows = nlohmann::ordered_json::array();
    for (const AttentionTiming& timing : timings) {
        rows.push_back({{"pass", timing.pass},
                        {"length", timing.length},
                        {"head_dim", timing.headDim},
                        {"seconds", timing.seconds},
                        {"gflops", timing.gflops},
                        {"peak_bytes", timing.peakBytes},
                        {"backend", timing.backend},
                        {"reason", timing.reason}});
    }
    return rows;
}

}  // namespace wb::app
