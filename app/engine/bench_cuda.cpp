// SPDX-License-Identifier: Apache-2.0
#include "app/engine/bench_cuda.h"

#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>
#include <nlohmann/json.hpp>

#include "app/engine/bench_configs.h"
#include "app/engine/bench_cuda_attention.h"
#include "app/engine/bench_workload.h"
#include "app/engine/measurement.h"
#include "kernels/base/error.h"
#include "kernels/linear.h"
#include "kernels/optimizer.h"
#include "kernels/runtime/op_table.h"
#include "kernels/runtime/runtime.h"

extern char** environ;

namespace wb::app {
namespace {

using Clock = std::chrono::steady_clock;

constexpr uint64_t kSeed = 5;
constexpr double kForwardFlops = 4;  // a pair of tokens and dimension
constexpr double kBackwardFlops = 10;

// How long a figure may take.
struct Patience {
    int repeats;
    double mostSeconds;
    double secondsPerBatch;  // short calls are timed several at a time
};

Patience patienceOf(CudaBenchSizes sizes) {
    if (sizes == CudaBenchSizes::Tiny) return {1, 0, 0};
    return {20, 4.0, 0.01};
}

double since(Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
}

// Median seconds of a call on a device that works behind the host. Warms up with two calls.
double medianOnDevice(const kernels::Context& context, const Patience& patience, const std::function<void()>& body) {
    constexpr int kMostPerBatch = 64;
    const auto seconds = [&](int calls) {
        const auto start = Clock::now();
        for (int i = 0; i < calls; ++i) body();
        context.ops->synchronize(context);
        return since(start);
    };
    seconds(1);
    const double once = seconds(1);
    const int batch = std::clamp(static_cast<int>(patience.secondsPerBatch / std::max(once, 1e-9)), 1, kMostPerBatch);
    std::vector<double> timings;
    const auto begin = Clock::now();
    do {
        timings.push_back(seconds(batch) / batch);
    } while (static_cast<int>(timings.size()) < patience.repeats && since(begin) < patience.mostSeconds);
    return median(timings);
}

class RowRunner {
public:
    RowRunner(const CudaBenchOptions& options, const CudaCeilings& ceilings, CudaTiming& timing)
        : m_options(options), m_ceilings(ceilings), m_timing(timing), m_patience(patienceOf(options.sizes)) {}

    void run() {
        if (m_timing.row.kind == CudaBenchKind::ColdStart) return runColdStart();
        kernels::Runtime runtime({.device = m_options.device, .numThreads = m_options.threads});
        switch (m_timing.row.kind) {
            case CudaBenchKind::Attention: runAttention(runtime); break;
            case CudaBenchKind::Gemm: runGemm(runtime); break;
            case CudaBenchKind::Train: runTrain(runtime); break;
            case CudaBenchKind::Decode: runDecode(runtime); break;
            case CudaBenchKind::ColdStart: break;
        }
        m_timing.peakBytes = runtime.allocator().stats().peakBytes;
    }

private:
    void time(kernels::Runtime& runtime, const std::function<void()>& body) {
        runtime.allocator().resetPeak();
        m_timing.seconds = medianOnDevice(runtime.context(), m_patience, body);
    }
    void setArithmeticFloor() {
        if (m_ceilings.bf16Tflops > 0) m_timing.floorSeconds = 1e-12 * m_timing.flops / m_ceilings.bf16Tflops;
    }

    void runAttention(kernels::Runtime& runtime) {
        const CudaBenchRow& row = m_timing.row;
        const AttentionCase attention(runtime.context(),
                                      {.lengths = row.lengths,
                                       .headDim = row.headDim,
                                       .heads = row.heads,
                                       .keyValueHeads = row.keyValueHeads,
                                       .isCausal = row.isCausal,
                                       .hasDistanceBias = row.hasDistanceBias},
                                      kSeed);
        const bool hasForward = row.pass != CudaBenchPass::Backward;
        const bool hasBackward = row.pass != CudaBenchPass::Forward;
        attention.forward();
        time(runtime, [&] {
            if (hasForward) attention.forward();
            if (hasBackward) attention.backward();
        });
        m_timing.flops = ((hasForward ? kForwardFlops : 0) + (hasBackward ? kBackwardFlops : 0)) *
                         attention.shape().pairs() * static_cast<double>(row.headDim);
        setArithmeticFloor();
    }

