// SPDX-License-Identifier: Apache-2.0
#include "core/library/library.h"

#include <SQLiteCpp/SQLiteCpp.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "core/library/library_folder.h"
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

Recipe loraRecipe(const std::string& name = "") {
    Recipe recipe;
    recipe.name = name;
    recipe.model = "models/pocket";
    recipe.data = "facts.jsonl";
    return recipe;
}

void write(const RunFolder& run, const std::vector<EventBody>& bodies) {
    EventWriter writer(run.eventsPath());
    for (const EventBody& body : bodies) writer.write(body);
}

RunFolder finishedRun(const std::filesystem::path& library, const Recipe& recipe) {
    const RunFolder run = RunFolder::create(library, recipe);
    write(run, {RunStarted{.modelHash = "base", .totalSteps = 3},
                StepDone{.step = 1, .loss = 3.0F, .learningRate = 1e-4, .tokensPerSecond = 100, .stepMs = 500},
                StepDone{.step = 2, .loss = 2.0F, .tokensPerSecond = 200, .stepMs = 500},
                Evaluated{.step = 2, .loss = 1.5F, .tokenAccuracy = 0.5, .isBest = true},
                CheckpointSaved{.step = 2, .path = "checkpoints/step-000002", .isBest = true},
                StepDone{.step = 3, .loss = 1.0F, .tokensPerSecond = 300, .stepMs = 500},
                Evaluated{.step = 3, .loss = 1.75F},
                RunFinished{.steps = 3,
                            .peakBytes = 1000,
                            .weightHash = "tuned",
                            .bestStep = 2,
                            .bestLoss = 1.5,
                            .tokensPerSecond = 250,
                            .seconds = 2.0}});
    return run;
}

TEST(Library, indexTakesEverythingFromTheRunFolder) {
    const TemporaryFolder folder;
    const RunFolder run = finishedRun(folder.path(), loraRecipe());
    Library library(folder.path());
    const RunEntry entry = library.indexRun(run);
    EXPECT_EQ(entry.id, run.id());
    EXPECT_EQ(entry.title, "pocket on facts");
    EXPECT_EQ(entry.state, "finished");
    EXPECT_EQ(entry.method, "lora");
    EXPECT_EQ(entry.steps, 3);
    EXPECT_EQ(entry.totalSteps, 3);
    EXPECT_EQ(entry.bestStep, 2);
    EXPECT_EQ(entry.bestLoss, 1.5);
    EXPECT_EQ(entry.lastLoss, 1.0);
    EXPECT_EQ(entry.tokensPerSecond, 250.0);
    EXPECT_EQ(entry.seconds, 2.0);
    EXPECT_EQ(entry.peakBytes, 1000);
    EXPECT_EQ(entry.modelHash, "base");
    EXPECT_EQ(entry.weightHash, "tuned");
    EXPECT_EQ(recipeFromToml(entry.recipeToml, "r"), loraRecipe());
    EXPECT_EQ(library.run(run.id()), entry);
    EXPECT_EQ(library.runs(), std::vector{entry});
    EXPECT_EQ(readRunEntry(run), entry);
    EXPECT_FALSE(library.run("none").has_value());
}

TEST(Library, metricPointsComeByStep) {
    const TemporaryFolder folder;
    const RunFolder run = finishedRun(folder.path(), loraRecipe());
    Library library(folder.path());
    library.indexRun(run);
    const auto losses = library.metric(run.id(), "loss");
    ASSERT_EQ(losses.size(), 3U);
    EXPECT_EQ(losses[2].step, 3);
    EXPECT_EQ(losses[2].value, 1.0);
    EXPECT_GT(losses[2].time, 1e9);
    EXPECT_EQ(library.metric(run.id(), "eval_loss").size(), 2U);
    EXPECT_EQ(library.metric(run.id(), "learning_rate")[0].value, 1e-4);
    EXPECT_TRUE(library.metric(run.id(), "none").empty());
}

