// SPDX-License-Identifier: Apache-2.0
#include "core/run/checkpoint_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "core/run/atomic_file.h"
#include "core/run/sha256.h"
#include "kernels/base/error.h"
#include "tests/support/temporary_folder.h"

namespace wb::core {
namespace {

using test::readText;
using test::TemporaryFolder;
using test::writeText;
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

CheckpointInfo save(const std::filesystem::path& folder, int64_t step, const std::string& text = "weights") {
    CheckpointWriter writer(folder, step);
    writeText(writer.folder() / "model.safetensors", text);
    std::filesystem::create_directory(writer.folder() / "optimizer");
    writeText(writer.folder() / "optimizer" / "state.bin", text + " state");
    return writer.commit({{"eval_loss", "1.25"}});
}

std::vector<std::string> namesIn(const std::filesystem::path& folder) {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(folder)) names.push_back(entry.path().filename());
    std::ranges::sort(names);
    return names;
}

std::vector<int64_t> stepsIn(const std::filesystem::path& folder) {
    std::vector<int64_t> steps;
    for (const auto& checkpoint : listCheckpoints(folder)) steps.push_back(checkpoint.step);
    return steps;
}

TEST(Sha256, matchesPublishedValues) {
    EXPECT_EQ(Sha256().finish(), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    Sha256 hash;
    hash.update("a");
    hash.update("bc");
    EXPECT_EQ(hash.finish(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(Sha256, readsFilesLongerThanItsBuffer) {
    const TemporaryFolder folder;
    const std::string text(3'000'001, 'a');
    writeText(folder / "f", text);
    Sha256 hash;
    hash.update(text);
    EXPECT_EQ(sha256OfFile(folder / "f"), hash.finish());
    EXPECT_THAT(errorOf([&] { sha256OfFile(folder / "none"); }), HasSubstr("not_found"));
}

TEST(AtomicFile, replacesAndLeavesNothingElse) {
    const TemporaryFolder folder;
    writeFileAtomically(folder / "f", "one");
    writeFileAtomically(folder / "f", "two");
    EXPECT_EQ(readText(folder / "f"), "two");
    EXPECT_EQ(namesIn(folder.path()), std::vector<std::string>{"f"});
}

TEST(AtomicFile, failedWriteLeavesTheOldContent) {
    const TemporaryFolder folder;
    writeFileAtomically(folder / "f", "old");
    const pid_t child = ::fork();
    if (child == 0) {
        std::signal(SIGXFSZ, SIG_IGN);
        const rlimit limit{1000, 1000};
        ::setrlimit(RLIMIT_FSIZE, &limit);
        const std::string error = errorOf([&] { writeFileAtomically(folder / "f", std::string(5000, 'x')); });
        ::_exit(error.starts_with("io: cannot write") ? 0 : 1);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    EXPECT_EQ(status, 0);
    EXPECT_EQ(readText(folder / "f"), "old");
    EXPECT_EQ(namesIn(folder.path()), std::vector<std::string>{"f"});
}

TEST(AtomicFile, readingIsLimitedAndNamed) {
    const TemporaryFolder folder;
    writeText(folder / "f", "12345");
    EXPECT_EQ(readWholeFile(folder / "f", 5), "12345");
    EXPECT_THAT(errorOf([&] { readWholeFile(folder / "f", 4); }), HasSubstr("longer than the 4 bytes"));
    EXPECT_THAT(errorOf([&] { readWholeFile(folder / "g"); }), HasSubstr("not_found: cannot open"));
    EXPECT_THAT(errorOf([&] { readWholeFile(folder.path()); }), HasSubstr("io: cannot read"));
}

TEST(CheckpointFolder, commitMakesAVerifiedCheckpoint) {
    const TemporaryFolder folder;
    const CheckpointInfo saved = save(folder.path(), 120);
    EXPECT_EQ(saved.path, folder / "step-000120");
    EXPECT_EQ(namesIn(folder.path()), std::vector<std::string>{"step-000120"});
    const CheckpointInfo read = verifyCheckpoint(saved.path);
    EXPECT_EQ(read.step, 120);
    EXPECT_EQ(read.bytes, 7 + 13);
    EXPECT_EQ(read.attributes.at("eval_loss"), "1.25");
    EXPECT_EQ(readText(read.path / "optimizer/state.bin"), "weights state");
}

TEST(CheckpointFolder, withoutCommitNothingStays) {
    const TemporaryFolder folder;
    {
        const CheckpointWriter writer(folder.path(), 1);
        writeText(writer.folder() / "model.safetensors", "x");
        EXPECT_TRUE(listCheckpoints(folder.path()).empty());
    }
    EXPECT_TRUE(namesIn(folder.path()).empty());
}

TEST(CheckpointFolder, savingAStepAgainReplacesIt) {
    const TemporaryFolder folder;
    save(folder.path(), 5, "first");
    save(folder.path(), 5, "second");
    EXPECT_EQ(namesIn(folder.path()), std::vector<std::string>{"step-000005"});
    verifyCheckpoint(folder / "step-000005");
    EXPECT_EQ(readText(folder / "step-000005/model.safetensors"), "second");
}

TEST(CheckpointFolder, everyKindOfDamageIsNamed) {
    const TemporaryFolder folder;
    const auto path = save(folder.path(), 1).path;
    const auto file = path / "model.safetensors";
    writeText(file, "weightz");
    EXPECT_THAT(errorOf([&] { verifyCheckpoint(path); }), HasSubstr("model.safetensors: has SHA-256"));
    writeText(file, "weight");
    EXPECT_THAT(errorOf([&] { verifyCheckpoint(path); }), HasSubstr("has 6 bytes, the manifest says 7"));
    std::filesystem::remove(file);
    EXPECT_THAT(errorOf([&] { verifyCheckpoint(path); }), HasSubstr("the manifest names it, but it is not there"));
    const std::string manifest = readText(path / "manifest.json");
    for (size_t length = 0; length + 2 < manifest.size(); length += 5) {
        writeText(path / "manifest.json", manifest.substr(0, length));
        EXPECT_THAT(errorOf([&] { readCheckpoint(path); }), HasSubstr("corrupt_file")) << length;
    }
    writeText(path / "manifest.json",
              R"({"v":1,"step":1,"files":[{"name":"../../etc/passwd","bytes":1,"sha256":""}]})");
    EXPECT_THAT(errorOf([&] { verifyCheckpoint(path); }), HasSubstr("outside the checkpoint"));
    writeText(path / "manifest.json", R"({"v":2,"step":1})");
    EXPECT_THAT(errorOf([&] { verifyCheckpoint(path); }), HasSubstr("unsupported"));
    std::filesystem::remove(path / "manifest.json");
    EXPECT_THAT(errorOf([&] { verifyCheckpoint(path); }), HasSubstr("not_found"));
}

TEST(CheckpointFolder, newestThatIsWholeIsFound) {
    const TemporaryFolder folder;
    for (const int64_t step : {1, 2, 3, 10}) save(folder.path(), step);
    EXPECT_EQ(findNewestCheckpoint(folder.path()).checkpoint->step, 10);
    writeText(folder / "step-000010/model.safetensors", "weightz");
    std::filesystem::remove(folder / "step-000003/manifest.json");
    std::filesystem::create_directory(folder / "tmp-step-000011");
    std::filesystem::create_directory(folder / "step-x");
    const NewestCheckpoint newest = findNewestCheckpoint(folder.path());
    ASSERT_TRUE(newest.checkpoint.has_value());
    EXPECT_EQ(newest.checkpoint->step, 2);
    ASSERT_EQ(newest.refused.size(), 2U);
    EXPECT_THAT(newest.refused[0], HasSubstr("step-000010/model.safetensors"));
    EXPECT_THAT(newest.refused[1], HasSubstr("step-000003/manifest.json"));
    EXPECT_FALSE(findNewestCheckpoint(folder / "none").checkpoint.has_value());
}

TEST(CheckpointFolder, pruningKeepsTheNewestAndTheBest) {
    const TemporaryFolder folder;
    for (int64_t step = 1; step <= 6; ++step) save(folder.path(), step);
    std::filesystem::create_directory(folder / "tmp-step-000007");
    EXPECT_EQ(pruneCheckpoints(folder.path(), 2, 3), (std::vector<int64_t>{1, 2, 4}));
    EXPECT_EQ(stepsIn(folder.path()), (std::vector<int64_t>{3, 5, 6}));
    EXPECT_EQ(namesIn(folder.path()).size(), 3U);
    EXPECT_TRUE(pruneCheckpoints(folder.path(), 2, 3).empty());
    EXPECT_EQ(pruneCheckpoints(folder.path(), 1, std::nullopt), (std::vector<int64_t>{3, 5}));
}

// Killed at random moments while it saves, replaces and prunes: what is there is always whole.
TEST(CheckpointFolder, killedAtAnyMomentLeavesOnlyWholeCheckpoints) {
    const TemporaryFolder folder;
    save(folder.path(), 1);
    for (int trial = 0; trial < 40; ++trial) {
        const pid_t child = ::fork();
        if (child == 0) {
            for (int64_t step = 1;; step = step % 7 + 1) {
                save(folder.path(), step, std::string(20000, static_cast<char>('a' + step)));
                pruneCheckpoints(folder.path(), 3, 2);
            }
        }
        ::usleep(static_cast<useconds_t>(500 + trial * 731));
        ::kill(child, SIGKILL);
        ::waitpid(child, nullptr, 0);
        const NewestCheckpoint newest = findNewestCheckpoint(folder.path());
        ASSERT_TRUE(newest.checkpoint.has_value()) << trial;
        EXPECT_TRUE(newest.refused.empty()) << newest.refused.front();
        for (const auto& checkpoint : listCheckpoints(folder.path())) verifyCheckpoint(checkpoint.path);
    }
}

// With so many files that a removal takes its time.
TEST(CheckpointFolder, killedWhilePruningLeavesNoHalfCheckpoint) {
    const TemporaryFolder folder;
    save(folder.path(), 2);
    for (int trial = 0; trial < 15; ++trial) {
        const auto old = save(folder.path(), 1).path;
        for (int i = 0; i < 1000; ++i) writeText(old / std::to_string(i), "");
        const pid_t child = ::fork();
        if (child == 0) {
            pruneCheckpoints(folder.path(), 1, std::nullopt);
            ::_exit(0);
        }
        ::usleep(static_cast<useconds_t>(200 + trial * 400));
        ::kill(child, SIGKILL);
        ::waitpid(child, nullptr, 0);
        if (std::filesystem::exists(old)) {
            EXPECT_NO_THROW(verifyCheckpoint(old)) << trial;
        }
        pruneCheckpoints(folder.path(), 1, std::nullopt);
        EXPECT_EQ(namesIn(folder.path()), std::vector<std::string>{"step-000002"});
    }
}

}  // namespace
}  // namespace wb::core