    void runGemm(kernels::Runtime& runtime) {
        const CudaBenchRow& row = m_timing.row;
        const kernels::Context& context = runtime.context();
        const auto make = [&](int64_t rows, int64_t columns) {
            core::Tensor tensor =
                core::Tensor::empty(context, DType::BF16, {rows, columns}, kernels::MemoryOwner::Activations);
            std::vector<float> values(static_cast<size_t>(tensor.count()));
            for (size_t i = 0; i < values.size(); ++i)
                values[i] = static_cast<float>((i * 2654435761U) % 2048) * 0x1p-10F - 1.0F;
            core::assignFloats(context, tensor, values);
            return tensor;
        };
        const core::Tensor x = make(row.m, row.k);
        const core::Tensor weight = make(row.n, row.k);
        const core::Tensor out = make(row.m, row.n);
        time(runtime,
             [&] { kernels::linearForward(context, {.x = x.view(), .weight = weight.view(), .out = out.view()}); });
        m_timing.flops = 2.0 * static_cast<double>(row.m) * static_cast<double>(row.n) * static_cast<double>(row.k);
        m_timing.bytes = static_cast<double>(x.bytes() + weight.bytes() + out.bytes());
        setArithmeticFloor();
    }

    void runTrain(kernels::Runtime& runtime) {
        const CudaBenchRow& row = m_timing.row;
        const auto workload =
            makeTrainWorkload(runtime.context(), findBenchConfig(row.config),
                              {.method = row.method == "lora" ? core::TuneMethod::Lora : core::TuneMethod::Full,
                               .dtype = DType::BF16,
                               .sequences = row.sequences,
                               .tokens = row.tokens});
        workload->run();
        m_timing.loss = workload->loss();
        m_timing.tokens = workload->tokens();
        time(runtime, [&] { workload->run(); });
        runtime.profiler().reset();
        runtime.profiler().setEnabled(true);
        workload->run();
        runtime.profiler().setEnabled(false);
        for (const kernels::KernelSummary& sum : runtime.profiler().summary()) m_timing.flops += sum.flops;
        setArithmeticFloor();
    }

    void runDecode(kernels::Runtime& runtime) {
        const CudaBenchRow& row = m_timing.row;
        BenchModel model(runtime.context(), findBenchConfig(row.config), DType::BF16, false);
        const auto workload = makeDecodeWorkload(model, {.tokens = row.tokens, .baseStreams = row.sequences});
        runtime.allocator().resetPeak();
        std::vector<double> timings;
        const int repeats = std::min(5, m_patience.repeats);
        for (int i = 0; i <= repeats; ++i) {  // the first one warms up
            workload->prepare();
            runtime.context().ops->synchronize(runtime.context());
            const auto start = Clock::now();
            workload->run();
            runtime.context().ops->synchronize(runtime.context());
            if (i > 0) timings.push_back(since(start));
        }
        m_timing.seconds = median(timings);
        m_timing.tokens = workload->tokens();
        m_timing.bytes = static_cast<double>(model.bytesReadPerPass() * row.tokens);
        if (m_ceilings.readGbPerSecond > 0) m_timing.floorSeconds = 1e-9 * m_timing.bytes / m_ceilings.readGbPerSecond;
    }

    // A process of its own, from its start to its end after one step.
    void runColdStart() {
        const CudaBenchRow& row = m_timing.row;
        const std::vector<std::string> words{"/proc/self/exe",
                                             "bench",
                                             "cuda",
                                             "--first-step",
                                             row.config,
                                             "--first-step-shape",
                                             fmt::format("{},{}", row.sequences, row.tokens),
                                             "--device",
                                             deviceName(m_options.device)};
        std::vector<char*> arguments;
        for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
        arguments.push_back(nullptr);
        std::vector<double> timings;
        for (int i = 0; i < std::min(3, m_patience.repeats); ++i) {
            const auto start = Clock::now();
            pid_t child = 0;
            const int failed = ::posix_spawn(&child, arguments[0], nullptr, nullptr, arguments.data(), environ);
            if (failed != 0) throw Error{ErrorCode::Io, fmt::format("no process: {}", std::strerror(failed))};
            int status = 0;
            ::waitpid(child, &status, 0);
            if (status != 0) throw Error{ErrorCode::Device, "the process failed; its message is above"};
            timings.push_back(since(start));
        }
        m_timing.seconds = median(timings);
        m_timing.tokens = row.sequences * row.tokens;
    }

