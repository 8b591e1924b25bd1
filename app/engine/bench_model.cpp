// SPDX-License-Identifier: Apache-2.0
#include "app/engine/bench_model.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <nlohmann/json.hpp>

#include "app/engine/bench_configs.h"
#include "core/run/recipe_fields.h"
#include "kernels/runtime/runtime.h"

namespace wb::app {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kWarmUpRuns = 2;
constexpr double kSecondsPerRepeat = 0.5;  // short ones are all noise
constexpr double kRoofGemmEfficiency = 0.85;

bool isGemm(std::string_view op) {
    return op.starts_with("linear_") || op.starts_with("lm_head_");
}
bool isOptimizer(std::string_view op) {
    return op.starts_with("adamw") || op.starts_with("global_norm");
}

// Weights only, on the plan device: what the read ceiling is measured with before the model takes its place.
int64_t weightBytes(const core::ModelConfig& config, const ModelBenchOptions& options) {
    kernels::Runtime plan({.device = {.type = DeviceType::Plan}, .numThreads = options.threads});
    return BenchModel(plan.context(), config, options.dtype, false).bytesReadPerPass();
}

// The workload and what it stands on, in the order in which they may be destroyed.
struct Bench {
    std::unique_ptr<BenchModel> model;
    std::unique_ptr<BenchWorkload> workload;
    std::vector<std::unique_ptr<BenchWorkload>> separate;  // of a twin: base and adapter alone
};

Bench makeBench(const kernels::Context& context, const core::ModelConfig& config, const ModelBenchOptions& options) {
    Bench bench;
    if (options.task == BenchTask::Train) {
        bench.workload = makeTrainWorkload(context, config,
                                           {.method = options.method,
                                            .dtype = options.dtype,
                                            .activationCheckpointing = options.activationCheckpointing,
                                            .tokens = options.tokens});
        return bench;
    }
    bench.model = std::make_unique<BenchModel>(context, config, options.dtype, options.isTwin);
    if (options.task == BenchTask::Prefill) {
        bench.workload = makePrefillWorkload(*bench.model, options.tokens);
        return bench;
    }
    const auto decode = [&](int64_t base, int64_t adapter) {
        return makeDecodeWorkload(*bench.model,
                                  {.tokens = options.tokens, .baseStreams = base, .adapterStreams = adapter});
    };
    bench.workload = decode(options.streams, options.isTwin ? options.streams : 0);
    if (options.isTwin) {
        bench.separate.push_back(decode(options.streams, 0));
        bench.separate.push_back(decode(0, options.streams));
    }
    return bench;
}

// Seconds of the runs without their preparations. A profiler sees the same.
double secondsOf(BenchWorkload& workload, int runs, kernels::Profiler* profiler = nullptr) {
    std::chrono::duration<double> seconds{};
    for (int i = 0; i < runs; ++i) {
        workload.prepare();
        if (profiler != nullptr) profiler->setEnabled(true);
        const auto start = Clock::now();
        workload.run();
        seconds += Clock::now() - start;
        if (profiler != nullptr) profiler->setEnabled(false);
    }
    return seconds.count();
}

// Warms up. What a run does besides its timed part counts here, or tiny models would take minutes.
int runsPerRepeat(Bench& bench) {
    for (const auto& alone : bench.separate) secondsOf(*alone, 1);
    std::chrono::duration<double> warm{};
    for (int i = 0; i < kWarmUpRuns; ++i) {
        const auto start = Clock::now();
        secondsOf(*bench.workload, 1);
        warm = Clock::now() - start;
    }
    return std::max(1, static_cast<int>(std::ceil(kSecondsPerRepeat / warm.count())));
}

void timeRepeats(Bench& bench, int repeats, int runs, ModelBench& result) {
    const CpuTimes before = readCpuTimes();
    TwinComparison twin;
    for (int i = 0; i < repeats; ++i) {
        const auto tokens = static_cast<double>(runs * bench.workload->tokens());
        result.repeats.push_back(tokens / secondsOf(*bench.workload, runs));
        double separate = 0;
        for (const auto& alone : bench.separate) separate += secondsOf(*alone, runs);
        if (!bench.separate.empty()) twin.separateRepeats.push_back(tokens / separate);
    }
    result.foreignCpu = foreignCpuShare(before, readCpuTimes());
    result.verdict = judge(result.repeats, result.foreignCpu);
    result.tokensPerSecond = median(result.repeats);
    result.secondsPerRun = static_cast<double>(bench.workload->tokens()) / result.tokensPerSecond;
    if (bench.separate.empty()) return;
    if (const Verdict separate = judge(twin.separateRepeats, result.foreignCpu); !separate.isValid)
        result.verdict = separate;
    twin.ratio = result.tokensPerSecond / median(twin.separateRepeats);
    result.twin = std::move(twin);
}

// Sums over one run of the workload.
struct ProfiledCost {
    double flops = 0;
    double gemmFlops = 0;
    double optimizerBytes = 0;
};

ProfiledCost profile(kernels::Runtime& runtime, BenchWorkload& workload, int runs, DType dtype, ModelBench& result) {
    kernels::Profiler& profiler = runtime.profiler();
    profiler.reset();
    const double wall = secondsOf(workload, runs, &profiler);
    double inOps = 0;
    double inGemm = 0;
    ProfiledCost cost;
    for (const kernels::KernelSummary& sum : profiler.summary()) {
        inOps += sum.seconds;
        cost.flops += sum.flops / runs;
        if (isGemm(sum.name)) {
            inGemm += sum.seconds;
            cost.gemmFlops += sum.flops / runs;
        }
        if (isOptimizer(sum.name)) cost.optimizerBytes += sum.bytes / runs;
        const double floor = floorSeconds(result.ceilings, dtype, sum.flops, sum.bytes);
        result.ops.push_back({.sum = sum, .share = sum.seconds / wall, .percentOfCeiling = 100 * floor / sum.seconds});
    }
    result.shareInGemm = inGemm / wall;
    result.overheadShare = 1 - inOps / wall;
    return cost;
}

void compareWithCeilings(const ModelBenchOptions& options, const ProfiledCost& cost, ModelBench& result) {
    const double gemm = 1e9 * gemmCeiling(result.ceilings.peak, options.dtype);
    const double read = 1e9 * result.ceilings.readGbPerSecond;
    double floor = cost.flops / gemm;
    if (options.task == BenchTask::Decode) {
        floor = static_cast<double>(result.ceilings.readBufferBytes) * static_cast<double>(options.tokens) / read;
    }
    result.percentOfCeiling = 100 * floor / result.secondsPerRun;
    if (options.task != BenchTask::Train) return;
    const double roof = cost.gemmFlops / (kRoofGemmEfficiency * gemm) + cost.optimizerBytes / read;
    result.percentOfRoof = 100 * roof / result.secondsPerRun;
}

}  // namespace

