// SPDX-License-Identifier: Apache-2.0
// The command line as a script sees it: exit codes, what is on which stream, one JSON object.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "core/library/library.h"
#include "core/run/events.h"
#include "core/run/recipe_fields.h"
#include "core/run/run_folder.h"
#include "tests/app/whet_process.h"
#include "tests/support/temporary_folder.h"

namespace wb {
namespace {

using nlohmann::json;
using test::runWhet;
using test::TemporaryFolder;
using test::WhetResult;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

core::RunFolder finishedRun(const std::filesystem::path& library, double learningRate) {
    core::Recipe recipe;
    recipe.model = "pocket";
    recipe.data = "facts.jsonl";
    recipe.learningRate = learningRate;
    const core::RunFolder run = core::RunFolder::create(library, recipe);
    core::EventWriter writer(run.eventsPath());
    writer.write(core::RunStarted{.totalSteps = 2});
    writer.write(core::StepDone{.step = 1, .loss = 3.0F});
    writer.write(core::Evaluated{.step = 1, .loss = 2.5F, .tokenAccuracy = 0.25});
    writer.write(core::StepDone{.step = 2, .loss = 2.0F});
    writer.write(core::Evaluated{.step = 2, .loss = 1.5F, .tokenAccuracy = 0.5});
    writer.write(core::RunFinished{.steps = 2, .weightHash = "abc"});
    return run;
}

// Standard output must be one object and nothing else.
json onlyObject(const WhetResult& result) {
    const json object = json::parse(result.out, nullptr, false);
    EXPECT_TRUE(object.is_object()) << result.out;
    return object;
}

void expectUsageError(const std::vector<std::string>& arguments, const std::string& words) {
    SCOPED_TRACE(testing::PrintToString(arguments));
    const WhetResult text = runWhet(arguments);
    EXPECT_EQ(text.exitCode, 2);
    EXPECT_THAT(text.out, IsEmpty());
    EXPECT_THAT(text.err, StartsWith("error: "));
    EXPECT_THAT(text.err, HasSubstr(words));

    std::vector<std::string> withJson{"--json"};
    withJson.insert(withJson.end(), arguments.begin(), arguments.end());
    const WhetResult answer = runWhet(withJson);
    EXPECT_EQ(answer.exitCode, 2);
    const json error = onlyObject(answer).at("error");
    EXPECT_EQ(error.at("code"), "invalid_argument");
    EXPECT_THAT(error.at("message").get<std::string>(), HasSubstr(words));
    EXPECT_THAT(error.at("hint").get<std::string>(), HasSubstr("--help"));
}

TEST(Whet, versionIsOneLine) {
    const WhetResult result = runWhet({"--version"});
    EXPECT_EQ(result.exitCode, 0);
    EXPECT_THAT(result.out, testing::MatchesRegex("whet [0-9]+\\.[0-9]+\\.[0-9]+\n"));
    EXPECT_THAT(result.err, IsEmpty());
    EXPECT_THAT(onlyObject(runWhet({"--version", "--json"})).at("version").get<std::string>(), Not(IsEmpty()));
}

TEST(Whet, helpOfEveryCommandIsWide100AndEndsWell) {
    const WhetResult all = runWhet({"--help"});
    EXPECT_EQ(all.exitCode, 0);
    const std::vector<std::vector<std::string>> commands{{},
                                                         {"runs"},
                                                         {"runs", "list"},
                                                         {"runs", "show"},
                                                         {"runs", "diff"},
                                                         {"runs", "rebuild"},
                                                         {"models"},
                                                         {"models", "inspect"},
                                                         {"tokenize"},
                                                         {"recipe"},
                                                         {"doctor"}};
    for (std::vector<std::string> command : commands) {
        EXPECT_THAT(all.out, HasSubstr(command.empty() ? "Usage: whet" : "\n  " + command.front() + " "));
        std::string name = "whet";
        for (const std::string& word : command) name += " " + word;
        command.push_back("--help");
        const WhetResult help = runWhet(command);
        EXPECT_EQ(help.exitCode, 0) << name;
        EXPECT_THAT(help.out, HasSubstr("Usage: " + name));
        EXPECT_THAT(help.err, IsEmpty());
        std::istringstream lines(help.out);
        for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 100U) << line;
    }
}

TEST(Whet, withoutACommandShowsTheHelpAndFails) {
    const WhetResult result = runWhet({});
    EXPECT_EQ(result.exitCode, 2);
    EXPECT_THAT(result.out, IsEmpty());
    EXPECT_THAT(result.err, HasSubstr("Usage: whet COMMAND"));
    EXPECT_EQ(onlyObject(runWhet({"--json"})).at("error").at("message"), "no command given");
}

TEST(Whet, wrongCommandLinesSayWhatIsWrong) {
    expectUsageError({"doctr"}, "unknown command 'doctr': did you mean 'doctor'?");
    expectUsageError({"xyzzyxyzzy"}, "unknown command 'xyzzyxyzzy'");
    expectUsageError({"doctor", "--librar", "x"}, "unknown option '--librar': did you mean '--library'?");
    expectUsageError({"runs"}, "a command is missing: list, show, diff");
    expectUsageError({"runs", "shwo", "x"}, "did you mean 'show'?");
    expectUsageError({"runs", "show"}, "RUN is missing");
    expectUsageError({"runs", "diff", "one"}, "name two or more");
    expectUsageError({"doctor", "--threads", "0"}, "--threads");
    expectUsageError({"doctor", "--threads", "two"}, "--threads");
    expectUsageError({"doctor", "extra"}, "unexpected word 'extra'");
    expectUsageError({"recipe", "--lora-rank"}, "--lora-rank needs a value");
    expectUsageError({"recipe", "--lora-rank", "0"}, "lora_rank is 0: allowed is a whole number from 1 to 4096");
    expectUsageError({"recipe", "--method", "qlora"}, "method is qlora: allowed is lora or full");
    expectUsageError({"recipe", "--learning-rat", "1"}, "did you mean '--learning-rate'?");
}

TEST(Whet, globalOptionsWorkBeforeAndAfterTheCommand) {
    const TemporaryFolder library;
    const std::string folder = library.path().string();
    for (const auto& arguments :
         std::vector<std::vector<std::string>>{{"--library", folder, "--json", "runs", "list"},
                                               {"runs", "list", "--library", folder, "--json"},
                                               {"runs", "--json", "list", "--library=" + folder}}) {
        const WhetResult result = runWhet(arguments);
        EXPECT_EQ(result.exitCode, 0) << result.err;
        EXPECT_EQ(onlyObject(result).at("library"), folder);
    }
    EXPECT_EQ(onlyObject(runWhet({"runs", "list", "--json"}, {"WHETBENCH_LIBRARY=" + folder})).at("library"), folder);
}

TEST(Whet, failuresExitWithOneAndNameTheCode) {
    const TemporaryFolder library;
    const WhetResult text = runWhet({"runs", "show", "nope", "--library", library.path().string()});
    EXPECT_EQ(text.exitCode, 1);
    EXPECT_THAT(text.out, IsEmpty());
    EXPECT_THAT(text.err, StartsWith("error: no run 'nope' in"));
    const WhetResult answer = runWhet({"runs", "show", "nope", "--json", "--library", library.path().string()});
    EXPECT_EQ(answer.exitCode, 1);
    EXPECT_EQ(onlyObject(answer).at("error").at("code"), "not_found");
}

TEST(Whet, noColourCodesReachAFile) {
    for (const auto& environment : std::vector<std::vector<std::string>>{{}, {"NO_COLOR=1"}, {"TERM=xterm-256color"}}) {
        const WhetResult result = runWhet({"runs", "show", "nope"}, environment);
        EXPECT_THAT(result.out + result.err, Not(HasSubstr("\033[")));
    }
}

TEST(WhetDoctor, describesThisMachine) {
    const TemporaryFolder library;
    const json report = onlyObject(runWhet({"doctor", "--json", "--library", (library / "new").string()}));
    EXPECT_GE(report.at("cpu").at("cores").get<int>(), 1);
    EXPECT_GT(report.at("memory").at("total_bytes").get<int64_t>(), int64_t{64} << 20);
    EXPECT_GE(report.at("memory").at("total_bytes").get<int64_t>(),
              report.at("memory").at("available_bytes").get<int64_t>());
    EXPECT_EQ(report.at("gpu").at("present").get<bool>(), report.at("gpu").at("reason").get<std::string>().empty());
    EXPECT_EQ(report.at("library").at("exists"), false);
    EXPECT_EQ(report.at("library").at("writable"), true);
    EXPECT_FALSE(std::filesystem::exists(library / "new")) << "looking must not create";
    const WhetResult text = runWhet({"doctor"});
    for (const char* word : {"processor", "memory", "GPU", "library"}) EXPECT_THAT(text.out, HasSubstr(word));
}

TEST(WhetRecipe, printsAFileThatReadsBack) {
    const TemporaryFolder folder;
    const WhetResult result = runWhet({"recipe", "--data", "d.jsonl", "--epochs", "7", "--no-keep-best",
                                       "--lora-rank=4", "--device", "cpu", "--threads", "3"});
    ASSERT_EQ(result.exitCode, 0) << result.err;
    const core::Recipe recipe = core::recipeFromToml(result.out, "stdout");
    EXPECT_EQ(recipe.data, "d.jsonl");
    EXPECT_EQ(recipe.epochs, 7.0);
    EXPECT_FALSE(recipe.keepBest);
    EXPECT_EQ(recipe.loraRank, 4);
    EXPECT_EQ(recipe.device, "cpu");
    EXPECT_EQ(recipe.threads, 3);

    test::writeText(folder / "r.toml", result.out);
    const json merged =
        onlyObject(runWhet({"recipe", "--recipe", (folder / "r.toml").string(), "--epochs", "2", "--json"}));
    EXPECT_EQ(merged.at("epochs"), 2.0);
    EXPECT_EQ(merged.at("lora_rank"), 4);
    EXPECT_EQ(merged.size(), core::recipeFields().size());
}

TEST(WhetRecipe, mistakesInTheFileAreNamed) {
    const TemporaryFolder folder;
    test::writeText(folder / "r.toml", "seed = 1\nlora_rnk = 3\n");
    const WhetResult wrong = runWhet({"recipe", "--recipe", (folder / "r.toml").string()});
    EXPECT_EQ(wrong.exitCode, 2);
    EXPECT_THAT(wrong.err, HasSubstr("r.toml:2: unknown setting 'lora_rnk': did you mean 'lora_rank'?"));
    const WhetResult missing = runWhet({"recipe", "--recipe", (folder / "none.toml").string()});
    EXPECT_EQ(missing.exitCode, 1);
    EXPECT_THAT(missing.err, HasSubstr("none.toml"));
}

TEST(WhetRuns, listShowAndDiffTellTheSame) {
    const TemporaryFolder library;
    const std::string folder = library.path().string();
    const core::RunFolder first = finishedRun(library.path(), 1e-4);
    const core::RunFolder second = finishedRun(library.path(), 1e-3);

    const json list = onlyObject(runWhet({"runs", "list", "--json", "--library", folder}));
    ASSERT_EQ(list.at("runs").size(), 2U);
    EXPECT_EQ(list.at("runs")[0].at("best").at("eval_loss"), 1.5);
    EXPECT_EQ(list.at("runs")[0].at("state"), "finished");
    EXPECT_EQ(onlyObject(runWhet({"runs", "list", "--limit", "1", "--json", "--library", folder})).at("runs").size(),
              1U);
    EXPECT_THAT(runWhet({"runs", "list", "--library", folder}).out, HasSubstr(first.id()));

    const json show = onlyObject(runWhet({"runs", "show", first.id(), "--json", "--library", folder}));
    EXPECT_EQ(show.at("run_id"), first.id());
    EXPECT_EQ(show.at("recipe").at("learning_rate"), 1e-4);
    EXPECT_EQ(show.at("evaluations").size(), 2U);
    EXPECT_EQ(show.at("weight_hash"), "abc");
    const WhetResult text = runWhet({"runs", "show", first.path().string()});
    EXPECT_THAT(text.out, HasSubstr("validation loss 1.5000 at step 2"));
    EXPECT_THAT(text.out, HasSubstr("learning_rate  0.0001"));

    const json diff = onlyObject(runWhet({"runs", "diff", first.id(), second.id(), "--json", "--library", folder}));
    ASSERT_EQ(diff.at("settings").size(), 1U);
    EXPECT_EQ(diff.at("settings")[0].at("key"), "learning_rate");
    EXPECT_EQ(diff.at("settings")[0].at("values"), (json{1e-4, 1e-3}));
    EXPECT_EQ(runWhet({"runs", "list", "--library", folder, "--quiet"}).err, "");
}

TEST(WhetRuns, emptyLibrarySaysWhatToDo) {
    const TemporaryFolder library;
    const WhetResult result = runWhet({"runs", "list", "--library", library.path().string()});
    EXPECT_EQ(result.exitCode, 0);
    EXPECT_THAT(result.out, HasSubstr("whet train"));
}

TEST(WhetRuns, damagedLibraryNamesTheWayOnAndTheWayWorks) {
    const TemporaryFolder library;
    const std::string folder = library.path().string();
    finishedRun(library.path(), 1e-4);
    test::writeText(library / "library.db", std::string(5000, 'x'));
    const WhetResult failed = runWhet({"runs", "list", "--library", folder});
    EXPECT_EQ(failed.exitCode, 1);
    EXPECT_THAT(failed.err, HasSubstr("`whet runs rebuild`"));
    const json report = onlyObject(runWhet({"runs", "rebuild", "--library", folder, "--json"}));
    EXPECT_EQ(report.at("runs"), 1);
    EXPECT_TRUE(std::filesystem::exists(report.at("set_aside").get<std::string>()));
    EXPECT_EQ(runWhet({"runs", "list", "--library", folder}).exitCode, 0);
}

TEST(WhetRuns, stopAsksOnlyARunThatRuns) {
    const TemporaryFolder library;
    const core::RunFolder run = finishedRun(library.path(), 1e-4);
    const std::vector<std::string> stop{"runs", "pause", run.id(), "--library", library.path().string()};
    const WhetResult idle = runWhet(stop);
    EXPECT_EQ(idle.exitCode, 1);
    EXPECT_THAT(idle.err, HasSubstr("is finished: no process is at work on it"));
    const core::RunLock lock(run);
    EXPECT_EQ(runWhet(stop).exitCode, 0);
    EXPECT_EQ(run.control(), core::RunControl::Pause);
}

TEST(WhetModels, inspectRefusesWhatIsNoModel) {
    const TemporaryFolder folder;
    const WhetResult missing = runWhet({"models", "inspect", (folder / "none").string(), "--json"});
    EXPECT_EQ(missing.exitCode, 1);
    EXPECT_EQ(onlyObject(missing).at("error").at("code"), "not_found");
    const WhetResult empty = runWhet({"models", "inspect", folder.path().string(), "--json"});
    EXPECT_EQ(empty.exitCode, 1);
    EXPECT_THAT(onlyObject(empty).at("error").at("message").get<std::string>(), HasSubstr(folder.path().string()));
}

TEST(WhetModels, inspectAnswersForAModelTheEngineLacks) {
    const TemporaryFolder folder;
    test::writeText(folder / "config.json", R"({"architectures": ["WibbleForCausalLM"], "model_type": "wibble",
        "max_position_embeddings": 64, "dtype": "bfloat16"})");
    const WhetResult result = runWhet({"models", "inspect", folder.path().string(), "--json"});
    EXPECT_EQ(result.exitCode, 0);
    const json report = onlyObject(result);
    EXPECT_EQ(report.at("architecture"), "WibbleForCausalLM");
    EXPECT_EQ(report.at("family"), "wibble");
    EXPECT_EQ(report.at("dtype"), "BF16");
    EXPECT_EQ(report.at("context_length"), 64);
    EXPECT_EQ(report.at("supported").at("load"), false);
    EXPECT_EQ(report.at("supported").at("train_lora"), false);
    EXPECT_THAT(report.at("problems").dump(), HasSubstr("wibble"));
    const WhetResult text = runWhet({"models", "inspect", folder.path().string()});
    EXPECT_THAT(text.out, HasSubstr("load no"));
}

