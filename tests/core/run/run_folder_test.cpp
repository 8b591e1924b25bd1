// SPDX-License-Identifier: Apache-2.0
#include "core/run/run_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <set>

#include "core/run/events.h"
#include "kernels/base/error.h"
#include "tests/support/temporary_folder.h"

namespace wb::core {
namespace {

using test::TemporaryFolder;
using testing::HasSubstr;

template <class Call>
std::string errorOf(const Call& call) {
    try {
        call();
    } catch (const Error& error) {
        return std::string(errorCodeName(error.code())) + ": " + error.what();
    }
    return "no error";
}

Recipe someRecipe() {
    Recipe recipe;
    recipe.model = "pocket";
    recipe.data = "facts.jsonl";
    return recipe;
}

// A process that takes the run's lock and then sleeps until it is killed.
class Holder {
public:
    explicit Holder(const RunFolder& run) {
        int ready[2];
        if (::pipe(ready) != 0) return;
        m_pid = ::fork();
        if (m_pid == 0) {
            std::signal(SIGTERM, SIG_DFL);
            ::alarm(30);  // a signal that never comes must fail the test, not hang it
            const RunLock lock(run);
            (void)!::write(ready[1], "x", 1);
            while (true) ::pause();
        }
        char byte = 0;
        (void)!::read(ready[0], &byte, 1);
        ::close(ready[0]);
        ::close(ready[1]);
    }
    ~Holder() { end(SIGKILL); }