    const CudaBenchOptions& m_options;
    const CudaCeilings& m_ceilings;
    CudaTiming& m_timing;
    Patience m_patience;
};

}  // namespace

namespace {

// A device without the op has no such ceiling, and its rows no floor.
void unlessMissing(const std::function<void()>& measure) {
    try {
        measure();
    } catch (const Error& error) {
        if (error.code() != ErrorCode::Unsupported) throw;
    }
}

}  // namespace

CudaCeilings measureCudaCeilings(const CudaBenchOptions& options) {
    const bool isTiny = options.sizes == CudaBenchSizes::Tiny;
    CudaCeilings ceilings{.readBytes = isTiny ? int64_t{1} << 16 : int64_t{4} << 30};
    const Patience patience = patienceOf(options.sizes);
    unlessMissing([&] {
        kernels::Runtime runtime({.device = options.device, .numThreads = options.threads});
        const kernels::Context& context = runtime.context();
        const core::Tensor buffer =
            core::Tensor::zeros(context, DType::F32, {ceilings.readBytes / 4}, kernels::MemoryOwner::Activations);
        const core::Tensor norm = core::Tensor::zeros(context, DType::F32, {1}, kernels::MemoryOwner::Activations);
        const std::array<kernels::ConstView, 1> tensors{buffer.view()};
        const double seconds = medianOnDevice(
            context, patience, [&] { kernels::globalNorm(context, {.tensors = tensors, .out = norm.view()}); });
        ceilings.readGbPerSecond = 1e-9 * static_cast<double>(ceilings.readBytes) / seconds;
    });
    for (const CudaBenchRow& row : cudaBenchRows(options.sizes)) {
        if (row.kind != CudaBenchKind::Gemm) continue;
        unlessMissing([&] {
            CudaTiming timing{.row = row};
            RowRunner(options, {}, timing).run();
            ceilings.bf16Tflops = std::max(ceilings.bf16Tflops, 1e-12 * timing.flops / timing.seconds);
        });
    }
    return ceilings;
}

std::vector<CudaTiming> timeCudaRows(const CudaBenchOptions& options, const CudaCeilings& ceilings,
                                     const std::function<void(const CudaTiming&)>& onTiming) {
    std::vector<CudaTiming> timings;
    for (const CudaBenchRow& row : cudaBenchRows(options.sizes)) {
        const bool isWanted = options.only.empty() || std::ranges::any_of(options.only, [&](const std::string& text) {
                                  return row.name.find(text) != std::string::npos;
                              });
        if (!isWanted) continue;
        CudaTiming timing{.row = row};
        try {
            RowRunner(options, ceilings, timing).run();
        } catch (const Error& error) {
            timing.seconds = 0;
            timing.why = error.what();
        }
        if (onTiming) onTiming(timing);
        timings.push_back(std::move(timing));
    }
    return timings;
}

void takeFirstStep(const CudaBenchOptions& options, const std::string& config, int64_t sequences, int64_t tokens) {
    kernels::Runtime runtime({.device = options.device, .numThreads = options.threads});
    const auto workload = makeTrainWorkload(runtime.context(), findBenchConfig(config),
                                            {.dtype = DType::BF16, .sequences = sequences, .tokens = tokens});
    workload->run();
    runtime.context().ops->synchronize(runtime.context());
}

nlohmann::ordered_json cudaTimingJson(const CudaTiming& timing) {
    nlohmann::ordered_json json = cudaBenchRowJson(timing.row);
    const bool hasRun = timing.seconds > 0;
    json["ms"] = 1e3 * timing.seconds;
    json["tflops"] = hasRun ? 1e-12 * timing.flops / timing.seconds : 0;
    json["gb_per_s"] = hasRun ? 1e-9 * timing.bytes / timing.seconds : 0;
    json["floor_ms"] = 1e3 * timing.floorSeconds;
    json["share_of_floor"] = hasRun ? timing.floorSeconds / timing.seconds : 0;
    json["peak_bytes"] = timing.peakBytes;
    if (timing.tokens > 0) json["tokens_per_second"] = static_cast<double>(timing.tokens) / timing.seconds;
    if (timing.loss) json["loss"] = *timing.loss;
    json["why"] = timing.why;
    return json;
}

}  // namespace wb::app
