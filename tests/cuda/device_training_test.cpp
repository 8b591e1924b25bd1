// SPDX-License-Identifier: Apache-2.0
// Training on the device: what the CPU computes within the precision of the type, the same bits again and after a
// crash, the planned memory, and no waiting inside a step.
#include "kernels/runtime/plugin_loader.h"
#include "tests/cuda/emulated_waits.h"
#include "tests/training/training_fixture.h"
#include "training/steps.h"

#include <fmt/format.h>
#include <bit>
#include <cmath>
#include <limits>

namespace wb::training {
namespace {

using test::recordOf;
using test::RunRecord;

constexpr Device kGpu{DeviceType::Cuda};

struct DeviceCase {
    const char* name;
    void (*change)(core::Recipe& recipe);
};

void asBf16(core::Recipe& recipe) {
    recipe.dtype = DType::BF16;
}
void asLora(core::Recipe& recipe) {
    recipe.method = core::TuneMethod::Lora;
    recipe.loraRank = 4;
    recipe.loraAlpha = 8;
    recipe.loraDropout = 0.2;
    recipe.learningRate = 1e-2;
}
void asDora(core::Recipe& recipe) {
    asLora(recipe);
    recipe.useDora = true;
}
void onEightBits(core::Recipe& recipe) {
    asLora(recipe);
    asBf16(recipe);
    recipe.baseDtype = core::BaseWeights::Q8_0;
}
void recomputing(core::Recipe& recipe) {
    asLora(recipe);
    asBf16(recipe);
    recipe.activationCheckpointing = core::ActivationCheckpointing::Full;
}

class DeviceTrainingTest : public testing::TestWithParam<DeviceCase> {
protected:
    void SetUp() override {
        const kernels::PluginStatus& status = kernels::cudaPlugin();
        if (status.plugin == nullptr) GTEST_SKIP() << status.reason;
    }

    core::Recipe recipe() const {
        core::Recipe recipe = m_bench.recipe();
        recipe.maxSteps = 4;
        recipe.batchSize = 4;
        recipe.microBatchTokens = 64;  // several micro-batches a step
        recipe.samplePrompts = 1;
        recipe.sampleMaxNewTokens = 3;
        recipe.weightDecay = 0.01;
        recipe.checkpointEvery = 2;
        recipe.keepBest = false;
        recipe.validationFraction = 0.05;
        GetParam().change(recipe);
        return recipe;
    }

    // Runs on the device; a run that an op is missing for skips the test by the op's name.
    bool train(const core::RunFolder& run, test::Sitting sitting = {}) const {
        sitting.device = kGpu;
        try {
            m_bench.train(run, sitting);
            return true;
        } catch (const Error& error) {
            if (error.code() != ErrorCode::Unsupported) throw;
            skip(error);
            return false;
        }
    }
    static void skip(const Error& error) { GTEST_SKIP() << error.what(); }

    static float lossOf(const RunRecord& record, int64_t step) {
        return std::bit_cast<float>(record.lossBits.at(step).front());
    }

