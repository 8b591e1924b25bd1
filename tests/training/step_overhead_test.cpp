// SPDX-License-Identifier: Apache-2.0
// What a training step costs beside its kernels: tape, allocator, profiler and events.
#include "app/engine/bench_configs.h"
#include "tests/training/training_fixture.h"
#include "training/run_reporter.h"
#include "training/steps.h"

#include <algorithm>
#include <chrono>
#include <ctime>
#include <limits>
#include <string>

namespace wb::training {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int64_t kTokens = 512;
constexpr int kSteps = 12;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kIsSanitized = true;
#else
constexpr bool kIsSanitized = false;
#endif

TEST(StepOverhead, isAFiftiethOfAStepAtMost) {
    if (kIsSanitized) GTEST_SKIP() << "sanitizers slow down everything but the matrix products";
    const test::TrainingBench bench;
    core::Recipe recipe = bench.recipe();
    recipe.method = core::TuneMethod::Full;
    const core::RunFolder run = bench.create(recipe);
    kernels::Runtime runtime({});
    runtime.profiler().setEnabled(true);
    RunReporter report(run, runtime, {});
    const core::ModelConfig config = app::findBenchConfig("30m");
    TuningModel tuning(runtime.context(), config, nullptr, recipe);

    std::vector<core::TokenId> ids(kTokens + 1);
    for (size_t i = 0; i < ids.size(); ++i) ids[i] = static_cast<core::TokenId>(i * 37 % config.vocabularySize);
    SequenceSet set;
    const std::vector<int64_t> starts{0};
    set.addWindows(ids, starts, kTokens, 0, 1);
    const StepPlan plan = planEpoch(set, {.batchSize = 1, .maxTokens = kTokens, .seed = 1}, 0).steps.at(0);

    // Other programs on the machine only add to the time between kernels, and to that of a step: the least of each is
    // what is ours. Of a step the processor time of its threads tells, too, which no other program lengthens by much.
    double leastOutside = std::numeric_limits<double>::infinity();
    double leastSeconds = leastOutside;
    for (int64_t step = 1; step <= kSteps; ++step) {
        runtime.profiler().reset();
        const auto start = Clock::now();
        const std::clock_t processorStart = std::clock();
        const StepResult result = runStep(tuning, set, plan, {.learningRate = 1e-4F, .step = step});
        report.step(step, 0.0, result, 1e-4, std::chrono::duration<double>(Clock::now() - start).count());
        report.kernels(step);
        const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
        const double inKernels = runtime.profiler().totalSeconds();
        ASSERT_GT(inKernels, 0.1 * seconds);
        leastOutside = std::min(leastOutside, seconds - inKernels);
        const double processor = static_cast<double>(std::clock() - processorStart) / CLOCKS_PER_SEC;
        leastSeconds = std::min({leastSeconds, seconds, processor / runtime.context().numThreads});
    }
    RecordProperty("overhead_percent", std::to_string(100 * leastOutside / leastSeconds));
    EXPECT_LT(leastOutside / leastSeconds, 0.02);
}

}  // namespace
}  // namespace wb::training
