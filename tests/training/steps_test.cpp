// SPDX-License-Identifier: Apache-2.0
#include "training/steps.h"

#include "core/model/weights.h"
#include "inference/scoring.h"
#include "tests/training/training_fixture.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace wb::training {
namespace {

// The tiny model with the rows of the bench, ready for single steps.
class StepsTest : public testing::Test {
protected:
    std::unique_ptr<TuningModel> tuning(const core::Recipe& recipe) {
        return std::make_unique<TuningModel>(m_runtime.context(), m_setup.config, &*m_setup.source, recipe);
    }
    StepPlan stepPlan(int64_t maxTokens, int64_t batchSize = 8) const {
        return planEpoch(train(), {.batchSize = batchSize, .maxTokens = maxTokens, .seed = 1}, 0).steps.front();
    }
    const SequenceSet& train() const { return m_setup.data.prepared.train; }

    static std::vector<float> flat(TuningModel& tuning) {
        std::vector<float> all;
        for (const core::NamedTensor& tensor : tuning.trainedTensors()) {
            const std::vector<float> values = core::toFloats(tuning.context(), tensor.tensor);
            all.insert(all.end(), values.begin(), values.end());
        }
        return all;
    }

    // All parameters' gradients after one accumulated step, read before the update clears them.
    static std::vector<float> gradientNow(TuningModel& tuning) {
        std::vector<float> all;
        for (core::Parameter* parameter : tuning.optimizer().parameters()) {
            const std::vector<float> values =
                core::toFloats(tuning.context(), core::gradientSum(tuning.context(), *parameter));
            all.insert(all.end(), values.begin(), values.end());
        }
        return all;
    }

