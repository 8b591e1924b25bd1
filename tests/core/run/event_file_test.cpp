// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "core/run/events.h"
#include "kernels/base/error.h"
#include "tests/support/temporary_folder.h"

namespace wb::core {
namespace {

using test::appendText;
using test::readText;
using test::TemporaryFolder;

EventBody step(int64_t number) {
    return StepDone{.step = number, .loss = 1.0F};
}

std::vector<int64_t> stepsOf(const std::vector<Event>& events) {
    std::vector<int64_t> steps;
    for (const Event& event : events) steps.push_back(std::get<StepDone>(event.body).step);
    return steps;
}

TEST(EventWriter, appendsAcrossReopening) {
    const TemporaryFolder folder;
    for (int64_t i = 1; i <= 3; ++i) EventWriter(folder / "e.jsonl").write(step(i));
    EXPECT_EQ(stepsOf(readEvents(folder / "e.jsonl")), (std::vector<int64_t>{1, 2, 3}));
}

TEST(EventWriter, removesATornLineOfAnyLength) {
    const TemporaryFolder folder;
    const std::string line = toJsonLine(makeEvent(step(2)));
    for (size_t length = 1; length < line.size(); length += 7) {
        const auto file = folder / std::to_string(length);
        EventWriter(file).write(step(1));
        appendText(file, line.substr(0, length));
        EventWriter(file).write(step(3));
        EventReader reader(file);
        EXPECT_EQ(stepsOf(reader.poll()), (std::vector<int64_t>{1, 3})) << length;
        EXPECT_EQ(reader.badLines(), 0);
    }
}

TEST(EventWriter, endsACompleteLineThatLacksItsNewline) {
    const TemporaryFolder folder;
    const auto file = folder / "e.jsonl";
    appendText(file, toJsonLine(makeEvent(step(1))));
    EventWriter(file).write(step(2));
    EXPECT_EQ(stepsOf(readEvents(file)), (std::vector<int64_t>{1, 2}));
}

TEST(EventWriter, removesATornLineLongerThanOneBlock) {
    const TemporaryFolder folder;
    const auto file = folder / "e.jsonl";
    EventWriter(file).write(step(1));
    appendText(file, "{\"event\":\"sample\",\"text\":\"" + std::string(700000, 'x'));
    EventWriter(file).write(step(2));
    EXPECT_EQ(stepsOf(readEvents(file)), (std::vector<int64_t>{1, 2}));
}

TEST(EventWriter, namesTheFileItCannotOpen) {
    const TemporaryFolder folder;
    try {
        EventWriter writer(folder / "missing/e.jsonl");
        FAIL() << "opened";
    } catch (const Error& error) {
        EXPECT_THAT(error.what(), testing::HasSubstr("missing/e.jsonl"));
    }
}

// A limit on the file's size stands for a full disk: the write that crosses it is cut in the middle.
TEST(EventWriter, leavesNoHalfLineOnAFullDisk) {
    const TemporaryFolder folder;
    const auto file = folder / "e.jsonl";
    const pid_t child = ::fork();
    if (child == 0) {
        std::signal(SIGXFSZ, SIG_IGN);
        const size_t lineBytes = toJsonLine(makeEvent(step(1))).size() + 1;
        const rlimit limit{lineBytes * 5 / 2, lineBytes * 5 / 2};
        ::setrlimit(RLIMIT_FSIZE, &limit);
        EventWriter writer(file);
        int written = 0;
        try {
            for (int i = 0; i < 10; ++i, ++written) writer.write(step(i));
        } catch (const Error& error) {
            ::_exit(error.code() == ErrorCode::Io ? written : 100);
        }
        ::_exit(101);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    ASSERT_TRUE(WIFEXITED(status));
    EXPECT_EQ(WEXITSTATUS(status), 2);
    EXPECT_EQ(stepsOf(readEvents(file)), (std::vector<int64_t>{0, 1}));
    EXPECT_TRUE(readText(file).ends_with('\n'));
}

TEST(EventReader, followsAFileThatAppearsAndGrows) {
    const TemporaryFolder folder;
    const auto file = folder / "e.jsonl";
    EventReader reader(file);
    EXPECT_TRUE(reader.poll().empty());
    EventWriter writer(file);
    EXPECT_TRUE(reader.poll().empty());
    writer.write(step(1));
    writer.write(step(2));
    EXPECT_EQ(stepsOf(reader.poll()), (std::vector<int64_t>{1, 2}));
    EXPECT_TRUE(reader.poll().empty());
    writer.write(step(3));
    EXPECT_EQ(stepsOf(reader.poll()), (std::vector<int64_t>{3}));
}

TEST(EventReader, waitsForTheRestOfALineByteByByte) {
    const TemporaryFolder folder;
    const auto file = folder / "e.jsonl";
    const std::string line = toJsonLine(makeEvent(step(5))) + "\n";
    EventReader reader(file);
    for (size_t i = 0; i + 1 < line.size(); ++i) {
        appendText(file, line.substr(i, 1));
        ASSERT_TRUE(reader.poll().empty()) << i;
    }
    appendText(file, "\n");
    EXPECT_EQ(stepsOf(reader.poll()), (std::vector<int64_t>{5}));
}

TEST(EventReader, losesNothingWhenATornLineIsReplacedByALongerOne) {
    const TemporaryFolder folder;
    const auto file = folder / "e.jsonl";
    EventWriter(file).write(step(1));
    EventReader reader(file);
    EXPECT_EQ(reader.poll().size(), 1U);
    appendText(file, toJsonLine(makeEvent(step(2))).substr(0, 40));
    EXPECT_TRUE(reader.poll().empty());
    EventWriter(file).write(step(3));
    EXPECT_EQ(stepsOf(reader.poll()), (std::vector<int64_t>{3}));
    EXPECT_FALSE(reader.wasRestarted());
    EXPECT_EQ(reader.badLines(), 0);
}

TEST(EventReader, givesAtMostWhatWasAskedFor) {
    const TemporaryFolder folder;
    const auto file = folder / "e.jsonl";
    EventWriter writer(file);
    for (int64_t i = 1; i <= 2000; ++i) writer.write(step(i));
    EventReader reader(file);
    std::vector<int64_t> all;
    while (true) {
        const auto part = stepsOf(reader.poll(300));
        if (part.empty()) break;
        EXPECT_LE(part.size(), 300U);
        all.insert(all.end(), part.begin(), part.end());
    }
    ASSERT_EQ(all.size(), 2000U);
    EXPECT_TRUE(std::ranges::is_sorted(all));
    EXPECT_EQ(all.back(), 2000);
}

TEST(EventReader, skipsAndCountsLinesThatAreNoEvents) {
    const TemporaryFolder folder;
    const auto file = folder / "e.jsonl";
    EventWriter writer(file);
    writer.write(step(1));
    appendText(file, "garbage\n\n{}\n" + std::string(3, '\0') + "\n");
    writer.write(step(2));
    EventReader reader(file);
    EXPECT_EQ(stepsOf(reader.poll()), (std::vector<int64_t>{1, 2}));
    EXPECT_EQ(reader.badLines(), 3);
}

TEST(EventReader, skipsALineNoEventCanHave) {
    const TemporaryFolder folder;
    const auto file = folder / "e.jsonl";
    appendText(file, std::string(size_t{17} << 20, 'x'));
    EventReader reader(file);
    EXPECT_TRUE(reader.poll().empty());
    EXPECT_GT(reader.offset(), int64_t{16} << 20) << "it is kept in memory";
    appendText(file, "\n");
    EventWriter(file).write(step(2));
    EXPECT_EQ(stepsOf(reader.poll()), (std::vector<int64_t>{2}));
    EXPECT_EQ(reader.badLines(), 1);
}

TEST(EventReader, beginsAgainWhenTheFileWasReplacedByAShorterOne) {
    const TemporaryFolder folder;
    const auto file = folder / "e.jsonl";
    {
        EventWriter writer(file);
        for (int64_t i = 1; i <= 5; ++i) writer.write(step(i));
    }
    EventReader reader(file);
    EXPECT_EQ(reader.poll().size(), 5U);
    std::filesystem::remove(file);
    EventWriter(file).write(step(9));
    EXPECT_EQ(stepsOf(reader.poll()), (std::vector<int64_t>{9}));
    EXPECT_TRUE(reader.wasRestarted());
}

TEST(EventReader, missesNothingOfAProcessThatWritesMeanwhile) {
    const TemporaryFolder folder;
    const auto file = folder / "e.jsonl";
    const pid_t child = ::fork();
    if (child == 0) {
        EventWriter writer(file);
        for (int64_t i = 1; i <= 3000; ++i) writer.write(step(i));
        ::_exit(0);
    }
    EventReader reader(file);
    std::vector<int64_t> all;
    int status = 0;
    bool isOver = false;
    while (!isOver) {
        isOver = ::waitpid(child, &status, WNOHANG) == child;
        const auto part = stepsOf(reader.poll());
        all.insert(all.end(), part.begin(), part.end());
    }
    ASSERT_EQ(all.size(), 3000U);
    for (size_t i = 0; i < all.size(); ++i) ASSERT_EQ(all[i], static_cast<int64_t>(i) + 1);
    EXPECT_EQ(reader.badLines(), 0);
}

}  // namespace
}  // namespace wb::core