    pid_t pid() const { return m_pid; }
    int end(int signalNumber) {
        if (m_pid <= 0) return 0;
        if (signalNumber != 0) ::kill(m_pid, signalNumber);
        int status = 0;
        ::waitpid(m_pid, &status, 0);
        m_pid = 0;
        return status;
    }

private:
    pid_t m_pid = 0;
};

TEST(RunFolder, createsTheWholeLayout) {
    const TemporaryFolder library;
    const RunFolder run = RunFolder::create(library.path(), someRecipe());
    EXPECT_EQ(run.path().parent_path(), library / "runs");
    for (const auto& path : {run.checkpointsPath(), run.samplesPath(), run.exportsPath()}) {
        EXPECT_TRUE(std::filesystem::is_directory(path)) << path;
    }
    EXPECT_EQ(run.recipe(), someRecipe());
    EXPECT_EQ(run.state(), RunState::Created);
    EXPECT_FALSE(run.owner().has_value());
}

TEST(RunFolder, idsAreUniqueAndSortByTime) {
    const TemporaryFolder library;
    std::set<std::string> ids;
    for (int i = 0; i < 50; ++i) ids.insert(RunFolder::create(library.path(), {}).id());
    EXPECT_EQ(ids.size(), 50U);
    EXPECT_EQ(RunFolder::list(library.path()).size(), 50U);
    EXPECT_EQ(ids.begin()->size(), 20U);
}

TEST(RunFolder, findsByIdByPartByPathAndLast) {
    const TemporaryFolder library;
    const RunFolder run = RunFolder::create(library.path(), {});
    std::filesystem::copy(run.path(), library / "runs/19990101-000000-aaaa", std::filesystem::copy_options::recursive);
    std::filesystem::copy(run.path(), library / "runs/19990101-000000-bbbb", std::filesystem::copy_options::recursive);
    const auto find = [&](const std::string& name) { return RunFolder::find(library.path(), name).id(); };
    EXPECT_EQ(find(run.id()), run.id());
    EXPECT_EQ(find("aaaa"), "19990101-000000-aaaa");
    EXPECT_EQ(find(run.id().substr(0, 8)), run.id());
    EXPECT_EQ(find(run.path().string()), run.id());
    EXPECT_EQ(find(run.path().string() + "/"), run.id());
    EXPECT_EQ(find("last"), run.id());
    EXPECT_THAT(errorOf([&] { find("19990101"); }), HasSubstr("invalid_argument: '19990101' could be several runs"));
    EXPECT_THAT(errorOf([&] { find("zzz"); }), HasSubstr("not_found: no run 'zzz' in"));
    EXPECT_THAT(errorOf([&] { find("zzz"); }), HasSubstr(run.id()));
    EXPECT_THAT(errorOf([&] { find("/no/such"); }), HasSubstr("not_found: /no/such is no run folder"));
    EXPECT_THAT(errorOf([&] { find(""); }), HasSubstr("invalid_argument: no run given"));
}

TEST(RunFolder, emptyLibrarySaysSo) {
    const TemporaryFolder library;
    EXPECT_TRUE(RunFolder::list(library.path()).empty());
    EXPECT_THAT(errorOf([&] { RunFolder::find(library.path(), "last"); }), HasSubstr("there are no runs yet"));
}

TEST(RunFolder, lastEventDecidesTheStateOfAnEndedRun) {
    const std::vector<std::pair<EventBody, RunState>> cases{
        {RunStarted{}, RunState::Interrupted},
        {StepDone{.step = 1}, RunState::Interrupted},
        {StateChanged{.state = "paused"}, RunState::Interrupted},
        {ErrorRaised{.code = "io"}, RunState::Failed},
        {RunFinished{.reason = "completed"}, RunState::Finished},
        {RunFinished{.reason = "early_stopped"}, RunState::Finished},
        {RunFinished{.reason = "stopped"}, RunState::Stopped},
    };
    const TemporaryFolder library;
    const RunFolder run = RunFolder::create(library.path(), {});
    for (const auto& [body, state] : cases) {
        EventWriter(run.eventsPath()).write(body);
        EXPECT_EQ(runStateName(run.state()), runStateName(state)) << eventName(body);
    }
    // Resumed after all of these, and killed again.
    EventWriter(run.eventsPath()).write(RunStarted{});
    test::appendText(run.eventsPath(), "{\"event\":\"run_fin");
    EXPECT_EQ(run.state(), RunState::Interrupted);
}

TEST(RunFolder, stateIsFoundBehindALargeKernelTable) {
    const TemporaryFolder library;
    const RunFolder run = RunFolder::create(library.path(), {});
    EventWriter writer(run.eventsPath());
    writer.write(RunStarted{});
    for (int i = 0; i < 100; ++i) writer.write(KernelsReported{.rows = std::vector<KernelRow>(50)});
    EXPECT_EQ(run.state(), RunState::Interrupted);
    writer.write(RunFinished{});
    EXPECT_EQ(run.state(), RunState::Finished);
}

TEST(RunFolder, isRunningWhileAProcessHoldsItAndInterruptedOnceItIsKilled) {
    const TemporaryFolder library;
    const RunFolder run = RunFolder::create(library.path(), {});
    EventWriter(run.eventsPath()).write(RunStarted{});
    Holder holder(run);
    EXPECT_EQ(run.state(), RunState::Running);
    ASSERT_TRUE(run.owner().has_value());
    EXPECT_EQ(run.owner()->pid, holder.pid());
    EventWriter(run.eventsPath()).write(StateChanged{.state = "paused"});
    EXPECT_EQ(run.state(), RunState::Paused);
    EventWriter(run.eventsPath()).write(StateChanged{.state = "running"});
    EXPECT_EQ(run.state(), RunState::Running);
    holder.end(SIGKILL);
    EXPECT_EQ(run.state(), RunState::Interrupted);
    EXPECT_FALSE(run.owner().has_value());
}

TEST(RunFolder, secondProcessIsLockedOutByName) {
    const TemporaryFolder library;
    const RunFolder run = RunFolder::create(library.path(), {});
    Holder holder(run);
    const std::string error = errorOf([&] { RunLock lock(run); });
    EXPECT_THAT(error, HasSubstr("invalid_argument: run " + run.id() + " is in use by process " +
                                 std::to_string(holder.pid())));
    holder.end(SIGKILL);
    EXPECT_EQ(errorOf([&] { RunLock lock(run); }), "no error");
}

TEST(RunFolder, lookingAtARunNeverKeepsATrainerOut) {
    const TemporaryFolder library;
    const RunFolder run = RunFolder::create(library.path(), {});
    { const RunLock lock(run); }
    const pid_t looker = ::fork();
    if (looker == 0) {
        while (true) (void)run.state();
    }
    int refused = 0;
    for (int i = 0; i < 300; ++i) refused += errorOf([&] { RunLock lock(run); }) == "no error" ? 0 : 1;
    ::kill(looker, SIGKILL);
    ::waitpid(looker, nullptr, 0);
    EXPECT_EQ(refused, 0);
}

TEST(RunFolder, requestsReachTheProcessAndOldOnesDoNot) {
    const TemporaryFolder library;
    const RunFolder run = RunFolder::create(library.path(), {});
    EXPECT_THAT(errorOf([&] { run.requestPause(); }), HasSubstr("is created: no process is at work on it"));
    EXPECT_EQ(run.control(), RunControl::None);
    {
        const RunLock lock(run);
        run.requestPause();
        EXPECT_EQ(run.control(), RunControl::Pause);
        run.requestResume();
        EXPECT_EQ(run.control(), RunControl::Resume);
        run.clearControl();
        EXPECT_EQ(run.control(), RunControl::None);
        run.requestPause();
    }
    const RunLock next(run);
    EXPECT_EQ(run.control(), RunControl::None);
}

TEST(RunFolder, stopAlsoSignalsTheProcess) {
    const TemporaryFolder library;
    const RunFolder run = RunFolder::create(library.path(), {});
    Holder holder(run);
    run.requestStop();
    EXPECT_EQ(run.control(), RunControl::Stop);
    const int status = holder.end(0);
    EXPECT_TRUE(WIFSIGNALED(status));
    EXPECT_EQ(WTERMSIG(status), SIGTERM);
}

TEST(RunFolder, strangeControlFileIsNoRequest) {
    const TemporaryFolder library;
    const RunFolder run = RunFolder::create(library.path(), {});
    for (const std::string text : {"", "stopp\n", "\n", "PAUSE", std::string(5000, 'x').c_str()}) {
        test::writeText(run.path() / "control", text);
        EXPECT_EQ(run.control(), RunControl::None) << text.substr(0, 10);
    }
}

}  // namespace
}  // namespace wb::core
