// SPDX-License-Identifier: Apache-2.0
// Every architecture in training: a few steps of full and adapter tuning on each golden model.
#include "tests/core/model/golden_model.h"
#include "tests/training/family_bench.h"
#include "training/memory_plan.h"

#include <cmath>

namespace wb::training {
namespace {

class Families : public testing::TestWithParam<std::string> {
protected:
    void expectSoundRun(core::TuneMethod method) const {
        const core::RunFolder run = m_bench.create(m_bench.recipe(method));
        const MemoryPlan plan = planMemory(prepareTraining(run.recipe(), 1), Device{}, 1);
        const TrainOutcome outcome = test::trainRun(run);
        EXPECT_EQ(outcome.reason, "completed");
        EXPECT_EQ(outcome.steps, 3);
        EXPECT_TRUE(std::isfinite(outcome.bestLoss));
        const auto peak = static_cast<double>(outcome.peakBytes);
        EXPECT_LE(std::abs(static_cast<double>(plan.peakBytes) - peak), 0.02 * peak);
        ASSERT_TRUE(outcome.certificate.has_value());
        EXPECT_TRUE(outcome.certificate->isOk) << "largest error " << outcome.certificate->maxLogitError;
        const test::RunRecord record = test::recordOf(run);
        EXPECT_THAT(record.warnings, testing::IsEmpty()) << "no step was left out";
        ASSERT_EQ(record.evaluations.size(), 2U);
        EXPECT_NE(record.evaluations.begin()->second, record.evaluations.rbegin()->second) << "training changes it";
    }

    test::FamilyBench m_bench{GetParam()};
};

TEST_P(Families, allWeightsTune) {
    expectSoundRun(core::TuneMethod::Full);
}

TEST_P(Families, adaptersTune) {
    expectSoundRun(core::TuneMethod::Lora);
}

INSTANTIATE_TEST_SUITE_P(Golden, Families, testing::ValuesIn(test::GoldenModel::names()),
                         [](const auto& test) { return test.param; });

}  // namespace
}  // namespace wb::training
