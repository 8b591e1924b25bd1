// SPDX-License-Identifier: Apache-2.0
#include "kernels/runtime/step_recording.h"

#include "kernels/base/error.h"
#include "kernels/elementwise.h"
#include "kernels/runtime/op_table.h"
#include "kernels/runtime/runtime.h"
#include "tests/cuda/device_bank.h"

#include <gtest/gtest.h>
#include <array>

namespace wb::kernels {
namespace {

class StepRecordingTest : public ::testing::Test {
protected:
    static constexpr int64_t kCount = 5;
    using Values = std::array<float, kCount>;

    void SetUp() override {
        if (const std::string reason = testing::missingDevice(); !reason.empty()) GTEST_SKIP() << reason;
        m_runtime = std::make_unique<Runtime>(RuntimeOptions{.device = {DeviceType::Cuda}});
        m_out = context().allocator->allocate(sizeof(Values), MemoryOwner::Activations);
    }
    const Context& context() const { return m_runtime->context(); }

    // out = 2 changing + constant, through memory of the step.
    void body(const Context& inner, const Values& changing, const Values& constant) {
        const Buffer x = inner.allocator->allocate(sizeof(Values), MemoryOwner::Activations);
        const Shape shape{kCount};
        inner.ops->copyFromHost(inner, m_out.data(), constant.data(), sizeof(Values));
        inner.ops->copyFromHost(inner, x.data(), changing.data(), sizeof(Values));
        scale(inner, {.x = {x.data(), DType::F32, shape},
                      .out = {m_out.data(), DType::F32, shape},
                      .factor = 2,
                      .accumulates = true});
    }
    Values result() const {
        Values values{};
        context().ops->copyToHost(context(), values.data(), m_out.data(), sizeof(Values));
        return values;
    }

    std::unique_ptr<Runtime> m_runtime;
    Buffer m_out;
};

TEST_F(StepRecordingTest, RunsReadWhatChangesAndNothingElse) {
    Values changing{1, 2, 3, 4, 5};
    Values constant{10, 10, 10, 10, 10};
    const std::unique_ptr<RecordedStep> step = RecordedStep::make(context());
    ASSERT_NE(step, nullptr);
    const std::array<HostArray, 1> arrays{HostArray{changing.data(), sizeof(Values)}};
    ASSERT_TRUE(step->record(arrays, [&](const Context& inner) { body(inner, changing, constant); }));
    constant.fill(0);
    step->run();
    EXPECT_EQ(result(), (Values{12, 14, 16, 18, 20}));
    changing = {0, 0, 1, 0, 0};
    step->run();
    changing.fill(99);  // a run that was started has read them
    EXPECT_EQ(result(), (Values{10, 10, 12, 10, 10}));
}

TEST_F(StepRecordingTest, AStepThatWaitsForTheDeviceIsRefused) {
    const Values changing{1, 2, 3, 4, 5};
    const Values constant{};
    {
        const std::unique_ptr<RecordedStep> step = RecordedStep::make(context());
        ASSERT_NE(step, nullptr);
        Values read{};
        EXPECT_FALSE(step->record({}, [&](const Context& inner) {
            body(inner, changing, constant);
            inner.ops->copyToHost(inner, read.data(), m_out.data(), sizeof(Values));
        }));
    }
    body(context(), changing, constant);
    EXPECT_EQ(result(), (Values{2, 4, 6, 8, 10})) << "the device goes on";
}

TEST_F(StepRecordingTest, ErrorsOfTheBodyPass) {
    const std::unique_ptr<RecordedStep> step = RecordedStep::make(context());
    ASSERT_NE(step, nullptr);
    EXPECT_THROW(step->record({}, [](const Context&) { throw Error{ErrorCode::InvalidArgument, "no"}; }), Error);
    context().ops->synchronize(context());
}

TEST_F(StepRecordingTest, OtherDevicesRecordNothing) {
    const Runtime cpu({});
    EXPECT_EQ(RecordedStep::make(cpu.context()), nullptr);
    m_runtime->profiler().setEnabled(true);
    EXPECT_EQ(RecordedStep::make(context()), nullptr) << "timed ops run one by one";
}

}  // namespace
}  // namespace wb::kernels
