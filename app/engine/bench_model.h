// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "app/engine/bench_ceilings.h"
#include "app/engine/bench_workload.h"
#include "app/engine/measurement.h"

namespace wb::app {

enum class BenchTask { Train, Prefill, Decode };

struct ModelBenchOptions {
    BenchTask task = BenchTask::Train;
    std::string config;  // as findBenchConfig takes it
    DType dtype = DType::F32;
    int64_t tokens = 512;
    int repeats = 5;
    int threads = 0;                                   // 0: all
    core::TuneMethod method = core::TuneMethod::Full;  // training
    core::ActivationCheckpointing activationCheckpointing = core::ActivationCheckpointing::None;
    int64_t streams = 1;  // decoding: sequences in one batch
    bool isTwin = false;  // decoding: base and adapter as one batch, against one after the other
};

// One op over the profiled runs.
struct OpShare {
    kernels::KernelSummary sum;
    double share = 0;             // of the time of the runs
    double percentOfCeiling = 0;  // its floor (floorSeconds) over its time
};

// Base and adapter decoded one after the other in the same run, turn by turn with the batch of both.
struct TwinComparison {
    std::vector<double> separateRepeats;  // tokens/s
    double ratio = 0;                     // medians, batch over separate
};

struct ModelBench {
    int threads = 0;
    int64_t parameters = 0;
    std::vector<double> repeats;  // tokens/s
    double tokensPerSecond = 0;   // their median
    double secondsPerRun = 0;     // a step, a prompt, or all new tokens, at the median
    int64_t peakBytes = 0;        // of the engine's allocator
    int64_t peakRssBytes = 0;     // of the process, without what measuring the ceilings took
    BenchCeilings ceilings;
    double percentOfCeiling = 0;  // training and prefill: arithmetic; decoding: weights read
    // Training: of a step whose matrix products run at 85 % of their ceiling and whose optimiser reads at full speed.
    std::optional<double> percentOfRoof;
    double shareInGemm = 0;
    double overheadShare = 0;  // of the profiled runs, outside all ops
    double foreignCpu = 0;
    Verdict verdict;
    std::vector<OpShare> ops;  // longest first
    std::optional<TwinComparison> twin;
};

// Measures the ceilings, then the task: two runs to warm up, the repeats, and some more with the profiler on. A repeat
// takes at least half a second. Processor only. Throws what building the model throws.
ModelBench benchModel(const ModelBenchOptions& options);

// "train", "prefill", "decode".
const char* benchTaskName(BenchTask task);

// As docs/benchmarks/README.md describes it.
nlohmann::ordered_json modelBenchJson(const ModelBenchOptions& options, const ModelBench& bench);

}  // namespace wb::app