TEST(Library, indexGoesOnWhereItStopped) {
    const TemporaryFolder folder;
    const RunFolder run = RunFolder::create(folder.path(), loraRecipe());
    Library library(folder.path());
    EXPECT_EQ(library.indexRun(run).state, "created");
    write(run, {RunStarted{.totalSteps = 9}, StepDone{.step = 1, .loss = 5.0F}});
    EXPECT_EQ(library.indexRun(run).steps, 1);
    // What is indexed already is not read again: overwriting it goes unnoticed.
    std::string text = test::readText(run.eventsPath());
    text.replace(text.find("\"total_steps\":9"), 15, "\"total_steps\":8");
    test::writeText(run.eventsPath(), text);
    write(run, {StepDone{.step = 2, .loss = 4.0F}});
    test::appendText(run.eventsPath(), "{\"event\":\"st");
    const RunEntry entry = library.indexRun(run);
    EXPECT_EQ(entry.steps, 2);
    EXPECT_EQ(entry.totalSteps, 9);
    EXPECT_EQ(entry.state, "interrupted");
    EXPECT_EQ(library.metric(run.id(), "loss").size(), 2U);
}

TEST(Library, stepRepeatedAfterACrashIsOnePoint) {
    const TemporaryFolder folder;
    const RunFolder run = RunFolder::create(folder.path(), loraRecipe());
    write(run, {RunStarted{}, StepDone{.step = 1, .loss = 5.0F}, StepDone{.step = 2, .loss = 4.0F}, RunStarted{},
                StepDone{.step = 2, .loss = 4.0F}, StepDone{.step = 3, .loss = 3.0F}});
    Library library(folder.path());
    library.indexRun(run);
    EXPECT_EQ(library.metric(run.id(), "loss").size(), 3U);
}

TEST(Library, replacedEventsFileIsReadFromItsBeginning) {
    const TemporaryFolder folder;
    const RunFolder run = finishedRun(folder.path(), loraRecipe());
    Library library(folder.path());
    library.indexRun(run);
    std::filesystem::remove(run.eventsPath());
    write(run, {RunStarted{.totalSteps = 7}, StepDone{.step = 1, .loss = 9.0F}});
    const RunEntry entry = library.indexRun(run);
    EXPECT_EQ(entry.totalSteps, 7);
    EXPECT_EQ(entry.steps, 1);
    EXPECT_FALSE(entry.bestLoss.has_value());
    EXPECT_EQ(library.metric(run.id(), "loss").size(), 1U);
}

TEST(Library, indexAllForgetsRunsThatAreGone) {
    const TemporaryFolder folder;
    const RunFolder kept = finishedRun(folder.path(), loraRecipe());
    const RunFolder gone = finishedRun(folder.path(), loraRecipe());
    Library library(folder.path());
    EXPECT_EQ(library.indexAllRuns().size(), 2U);
    std::filesystem::remove_all(gone.path());
    EXPECT_EQ(library.indexAllRuns().size(), 1U);
    EXPECT_EQ(library.runs().front().id, kept.id());
    EXPECT_TRUE(library.metric(gone.id(), "loss").empty());
}

TEST(Library, unreadableRecipeIsAProblemOfThatRunOnly) {
    const TemporaryFolder folder;
    const RunFolder good = finishedRun(folder.path(), loraRecipe());
    const RunFolder bad = finishedRun(folder.path(), loraRecipe());
    test::writeText(bad.recipePath(), "epochs = = 3\n");
    Library library(folder.path());
    for (const RunEntry& entry : library.indexAllRuns()) {
        EXPECT_EQ(entry.problem.empty(), entry.id == good.id());
        EXPECT_EQ(entry.steps, 3);
        EXPECT_THAT(entry.problem, HasSubstr(entry.id == bad.id() ? "recipe.toml:1" : ""));
    }
    EXPECT_EQ(library.indexRun(bad), readRunEntry(bad));
}

TEST(Library, failedRunTellsItsErrorUntilItIsResumed) {
    const TemporaryFolder folder;
    const RunFolder run = RunFolder::create(folder.path(), loraRecipe());
    write(run, {RunStarted{}, ErrorRaised{.code = "io", .message = "disk full"}});
    Library library(folder.path());
    EXPECT_EQ(library.indexRun(run).problem, "disk full");
    EXPECT_EQ(library.indexRun(run).state, "failed");
    write(run, {RunStarted{}, RunFinished{}});
    EXPECT_EQ(library.indexRun(run).problem, "");
}