    test::TrainingBench m_bench;
    kernels::Runtime m_runtime = test::trainingRuntime();
    TrainingSetup m_setup = prepareTraining(m_bench.recipe(), 1);
};

TEST_F(StepsTest, aStepIsTheSameInOneOrManyMicroBatches) {
    for (const core::Recipe& recipe : {m_bench.recipe(), [this] {
                                           core::Recipe lora = m_bench.loraRecipe();
                                           lora.loraDropout = 0;  // draws depend on the rows of a micro-batch
                                           return lora;
                                       }()}) {
        const auto whole = tuning(recipe);
        const auto parts = tuning(recipe);
        const StepPlan one = stepPlan(4096);
        const StepPlan many = stepPlan(train().longest());
        ASSERT_EQ(one.microBatches.size(), 1U);
        ASSERT_GE(many.microBatches.size(), 4U);
        ASSERT_EQ(one.labelTokens, many.labelTokens);
        for (int64_t step = 1; step <= 3; ++step) {
            const StepOptions options{.learningRate = 1e-3F, .step = step};
            const StepResult a = runStep(*whole, train(), one, options);
            const StepResult b = runStep(*parts, train(), many, options);
            EXPECT_EQ(a.tokens, b.tokens);
            EXPECT_EQ(a.labelTokens, b.labelTokens);
            // Rounding of a mean over some hundred terms; later steps start from weights that differ by it.
            EXPECT_NEAR(a.loss, b.loss, 1e-6F * a.loss);
            EXPECT_NEAR(a.gradNorm, b.gradNorm, 1e-5F * a.gradNorm);
        }
        const std::vector<float> weightsA = flat(*whole);
        const std::vector<float> weightsB = flat(*parts);
        size_t moved = 0;
        const std::vector<float> start = flat(*tuning(recipe));
        for (size_t i = 0; i < weightsA.size(); ++i) {
            // Where a gradient is all rounding, Adam still takes a whole step in its direction: three of 1e-3.
            ASSERT_NEAR(weightsA[i], weightsB[i], 6e-3F);
            moved += std::abs(weightsA[i] - weightsB[i]) > 1e-5F ? 1 : 0;
        }
        EXPECT_NE(weightsA, start);
        EXPECT_LT(moved, weightsA.size() / 100) << "of " << weightsA.size() << " weights";
    }
}

TEST_F(StepsTest, bf16WithMastersLearnsAsMuchAsF32) {
    // Steps so small that most of them vanish when a BF16 weight is rounded: only the F32 masters keep them.
    const auto lossAfter = [this](DType dtype, int64_t steps) {
        core::Recipe recipe = m_bench.recipe();
        recipe.dtype = dtype;
        const auto model = tuning(recipe);
        const StepPlan plan = stepPlan(4096);
        float loss = 0;
        for (int64_t step = 1; step <= steps; ++step)
            loss = runStep(*model, train(), plan, {.learningRate = 1e-4F, .step = step}).loss;
        return loss;
    };
    const float start = lossAfter(DType::F32, 1);
    const float exact = start - lossAfter(DType::F32, 60);
    const float rounded = start - lossAfter(DType::BF16, 60);
    ASSERT_GT(exact, 0.05F * start);
    EXPECT_NEAR(rounded, exact, 0.05F * exact);
}

TEST_F(StepsTest, gradientsAreDividedByTheLabelTokensOfTheWholeStep) {
    // Two rows with answers of different length, one micro-batch each. A mean of means would give another number.
    std::vector<int32_t> rows(train().size());
    for (size_t i = 0; i < rows.size(); ++i) rows[i] = static_cast<int32_t>(i);
    const auto labels = [&](int32_t row) { return train().labelTokens(static_cast<size_t>(row)); };
    const int32_t shortRow = *std::ranges::min_element(rows, {}, labels);
    const int32_t longRow = *std::ranges::max_element(rows, {}, labels);
    ASSERT_GE(labels(longRow), labels(shortRow) + 3);
    const auto planOf = [&](std::vector<std::vector<int32_t>> micros) {
        StepPlan plan;
        for (auto& examples : micros) {
            MicroBatch micro{std::move(examples), 0};
            for (const int32_t row : micro.examples) {
                micro.tokens += train().length(static_cast<size_t>(row));
                plan.labelTokens += labels(row);
            }
            plan.examples += static_cast<int64_t>(micro.examples.size());
            plan.microBatches.push_back(std::move(micro));
        }
        return plan;
    };
    const auto lossOf = [&](std::vector<std::vector<int32_t>> micros) {
        return runStep(*tuning(m_bench.recipe()), train(), planOf(std::move(micros)), {.learningRate = 0.0F});
    };
    const auto n = static_cast<double>(labels(shortRow));
    const auto m = static_cast<double>(labels(longRow));
    const double lossShort = lossOf({{shortRow}}).loss;
    const double lossLong = lossOf({{longRow}}).loss;
    const double expected = (n * lossShort + m * lossLong) / (n + m);
    const StepResult apart = lossOf({{shortRow}, {longRow}});
    const StepResult together = lossOf({{shortRow, longRow}});
    EXPECT_NEAR(apart.loss, expected, 2e-6 * expected);
    EXPECT_NEAR(together.loss, expected, 2e-6 * expected);
    EXPECT_NEAR(apart.gradNorm, together.gradNorm, 1e-5F * together.gradNorm);
    EXPECT_EQ(apart.labelTokens, labels(shortRow) + labels(longRow));
    ASSERT_GT(std::abs((lossShort + lossLong) / 2 - expected), 1e-3 * expected) << "the mean of means must differ";
}

TEST_F(StepsTest, stepLossIsTheLossThatEvaluationFinds) {
    const auto model = tuning(m_bench.recipe());
    SequenceSet rows;
    const StepPlan plan = stepPlan(4096);
    std::vector<int32_t> examples = plan.microBatches.front().examples;
    const float loss = runStep(*model, train(), plan, {.learningRate = 0.0F}).loss;
    // The same rows as a set of their own, in other micro-batches.
    const PackedBatch packed = train().pack(examples);
    for (size_t s = 0; s + 1 < packed.cuSeqlens.size(); ++s) {
        std::vector<core::TokenId> ids;
        std::vector<uint8_t> trained{0};
        for (int32_t t = packed.cuSeqlens[s]; t < packed.cuSeqlens[s + 1]; ++t) {
            ids.push_back(packed.ids[static_cast<size_t>(t)]);
            if (t + 1 < packed.cuSeqlens[s + 1]) {
                trained.push_back(packed.labels[static_cast<size_t>(t)] != kIgnoredLabel ? 1 : 0);
            }
        }
        rows.addExample(ids, trained, static_cast<int32_t>(s));
    }
    for (const int64_t budget : {rows.longest(), int64_t{4096}}) {
        const EvaluationResult result = evaluate(model->model(), m_runtime.context(), -1, rows, budget);
        EXPECT_NEAR(result.loss, loss, 1e-6F * loss);
        EXPECT_EQ(result.labelTokens, plan.labelTokens);
    }
}

TEST_F(StepsTest, evaluationIsTheMeanOfTeacherForcedLogProbs) {
    const auto model = tuning(m_bench.recipe());
    const SequenceSet& validation = m_setup.data.prepared.validation;
    double sum = 0;
    int64_t count = 0;
    int64_t correct = 0;
    for (int32_t row = 0; row < static_cast<int32_t>(validation.size()); ++row) {
        const PackedBatch one = validation.pack(std::span(&row, 1));
        const inference::SequenceScore score = inference::scoreContinuation(
            m_runtime.context(), model->model(), {}, one.ids, {.adapter = -1, .topAlternatives = 1});
        for (size_t t = 0; t < one.ids.size(); ++t) {
            if (one.labels[t] == kIgnoredLabel) continue;
            sum -= score.logprobs[t];
            correct += score.top[t].front().id == one.labels[t] ? 1 : 0;
            ++count;
        }
    }
    const EvaluationResult result = evaluate(model->model(), m_runtime.context(), -1, validation, 512);
    EXPECT_EQ(result.labelTokens, count);
    EXPECT_NEAR(result.loss, sum / static_cast<double>(count), 1e-5);
    EXPECT_DOUBLE_EQ(result.tokenAccuracy, static_cast<double>(correct) / static_cast<double>(count));
}

TEST_F(StepsTest, evaluationCanBeCancelledBetweenMicroBatches) {
    const auto model = tuning(m_bench.recipe());
    int polls = 0;
    test::errorOf(ErrorCode::Cancelled, [&] {
        evaluate(model->model(), m_runtime.context(), -1, train(), train().longest(), [&] { return ++polls == 3; });
    });
    EXPECT_EQ(polls, 3);
}

TEST_F(StepsTest, theAdapterLearnsAndTheBaseStays) {
    const auto model = tuning(m_bench.loraRecipe());
    const std::string base = core::hashTensors(m_runtime.context(), core::storedWeights(model->model()));
    const std::string adapter = model->weightHash();
    for (int64_t step = 1; step <= 3; ++step) {
        runStep(*model, train(), stepPlan(4096), {.learningRate = 1e-2F, .step = step});
    }
    EXPECT_EQ(core::hashTensors(m_runtime.context(), core::storedWeights(model->model())), base);
    EXPECT_NE(model->weightHash(), adapter);
    EXPECT_LT(model->trainableCount(), model->parameterCount() / 10);
}

TEST_F(StepsTest, dropoutDependsOnTheStepAndTheSeedAlone) {
    core::Recipe recipe = m_bench.loraRecipe();
    recipe.loraDropout = 0.5;
    const auto lossOf = [&](int64_t step, uint64_t seed) {
        const auto model = tuning(recipe);
        // One real step first: a fresh adapter adds nothing, with or without dropout.
        runStep(*model, train(), stepPlan(4096), {.learningRate = 1e-2F, .step = 1, .dropoutSeed = 9});
        return runStep(*model, train(), stepPlan(4096), {.learningRate = 0, .step = step, .dropoutSeed = seed}).loss;
    };
    EXPECT_EQ(lossOf(2, 5), lossOf(2, 5));
    EXPECT_NE(lossOf(2, 5), lossOf(3, 5));
    EXPECT_NE(lossOf(2, 5), lossOf(2, 6));
}

TEST_F(StepsTest, aRateOfZeroChangesNothing) {
    const auto model = tuning(m_bench.recipe());
    const std::string before = model->weightHash();
    EXPECT_TRUE(runStep(*model, train(), stepPlan(4096), {.learningRate = 0.0F}).wasApplied);
    EXPECT_EQ(model->weightHash(), before);
}

TEST_F(StepsTest, aStepThatIsNotFiniteLeavesWeightsAndOptimiserAlone) {
    const auto optimizerHash = [](TuningModel& model) {
        return core::hashTensors(model.context(), model.optimizerTensors());
    };
    for (const float poison :
         {std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN(), 1e30F}) {
        const auto model = tuning(m_bench.recipe());
        const auto healthy = tuning(m_bench.recipe());
        runStep(*model, train(), stepPlan(4096), {.learningRate = 1e-3F, .step = 1});
        runStep(*healthy, train(), stepPlan(4096), {.learningRate = 1e-3F, .step = 1});

        std::vector<core::NamedTensor> tensors = model->trainedTensors();
        const auto broken = std::ranges::find(tensors, "model.layers.0.mlp.down_proj.weight", &core::NamedTensor::name);
        ASSERT_NE(broken, tensors.end());
        const std::vector<float> good = core::toFloats(m_runtime.context(), broken->tensor);
        std::vector<float> bad = good;
        bad[5] = poison;
        core::assignFloats(m_runtime.context(), broken->tensor, bad);
        const std::string weights = model->weightHash();
        const std::string state = optimizerHash(*model);
        const StepResult result = runStep(*model, train(), stepPlan(4096), {.learningRate = 1e-3F, .step = 2});
        if (!result.wasApplied) {
            EXPECT_EQ(model->weightHash(), weights);
            EXPECT_EQ(optimizerHash(*model), state);
        } else {
            EXPECT_EQ(poison, 1e30F) << "only the finite one may pass";
            continue;
        }
        EXPECT_FALSE(std::isfinite(result.loss) && std::isfinite(result.gradNorm));
        for (const float gradient : gradientNow(*model))
            ASSERT_EQ(gradient, 0.0F) << "nothing leaks into the next step";

        // With the weight mended the run goes on as if nothing had been.
        core::assignFloats(m_runtime.context(), broken->tensor, good);
        const StepResult next = runStep(*model, train(), stepPlan(4096), {.learningRate = 1e-3F, .step = 2});
        const StepResult expected = runStep(*healthy, train(), stepPlan(4096), {.learningRate = 1e-3F, .step = 2});
        EXPECT_EQ(next.loss, expected.loss);
        EXPECT_EQ(model->weightHash(), healthy->weightHash());
    }
}

TEST_F(StepsTest, recomputingActivationsGivesTheSameBits) {
    for (const DType dtype : {DType::F32, DType::BF16}) {
        for (core::Recipe recipe : {m_bench.recipe(), m_bench.loraRecipe()}) {  // with dropout: the same draws again
            recipe.dtype = dtype;
            const auto plain = tuning(recipe);
            recipe.activationCheckpointing = core::ActivationCheckpointing::Selective;
            const auto selective = tuning(recipe);
            recipe.activationCheckpointing = core::ActivationCheckpointing::Full;
            const auto full = tuning(recipe);
            for (int64_t step = 1; step <= 3; ++step) {
                const StepOptions options{.learningRate = 1e-2F, .step = step, .dropoutSeed = 4};
                const StepResult expected = runStep(*plain, train(), stepPlan(200), options);
                for (TuningModel* model : {selective.get(), full.get()}) {
                    const StepResult result = runStep(*model, train(), stepPlan(200), options);
                    EXPECT_EQ(result.loss, expected.loss) << dtypeName(dtype) << step;
                    EXPECT_EQ(result.gradNorm, expected.gradNorm) << dtypeName(dtype) << step;
                    EXPECT_EQ(model->weightHash(), plain->weightHash()) << dtypeName(dtype) << step;
                }
            }
        }
    }
}

}  // namespace
}  // namespace wb::training
