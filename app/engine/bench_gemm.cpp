// SPDX-License-Identifier: Apache-2.0
#include "app/engine/bench_gemm.h"

#include <algorithm>
#include <array>
#include <functional>
#include <nlohmann/json.hpp>

#include "app/engine/bench_ceilings.h"
#include "app/engine/measurement.h"
#include "kernels/elementwise.h"
#include "kernels/linear.h"
#include "kernels/runtime/runtime.h"

namespace wb::app {
namespace {

using kernels::View;

// Outputs and inputs of the layers that are timed: attention and feed-forward layers of models of about 30 M, 135 M and
// 1 B parameters.
constexpr std::array<std::array<int64_t, 2>, 7> kLayers{
    {{512, 512}, {1408, 512}, {512, 1408}, {576, 576}, {1536, 576}, {576, 1536}, {2048, 2048}}};
constexpr double kSecondsPerFigure = 0.5;

class Layer {
public:
    Layer(kernels::Runtime& runtime, DType dtype, int64_t tokens, int64_t outputs, int64_t inputs)
        : m_context(runtime.context()) {
        m_x = make(dtype, {tokens, inputs});
        m_weight = make(dtype, {outputs, inputs});
        m_out = make(dtype, {tokens, outputs});
        m_dX = make(dtype, {tokens, inputs});
        m_dWeight = make(DType::F32, {outputs, inputs});
    }

    void forward() const { kernels::linearForward(m_context, {.x = m_x, .weight = m_weight, .out = m_out}); }
    void inputGradient() const {
        kernels::linearBackwardInput(m_context, {.dOut = m_out, .weight = m_weight, .dX = m_dX});
    }
    void weightGradient() const {
        kernels::linearBackwardWeight(m_context, {.dOut = m_out, .x = m_x, .dWeight = m_dWeight});
    }
    double bytes() const { return static_cast<double>(m_x.bytes() + m_weight.bytes() + m_out.bytes()); }

private:
    View make(DType dtype, const Shape& shape) {
        const size_t bytes = dtypeBytes(dtype, static_cast<size_t>(shape.count()));
        m_buffers.push_back(m_context.allocator->allocate(bytes, kernels::MemoryOwner::Activations));
        const View view{m_buffers.back().data(), dtype, shape};
        kernels::fill(m_context, {view, 0.01F});  // no denormals, no infinities, whatever is repeated
        return view;
    }

    const kernels::Context& m_context;
    std::vector<kernels::Buffer> m_buffers;
    View m_x, m_weight, m_out, m_dX, m_dWeight;
};

void timeLayer(const Layer& layer, const kernels::MachinePeak& peak, GemmTiming timing, int repeats,
               std::vector<GemmTiming>& timings) {
    const double flops = 2.0 * static_cast<double>(timing.tokens) * static_cast<double>(timing.outputs) *
                         static_cast<double>(timing.inputs);
    const auto add = [&](const char* pass, const std::function<void()>& body) {
        timing.pass = pass;
        timing.seconds = medianSeconds(repeats, kSecondsPerFigure, body);
        timing.gflops = flops / timing.seconds * 1e-9;
        timing.percentOfCeiling = 100 * timing.gflops / gemmCeiling(peak, timing.dtype);
        timing.gbPerSecond = layer.bytes() / timing.seconds * 1e-9;
        timings.push_back(timing);
    };
    add("forward", [&] { layer.forward(); });
    constexpr int64_t kLeastTrainedTokens = 32;  // fewer rows occur in decoding only
    if (timing.tokens < kLeastTrainedTokens) return;
    add("input_gradient", [&] { layer.inputGradient(); });
    add("weight_gradient", [&] { layer.weightGradient(); });
}

}  // namespace

std::vector<GemmTiming> timeGemm(Device device, int numThreads, const kernels::MachinePeak& peak,
                                 const GemmSweep& sweep) {
    kernels::Runtime runtime({.device = device, .numThreads = numThreads});
    std::vector<GemmTiming> timings;
    for (const DType dtype : sweep.dtypes) {
        for (const auto& [outputs, inputs] : kLayers) {
            for (const int64_t tokens : sweep.tokens) {
                const Layer layer(runtime, dtype, tokens, outputs, inputs);
                GemmTiming timing;
                timing.dtype = dtype;
                timing.tokens = tokens;
                timing.outputs = outputs;
                timing.inputs = inputs;
                timeLayer(layer, peak, timing, sweep.repeats, timings);
            }
        }
    }
    return timings;
}

nlohmann::ordered_json gemmTimingsJson(const std::vector<GemmTiming>& timings) {
    nlohmann::ordered_json rows = nlohmann::ordered_json::array();
    for (const GemmTiming& timing : timings) {
        rows.push_back({{"pass", timing.pass},
                        {"dtype", dtypeName(timing.dtype)},
                        {"tokens", timing.tokens},
                        {"outputs", timing.outputs},
                        {"inputs", timing.inputs},
                        {"seconds", timing.seconds},
                        {"gflops", timing.gflops},
                        {"percent_of_ceiling", timing.percentOfCeiling},
                        {"gb_per_s", timing.gbPerSecond}});
    }
    return rows;
}

}  // namespace wb::app