TEST(Library, trainedAdaptersBecomeVersions) {
    const TemporaryFolder folder;
    const RunFolder first = finishedRun(folder.path(), loraRecipe("facts"));
    std::filesystem::rename(first.path(), folder / "runs/19990101-000000-aaaa");
    const RunFolder second = finishedRun(folder.path(), loraRecipe("facts"));
    Recipe full = loraRecipe("whole");
    full.method = TuneMethod::Full;
    finishedRun(folder.path(), full);
    Library library(folder.path());
    library.indexAllRuns();
    const auto versions = library.adapters();
    ASSERT_EQ(versions.size(), 2U);
    EXPECT_EQ(versions[0].name, "facts");
    EXPECT_EQ(versions[0].version, 2);
    EXPECT_EQ(versions[0].runId, second.id());
    EXPECT_EQ(versions[0].path, (second.path() / "checkpoints/step-000002").string());
    EXPECT_EQ(versions[0].evalLoss, 1.5);
    EXPECT_EQ(versions[0].baseHash, "base");
    EXPECT_EQ(versions[1].version, 1);
    EXPECT_EQ(versions[1].state, AdapterState::Draft);
}

TEST(Library, promotingRetiresTheOneBeforeAndSurvivesIndexing) {
    const TemporaryFolder folder;
    finishedRun(folder.path(), loraRecipe("facts"));
    finishedRun(folder.path(), loraRecipe("facts"));
    finishedRun(folder.path(), loraRecipe("other"));
    Library library(folder.path());
    library.indexAllRuns();
    const auto before = library.adapters();
    library.setAdapterState(before[1].id, AdapterState::Promoted);
    library.setAdapterState(before[2].id, AdapterState::Promoted);
    library.setAdapterState(before[0].id, AdapterState::Promoted);
    library.setAdapterNote(before[0].id, "good");
    for (const RunFolder& run : RunFolder::list(folder.path())) library.indexRun(run);
    const auto after = library.adapters();
    EXPECT_EQ(after[0].state, AdapterState::Promoted);
    EXPECT_EQ(after[0].note, "good");
    EXPECT_EQ(after[1].state, AdapterState::Retired);
    EXPECT_EQ(after[2].state, AdapterState::Promoted);
    EXPECT_THAT(errorOf([&] { library.setAdapterState(999, AdapterState::Promoted); }), HasSubstr("not_found"));
    EXPECT_THAT(errorOf([&] { library.setAdapterNote(999, ""); }), HasSubstr("not_found"));
}

TEST(Library, keepsModelsDatasetsEvaluationsComparisonsAndVotes) {
    const TemporaryFolder folder;
    const ModelEntry model{.path = "/m",
                           .name = "m",
                           .architecture = "llama",
                           .dtype = "BF16",
                           .parameters = 5,
                           .bytes = int64_t{1} << 40,
                           .hash = "h",
                           .added = 1.5};
    const DatasetEntry data{
        .path = "/d", .format = "alpaca", .templateName = "plain", .rows = 4, .bytes = 9, .hash = "h", .added = 2.5};
    EvaluationEntry evaluation{
        .runId = "r", .model = "m", .adapter = "a", .data = "d", .metricsJson = "{}", .time = 3.5};
    ComparisonEntry comparison{
        .prompt = "p'; DROP TABLE votes; --", .panesJson = "[]", .settingsJson = "{}", .time = 4.5};
    VoteEntry vote{.choice = "tuned", .isBlind = true, .time = 5.5};
    {
        Library library(folder.path());
        library.putModel(model);
        library.putModel(model);
        library.putDataset(data);
        evaluation.id = library.addEvaluation(evaluation);
        comparison.id = library.addComparison(comparison);
        vote.comparison = comparison.id;
        vote.id = library.addVote(vote);
        EXPECT_THAT(errorOf([&] { library.addVote({.comparison = 77, .choice = "tie"}); }),
                    HasSubstr("invalid_argument"));
    }
    const Library library(folder.path());
    EXPECT_EQ(library.models(), std::vector{model});
    EXPECT_EQ(library.datasets(), std::vector{data});
    EXPECT_EQ(library.evaluations(), std::vector{evaluation});
    EXPECT_EQ(library.comparisons(), std::vector{comparison});
    EXPECT_EQ(library.votes(), std::vector{vote});
}