TEST(WhetTemplate, rendersAConversationAndItsSpans) {
    const TemporaryFolder folder;
    test::writeText(folder / "t.jinja",
                    "{{ bos_token }}{% for m in messages %}[{{ m.role }}]{{ m.content }}\n{% endfor %}"
                    "{% if add_generation_prompt %}[assistant]{% endif %}");
    const std::string input =
        R"({"messages": [{"role": "user", "content": "h\u00e9"}, {"role": "assistant", "content": "yo"}], "bos_token": "^"})";
    const std::vector<std::string> command{"template", "--template", (folder / "t.jinja").string(), "--json"};
    const json answer = onlyObject(runWhet(command, {}, input));
    EXPECT_EQ(answer.at("text"), "^[user]h\u00e9\n[assistant]yo\n");
    const json expected = json::parse(R"([{"start": 0, "end": 7, "kind": "template", "message": null},
        {"start": 7, "end": 10, "kind": "input", "message": 0},
        {"start": 10, "end": 22, "kind": "template", "message": null},
        {"start": 22, "end": 24, "kind": "assistant", "message": 1},
        {"start": 24, "end": 25, "kind": "template", "message": null}])");
    EXPECT_EQ(answer.at("spans"), expected);
}

TEST(WhetModels, inspectDescribesTheStoriesModel) {
    const char* shared = std::getenv("WHETBENCH_SHARED_DATA");
    const std::filesystem::path data = shared != nullptr ? shared : WHETBENCH_SOURCE_DIR "/../shared/data";
    const auto model = data / "models" / "stories260K" / "hf";
    if (!std::filesystem::exists(model)) GTEST_SKIP() << model << " is missing";
    const json report = onlyObject(runWhet({"models", "inspect", model.string(), "--json", "--tensors", "--hash"}));
    EXPECT_EQ(report.at("parameters"), 260032);
    EXPECT_EQ(report.at("architecture"), "LlamaForCausalLM");
    EXPECT_EQ(report.at("family"), "llama");
    EXPECT_EQ(report.at("dtype"), "F32");
    EXPECT_EQ(report.at("context_length"), 512);
    for (const char* what : {"load", "train_full", "train_lora", "generate", "export"})
        EXPECT_EQ(report.at("supported").at(what), true) << what;
    EXPECT_TRUE(report.at("problems").empty()) << report.at("problems");
    EXPECT_EQ(report.at("layers"), 5);
    EXPECT_EQ(report.at("kv_heads"), 4);
    EXPECT_EQ(report.at("tokenizer").at("vocabulary_size"), 512);
    EXPECT_EQ(report.at("hash").get<std::string>().size(), 64U);
    int64_t count = 0;
    for (const json& tensor : report.at("tensors")) {
        int64_t product = 1;
        for (const json& extent : tensor.at("shape")) product *= extent.get<int64_t>();
        count += product;
    }
    EXPECT_EQ(count, 260032);
}

}  // namespace
}  // namespace wb
