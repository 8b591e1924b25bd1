// SPDX-License-Identifier: Apache-2.0
// An engine that waits for the next request uses no processor: neither timers nor threads of the kernels that spin.
#include <gtest/gtest.h>

#include <cstdlib>
#include <thread>

#include "core/run/protocol.h"
#include "tests/app/whet_child.h"
#include "tests/support/idle_time.h"

namespace wb {
namespace {

TEST(IdleEngine, usesNoProcessorAfterAnAnswer) {
    // As users start it: the other tests tell OpenMP not to spin.
    ::unsetenv("OMP_WAIT_POLICY");
    const test::TemporaryFolder library;
    test::WhetChild engine({"engine", "--stdio", "--library", library.path().string()});
    core::CompareRequest request;
    request.panes = {{"base", "pocket", ""}};
    request.prompt.text = "Once upon a time there was";
    request.settings.maxNewTokens = 16;
    ASSERT_TRUE(engine.send(core::toJsonLine(core::Request{"1", request}) + "\n"));
    bool hasAnswered = false;
    while (!hasAnswered) {
        const auto line = engine.readLine();
        ASSERT_TRUE(line) << engine.log();
        const core::Reply reply = core::parseReply(*line);
        ASSERT_FALSE(std::holds_alternative<core::ErrorReply>(reply.body)) << *line;
        hasAnswered = std::holds_alternative<core::FinishedReply>(reply.body);
    }
    ASSERT_GT(test::cpuTicks(engine.pid()), 0);
    const int64_t ticks =
        test::idleTicks(engine.pid(), [](std::chrono::milliseconds time) { std::this_thread::sleep_for(time); });
    RecordProperty("ticks", static_cast<int>(ticks));
    EXPECT_GE(ticks, 0) << "the engine is gone: " << engine.log();
    EXPECT_LE(ticks, test::allowedIdleTicks()) << "in " << test::idleSeconds() << " s";
    engine.closeInput();
    EXPECT_EQ(engine.wait(), 0);
}

}  // namespace
}  // namespace wb