    test::TrainingBench m_bench;
};

INSTANTIATE_TEST_SUITE_P(Recipes, DeviceTrainingTest,
                         testing::Values(DeviceCase{"full", [](core::Recipe&) {}}, DeviceCase{"fullBf16", asBf16},
                                         DeviceCase{"lora", asLora},
                                         DeviceCase{"loraBf16",
                                                    [](core::Recipe& recipe) {
                                                        asLora(recipe);
                                                        asBf16(recipe);
                                                    }},
                                         DeviceCase{"dora", asDora}, DeviceCase{"onEightBits", onEightBits},
                                         DeviceCase{"recomputing", recomputing}),
                         [](const auto& test) { return test.param.name; });

TEST_P(DeviceTrainingTest, lossesAreThoseOfTheCpu) {
    const core::RunFolder device = m_bench.create(recipe());
    if (!train(device)) return;
    const core::RunFolder host = m_bench.create(recipe());
    m_bench.train(host);
    const RunRecord found = recordOf(device);
    const RunRecord expected = recordOf(host);
    ASSERT_EQ(found.lossBits.size(), expected.lossBits.size());
    // The first step differs by roundings alone: of F32 sums over the vocabulary, or of BF16 activations, of which a
    // mean over a hundred tokens keeps a tenth. Then weights differ, too: where a gradient is all rounding Adam goes a
    // whole step in its direction.
    const double first = recipe().dtype == DType::F32 ? 0x1p-23 * 16 : 0x1p-8 / 4;
    const double later = recipe().dtype == DType::F32 ? 1e-3 : 1e-2;
    for (int64_t step = 1; step <= 4; ++step) {
        const double wanted = lossOf(expected, step);
        fmt::print("step {}: {} on the device, {} on the CPU\n", step, lossOf(found, step), wanted);
        EXPECT_NEAR(lossOf(found, step), wanted, (step == 1 ? first : later) * wanted) << step;
    }
    EXPECT_LT(lossOf(found, 4), lossOf(found, 1));
    EXPECT_EQ(found.checkpoints, expected.checkpoints);
    EXPECT_EQ(found.evaluations.size(), expected.evaluations.size());
    EXPECT_EQ(found.samples.size(), expected.samples.size());
    EXPECT_TRUE(found.warnings.empty());
    ASSERT_TRUE(found.finished.has_value());
}

TEST_P(DeviceTrainingTest, runsRepeatAndResumeBitForBit) {
    const core::RunFolder reference = m_bench.create(recipe());
    if (!train(reference)) return;
    const core::RunFolder again = m_bench.create(recipe());
    train(again);
    test::expectSameComputation(recordOf(reference), recordOf(again));
    const core::RunFolder crashed = m_bench.create(recipe());
    EXPECT_THROW(train(crashed, {.crashAfterStep = 3}), test::CrashForTest);
    train(crashed);
    EXPECT_GT(recordOf(crashed).repeatedSteps(), 0);
    test::expectSameComputation(recordOf(reference), recordOf(crashed));
}

TEST_P(DeviceTrainingTest, aCheckpointOfTheDeviceIsOneOfTheCpu) {
    const core::RunFolder run = m_bench.create(recipe());
    if (!train(run)) return;
    const TrainingSetup setup = prepareTraining(run.recipe(), 1);
    const auto load = [&](kernels::Runtime& runtime) {
        TuningModel tuning(runtime.context(), setup.config, &*setup.source, setup.recipe);
        loadCheckpoint(run.checkpointsPath() / core::checkpointName(4), tuning);
        return std::pair{tuning.weightHash(), core::hashTensors(runtime.context(), tuning.optimizerTensors())};
    };
    kernels::Runtime host = test::trainingRuntime();
    kernels::Runtime device = test::trainingRuntime(kGpu);
    const auto onHost = load(host);
    EXPECT_EQ(onHost, load(device));
    EXPECT_EQ(onHost.first, recordOf(run).finished->weightHash);
}

TEST_P(DeviceTrainingTest, plannedPeakIsTheMeasuredOne) {
    const core::RunFolder run = m_bench.create(recipe());
    if (!train(run)) return;
    const MemoryPlan plan = planMemory(prepareTraining(run.recipe(), 1), kGpu, 1);
    EXPECT_EQ(plan.peakBytes, recordOf(run).finished->peakBytes);
    EXPECT_GT(plan.availableBytes, plan.peakBytes);
    EXPECT_TRUE(plan.fits);
}

// The one who waits is who asks for a result; two steps are under way before.
TEST_P(DeviceTrainingTest, nothingWaitsInsideAStep) {
    if (!kernels::testing::emulatedWaits())
        GTEST_SKIP() << "only the emulated device counts how often it is waited for";
    const TrainingSetup setup = prepareTraining(recipe(), 1);
    kernels::Runtime runtime = test::trainingRuntime(kGpu);
    try {
        TuningModel tuning(runtime.context(), setup.config, &*setup.source, setup.recipe);
        const SequenceSet& train = setup.data.prepared.train;
        const BatchPlan plan = planEpoch(train, setup.packing, 0);
        StepQueue steps(tuning);
        steps.start(train, plan.steps[0], {.learningRate = 1e-3F, .step = 1});
        const StepResult first = steps.finish();
        EXPECT_TRUE(first.wasApplied);
        const int64_t before = *kernels::testing::emulatedWaits();
        steps.start(train, plan.steps[1], {.learningRate = 1e-3F, .step = 2});
        steps.start(train, plan.steps[2], {.learningRate = 1e-3F, .step = 3});
        EXPECT_EQ(*kernels::testing::emulatedWaits(), before);
        EXPECT_TRUE(steps.finish().wasApplied);
        EXPECT_TRUE(steps.finish().wasApplied);
    } catch (const Error& error) {
        if (error.code() != ErrorCode::Unsupported) throw;
        skip(error);
    }
}

TEST_P(DeviceTrainingTest, aStepThatIsNotFiniteNeverReachesTheWeights) {
    const TrainingSetup setup = prepareTraining(recipe(), 1);
    kernels::Runtime runtime = test::trainingRuntime(kGpu);
    try {
        TuningModel tuning(runtime.context(), setup.config, &*setup.source, setup.recipe);
        const SequenceSet& train = setup.data.prepared.train;
        const BatchPlan plan = planEpoch(train, setup.packing, 0);
        runStep(tuning, train, plan.steps[0], {.learningRate = 1e-3F, .step = 1});
        const core::NamedTensor broken = tuning.trainedTensors().front();
        const std::vector<float> good = core::toFloats(runtime.context(), broken.tensor);
        std::vector<float> bad = good;
        std::ranges::fill(bad, std::numeric_limits<float>::quiet_NaN());
        core::assignFloats(runtime.context(), broken.tensor, bad);
        const auto hashes = [&] {
            return std::pair{tuning.weightHash(), core::hashTensors(runtime.context(), tuning.optimizerTensors())};
        };
        const auto before = hashes();
        EXPECT_FALSE(runStep(tuning, train, plan.steps[1], {.learningRate = 1e-3F, .step = 2}).wasApplied);
        EXPECT_EQ(hashes(), before);
        core::assignFloats(runtime.context(), broken.tensor, good);
        // What an adapter derives from its weights was derived from the broken ones.
        if (tuning.adapter() != nullptr) tuning.adapter()->refresh(runtime.context());
        EXPECT_TRUE(runStep(tuning, train, plan.steps[1], {.learningRate = 1e-3F, .step = 3}).wasApplied);
    } catch (const Error& error) {
        if (error.code() != ErrorCode::Unsupported) throw;
        skip(error);
    }
}

}  // namespace
}  // namespace wb::training