ModelBench benchModel(const ModelBenchOptions& options) {
    const core::ModelConfig config = findBenchConfig(options.config);
    ModelBench result;
    result.parameters = config.parameterCount();
    result.ceilings = measureCeilings(options.threads, weightBytes(config, options));
    result.threads = result.ceilings.peak.threads;

    resetPeakResident();
    kernels::Runtime runtime({.numThreads = options.threads});
    Bench bench = makeBench(runtime.context(), config, options);
    const int runs = runsPerRepeat(bench);
    timeRepeats(bench, options.repeats, runs, result);
    result.peakBytes = runtime.allocator().stats().peakBytes;
    result.peakRssBytes = peakResidentBytes();
    compareWithCeilings(options, profile(runtime, *bench.workload, runs, options.dtype, result), result);
    return result;
}

const char* benchTaskName(BenchTask task) {
    switch (task) {
        case BenchTask::Train: return "train";
        case BenchTask::Prefill: return "prefill";
        case BenchTask::Decode: return "decode";
    }
    return "";
}

namespace {

nlohmann::ordered_json opJson(const OpShare& op) {
    return {{"name", op.sum.name},
            {"backend", op.sum.backend},
            {"reason", op.sum.reason},
            {"calls", op.sum.calls},
            {"seconds", op.sum.seconds},
            {"share", op.share},
            {"gflops", 1e-9 * op.sum.flops / op.sum.seconds},
            {"gb_per_s", 1e-9 * op.sum.bytes / op.sum.seconds},
            {"percent_of_ceiling", op.percentOfCeiling}};
}

}  // namespace

nlohmann::ordered_json modelBenchJson(const ModelBenchOptions& options, const ModelBench& bench) {
    nlohmann::ordered_json json{
        {"task", benchTaskName(options.task)}, {"config", options.config}, {"parameters", bench.parameters},
        {"dtype", dtypeName(options.dtype)},   {"tokens", options.tokens}, {"threads", bench.threads}};
    if (options.task == BenchTask::Train) {
        json["method"] = options.method == core::TuneMethod::Full ? "full" : "lora";
        json["activation_checkpointing"] = core::choiceName(options.activationCheckpointing);
    }
    if (options.task == BenchTask::Decode) json["streams"] = options.streams;
    json["tokens_per_second"] = bench.tokensPerSecond;
    json["repeats"] = bench.repeats;
    json["seconds"] = bench.secondsPerRun;
    json["peak_bytes"] = bench.peakBytes;
    json["peak_rss_bytes"] = bench.peakRssBytes;
    json["percent_of_ceiling"] = bench.percentOfCeiling;
    if (bench.percentOfRoof) json["percent_of_roof"] = *bench.percentOfRoof;
    json["share_in_gemm"] = bench.shareInGemm;
    json["overhead_share"] = bench.overheadShare;
    json["foreign_cpu"] = bench.foreignCpu;
    json["valid"] = bench.verdict.isValid;
    json["why"] = bench.verdict.why;
    if (bench.twin) json["twin"] = {{"separate_repeats", bench.twin->separateRepeats}, {"ratio", bench.twin->ratio}};
    json["ceiling"] = ceilingsJson(bench.ceilings);
    json["ops"] = nlohmann::ordered_json::array();
    for (const OpShare& op : bench.ops) json["ops"].push_back(opJson(op));
    return json;
}

}  // namespace wb::app