TEST(Library, rebuildGivesTheSameRunsAndKeepsWhatIsInNoFolder) {
    const TemporaryFolder folder;
    finishedRun(folder.path(), loraRecipe("facts"));
    finishedRun(folder.path(), loraRecipe("facts"));
    std::vector<RunEntry> before;
    {
        Library library(folder.path());
        before = library.indexAllRuns();
        library.addComparison({.prompt = "p"});
        library.setAdapterState(library.adapters()[0].id, AdapterState::Promoted);
    }
    SQLite::Database(folder / "library.db", SQLite::OPEN_READWRITE)
        .exec("UPDATE runs SET title = 'wrong', indexed_bytes = 1");
    const RebuildReport report = Library::rebuildFromRuns(folder.path());
    EXPECT_EQ(report.runs, 2);
    EXPECT_EQ(report.metricPoints, 2 * (3 * 4 + 2 * 2));
    EXPECT_TRUE(report.problems.empty());
    EXPECT_EQ(report.setAside, "");
    const Library library(folder.path());
    EXPECT_EQ(library.runs(), before);
    EXPECT_EQ(library.comparisons().size(), 1U);
    EXPECT_EQ(library.adapters()[0].state, AdapterState::Promoted);
}

TEST(Library, damagedFileIsNamedWithTheWayOnAndRebuilt) {
    const TemporaryFolder folder;
    finishedRun(folder.path(), loraRecipe());
    { Library(folder.path()).indexAllRuns(); }
    std::string bytes = test::readText(folder / "library.db");
    // Once no database at all, once one with its first page overwritten behind the header, once one cut short.
    std::string overwritten = bytes;
    std::fill(overwritten.begin() + 100, overwritten.begin() + 4096, '\x5a');
    for (const std::string& damaged :
         {std::string("this is no database, but it is long enough to look like one at first.....") +
              std::string(200, 'x'),
          overwritten, bytes.substr(0, bytes.size() / 2)}) {
        for (const auto* name : {"library.db-wal", "library.db-shm"}) std::filesystem::remove(folder / name);
        test::writeText(folder / "library.db", damaged);
        EXPECT_THAT(errorOf([&] { Library(folder.path()).indexAllRuns(); }),
                    testing::AllOf(HasSubstr("corrupt_file"), HasSubstr("library.db is damaged"),
                                   HasSubstr("whet runs rebuild")));
        const RebuildReport report = Library::rebuildFromRuns(folder.path());
        EXPECT_EQ(report.runs, 1);
        EXPECT_EQ(test::readText(report.setAside), damaged);
        EXPECT_EQ(Library(folder.path()).runs().size(), 1U);
    }
}

TEST(Library, rebuildFindsDamageThatNobodyHasTouched) {
    const TemporaryFolder folder;
    finishedRun(folder.path(), loraRecipe());
    {
        Library library(folder.path());
        library.indexAllRuns();
        for (int i = 0; i < 300; ++i) library.addComparison({.prompt = std::string(100, 'p')});
    }
    // The last page holds the last comparisons; runs do not need it.
    std::string bytes = test::readText(folder / "library.db");
    std::fill(bytes.end() - 4096, bytes.end(), '\x5a');
    test::writeText(folder / "library.db", bytes);
    EXPECT_EQ(errorOf([&] { Library(folder.path()).indexAllRuns(); }), "no error");
    EXPECT_NE(Library::rebuildFromRuns(folder.path()).setAside, "");
    EXPECT_EQ(Library(folder.path()).runs().size(), 1U);
}

TEST(Library, newerTablesAreRefusedAndLeftAlone) {
    const TemporaryFolder folder;
    { const Library library(folder.path()); }
    SQLite::Database(folder / "library.db", SQLite::OPEN_READWRITE).exec("PRAGMA user_version = 99");
    EXPECT_THAT(errorOf([&] { Library library(folder.path()); }), HasSubstr("unsupported: "));
    EXPECT_THAT(errorOf([&] { Library library(folder.path()); }), HasSubstr("tables 99"));
    EXPECT_THAT(errorOf([&] { Library::rebuildFromRuns(folder.path()); }), HasSubstr("unsupported: "));
}

TEST(Library, isWalWithFullSynchronisation) {
    const TemporaryFolder folder;
    const Library library(folder.path());
    EXPECT_GE(library.schemaVersion(), 1);
    SQLite::Database database((folder / "library.db").string());
    EXPECT_EQ(database.execAndGet("PRAGMA journal_mode").getString(), "wal");
}

TEST(Library, placeThatCannotBeMadeIsNamed) {
    const TemporaryFolder folder;
    test::writeText(folder / "file", "");
    EXPECT_THAT(errorOf([&] { Library library(folder / "file/library"); }), HasSubstr("file/library"));
}

