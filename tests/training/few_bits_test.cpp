// SPDX-License-Identifier: Apache-2.0
// Training that keeps less: moments of the optimiser in eight bits, a frozen base in NF4.
#include "tests/training/training_fixture.h"
#include "training/memory_plan.h"
#include "training/tuning_model.h"

#include <fmt/format.h>
#include <bit>
#include <cmath>

namespace wb::training {
namespace {

struct FewBitsCase {
    const char* name;
    core::TuneMethod method;
    DType dtype;
    core::OptimizerKind optimizer;
    core::BaseWeights base;
};

// Hidden 64: rows of whole NF4 blocks, and matrices large enough for moments of eight bits.
class FewBitsTest : public testing::TestWithParam<FewBitsCase> {
protected:
    core::Recipe recipe() const {
        const FewBitsCase& c = GetParam();
        core::Recipe recipe = c.method == core::TuneMethod::Lora ? m_bench.loraRecipe() : m_bench.recipe();
        recipe.dtype = c.dtype;
        recipe.optimizer = c.optimizer;
        recipe.baseDtype = c.base;
        recipe.checkpointEvery = 3;
        recipe.weightDecay = 0.01;
        return recipe;
    }
    test::TrainingBench m_bench{64};
};

INSTANTIATE_TEST_SUITE_P(Recipes, FewBitsTest,
                         testing::Values(FewBitsCase{"full8bitMoments", core::TuneMethod::Full, DType::F32,
                                                     core::OptimizerKind::AdamW8bit, core::BaseWeights::AsComputed},
                                         FewBitsCase{"fullBf16With8bitMoments", core::TuneMethod::Full, DType::BF16,
                                                     core::OptimizerKind::AdamW8bit, core::BaseWeights::AsComputed},
                                         FewBitsCase{"loraOnNf4", core::TuneMethod::Lora, DType::F32,
                                                     core::OptimizerKind::AdamW, core::BaseWeights::Nf4},
                                         FewBitsCase{"loraBf16OnNf4With8bitMoments", core::TuneMethod::Lora,
                                                     DType::BF16, core::OptimizerKind::AdamW8bit,
                                                     core::BaseWeights::Nf4}),
                         [](const auto& test) { return test.param.name; });

TEST_P(FewBitsTest, plannedPeakIsTheMeasuredOne) {
    const core::RunFolder run = m_bench.create(recipe());
    const MemoryPlan plan = planMemory(prepareTraining(run.recipe(), 1), Device{}, 1);
    EXPECT_EQ(plan.peakBytes, m_bench.train(run).peakBytes);
}

TEST_P(FewBitsTest, killedAndResumedGivesTheSameBits) {
    const core::RunFolder reference = m_bench.create(recipe());
    m_bench.train(reference);
    for (const int64_t step : {4, 11}) {
        const core::RunFolder run = m_bench.create(recipe());
        EXPECT_THROW(m_bench.train(run, {.crashAfterStep = step}), test::CrashForTest);
        m_bench.train(run);
        test::expectSameComputation(test::recordOf(reference), test::recordOf(run));
    }
}

class FewBits : public testing::Test {
protected:
    // Loss of the last evaluation of a run, which goes into `record`.
    float trainedLoss(const core::Recipe& recipe, test::RunRecord* record = nullptr) {
        const core::RunFolder run = m_bench.create(recipe);
        m_bench.train(run);
        const test::RunRecord made = test::recordOf(run);
        if (record != nullptr) *record = made;
        return std::bit_cast<float>(made.evaluations.rbegin()->second.front());
    }
    int64_t optimizerBytes(const core::Recipe& recipe) {
        const MemoryPlan plan = planMemory(prepareTraining(recipe, 1), Device{}, 1);
        return plan.byOwner[static_cast<size_t>(kernels::MemoryOwner::Optimizer)];
    }
    test::TrainingBench m_bench{64};
};

// Rounding moves a moment by at most a twentieth in the coarsest decades and by 0.7 % in the last one, to either side:
// over a matrix that averages out, and the losses were seen 0.02 % apart. Ten times as much fails.
TEST_F(FewBits, eightBitMomentsTrainAsF32MomentsDo) {
    core::Recipe recipe = m_bench.recipe();
    recipe.epochs = 6;
    recipe.earlyStopping = 0;
    recipe.learningRate = 3e-3;
    test::RunRecord wide;
    test::RunRecord narrow;
    const float expected = trainedLoss(recipe, &wide);
    recipe.optimizer = core::OptimizerKind::AdamW8bit;
    const float actual = trainedLoss(recipe, &narrow);
    const auto first = std::bit_cast<float>(wide.lossBits.begin()->second.front());
    EXPECT_LT(expected, 0.5F * first) << "it must have learnt something";
    EXPECT_NE(actual, expected) << "the moments must have been rounded";
    EXPECT_NEAR(actual, expected, 0.002F * expected);
    double worst = 0;
    for (const auto& [step, bits] : wide.lossBits) {
        const auto a = std::bit_cast<float>(bits.front());
        const auto b = std::bit_cast<float>(narrow.lossBits.at(step).front());
        worst = std::max(worst, static_cast<double>(std::abs(a - b) / a));
    }
    fmt::print("validation loss {} and {}, training losses at most {:.4f} % apart\n", expected, actual, 100 * worst);
    EXPECT_LT(worst, 0.002);
}

TEST_F(FewBits, onlyLargeMatricesHaveEightBits) {
    kernels::Runtime runtime = test::trainingRuntime();
    core::Recipe recipe = m_bench.recipe();
    recipe.optimizer = core::OptimizerKind::AdamW8bit;
    const TrainingSetup setup = prepareTraining(recipe, 1);
    TuningModel tuning(runtime.context(), setup.config, &*setup.source, recipe);
    std::map<std::string, DType> types;
    for (const core::NamedTensor& state : tuning.optimizerTensors()) types[state.name] = state.tensor.dtype();
    EXPECT_EQ(types.at("model.layers.0.self_attn.q_proj.weight.m"), DType::I8);
    EXPECT_EQ(types.at("model.layers.0.self_attn.q_proj.weight.v"), DType::U8);
    EXPECT_EQ(types.at("model.layers.0.self_attn.q_proj.weight.m_scale"), DType::F32);
    EXPECT_EQ(types.at("model.layers.0.self_attn.k_proj.weight.m"), DType::F32) << "2048 elements";
    EXPECT_EQ(types.at("model.layers.0.input_layernorm.weight.m"), DType::F32);
    EXPECT_EQ(types.at("model.embed_tokens.weight.m"), DType::F32);
    const int64_t narrow = optimizerBytes(recipe);
    recipe.optimizer = core::OptimizerKind::AdamW;
    EXPECT_LT(narrow, optimizerBytes(recipe));
}

TEST_F(FewBits, anAdapterOnNf4LearnsNearlyAsOnTheWholeBase) {
    core::Recipe recipe = m_bench.loraRecipe();
    recipe.epochs = 6;
    recipe.earlyStopping = 0;
    const float whole = trainedLoss(recipe);
    recipe.baseDtype = core::BaseWeights::Nf4;
    test::RunRecord record;
    const float rounded = trainedLoss(recipe, &record);
    EXPECT_LT(rounded, 0.9F * std::bit_cast<float>(record.lossBits.begin()->second.front()));
    EXPECT_NE(rounded, whole);
    EXPECT_NEAR(rounded, whole, 0.05F * whole);
}

}  // namespace
}  // namespace wb::training