// Two processes read without a pause while this one writes; none may fail, and each sees whole transactions only.
TEST(Library, othersReadWhileOneWrites) {
    const TemporaryFolder folder;
    const RunFolder run = RunFolder::create(folder.path(), loraRecipe());
    { Library(folder.path()).indexRun(run); }
    std::vector<pid_t> readers;
    for (int i = 0; i < 2; ++i) {
        const pid_t child = ::fork();
        if (child != 0) {
            readers.push_back(child);
            continue;
        }
        ::alarm(60);  // points that never come must fail the test, not hang it
        int result = 1;
        try {
            const Library library(folder.path());
            size_t seen = 0;
            while (seen < 60) {
                const size_t losses = library.metric(run.id(), "loss").size();
                if (losses < seen || losses % 2 != 0) ::_exit(2);
                seen = losses;
            }
            result = 0;
        } catch (const std::exception&) {
            result = 3;
        }
        ::_exit(result);
    }
    {
        Library library(folder.path());
        EventWriter writer(run.eventsPath());
        for (int64_t step = 1; step <= 60; step += 2) {
            writer.write(StepDone{.step = step});
            writer.write(StepDone{.step = step + 1});
            library.indexRun(run);
        }
    }
    for (const pid_t reader : readers) {
        int status = 0;
        ::waitpid(reader, &status, 0);
        EXPECT_EQ(status, 0) << WEXITSTATUS(status);
    }
}

TEST(Library, twoWritersWaitForEachOther) {
    const TemporaryFolder folder;
    const pid_t child = ::fork();
    const auto addMany = [&] {
        Library library(folder.path());
        for (int i = 0; i < 40; ++i) library.addComparison({.prompt = "p"});
    };
    if (child == 0) ::_exit(errorOf(addMany) == "no error" ? 0 : 1);
    EXPECT_EQ(errorOf(addMany), "no error");
    int status = 0;
    ::waitpid(child, &status, 0);
    EXPECT_EQ(status, 0);
    EXPECT_EQ(Library(folder.path()).comparisons().size(), 80U);
}

TEST(Library, killedWriterLeavesAWholeFile) {
    const TemporaryFolder folder;
    const RunFolder run = finishedRun(folder.path(), loraRecipe());
    { const Library library(folder.path()); }
    for (int trial = 0; trial < 10; ++trial) {
        const pid_t child = ::fork();
        if (child == 0) {
            Library library(folder.path());
            while (true) {
                library.indexRun(run);
                library.addComparison({.prompt = std::string(5000, 'p')});
            }
        }
        ::usleep(static_cast<useconds_t>(3000 + trial * 2100));
        ::kill(child, SIGKILL);
        ::waitpid(child, nullptr, 0);
        SQLite::Database database((folder / "library.db").string());
        ASSERT_EQ(database.execAndGet("PRAGMA integrity_check").getString(), "ok");
    }
    EXPECT_EQ(errorOf([&] { Library(folder.path()).indexAllRuns(); }), "no error");
}

class LibraryFolder : public testing::Test {
protected:
    void SetUp() override {
        for (const char* name : kNames) {
            const char* value = std::getenv(name);
            m_saved.emplace_back(value == nullptr ? "" : value);
            ::unsetenv(name);
        }
    }
    void TearDown() override {
        for (size_t i = 0; i < m_saved.size(); ++i) {
            if (!m_saved[i].empty()) ::setenv(kNames[i], m_saved[i].c_str(), 1);
        }
    }

private:
    static constexpr const char* kNames[] = {"WHETBENCH_LIBRARY", "XDG_DATA_HOME", "HOME"};
    std::vector<std::string> m_saved;
};

TEST_F(LibraryFolder, firstPlaceThatIsSetWins) {
    EXPECT_THAT(errorOf([] { resolveLibraryFolder(""); }), HasSubstr("give --library DIR"));
    ::setenv("HOME", "/h", 1);
    EXPECT_EQ(resolveLibraryFolder(""), "/h/.local/share/whetbench");
    ::setenv("XDG_DATA_HOME", "relative", 1);
    EXPECT_EQ(resolveLibraryFolder(""), "/h/.local/share/whetbench");
    ::setenv("XDG_DATA_HOME", "/x", 1);
    EXPECT_EQ(resolveLibraryFolder(""), "/x/whetbench");
    ::setenv("WHETBENCH_LIBRARY", "/l/", 1);
    EXPECT_EQ(resolveLibraryFolder(""), "/l");
    EXPECT_EQ(resolveLibraryFolder("/o/../w"), "/w");
}

}  // namespace
}  // namespace wb::core
