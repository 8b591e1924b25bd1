// SPDX-License-Identifier: Apache-2.0
#include "app/engine/demo_command.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <chrono>
#include <memory>
#include <nlohmann/json.hpp>

#include "app/engine/comparison_report.h"
#include "app/engine/engine_runtime.h"
#include "app/engine/evaluation.h"
#include "app/engine/run_export.h"
#include "app/engine/run_training.h"
#include "core/run/atomic_file.h"

namespace wb::app {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr int kShownPrompts = 5;

struct Options {
    std::string sample = "facts_to_sentence";
    std::string reportFile;
};

core::Recipe demoRecipe(const fs::path& samples, const std::string& sample, const CommandContext& context) {
    core::Recipe recipe = core::loadRecipe(samples / (sample + ".toml"));
    recipe.model = resolveModel(recipe.model).string();
    if (!context.options().device.empty()) recipe.device = context.options().device;
    recipe.threads = context.options().threads;
    return recipe;
}

Json evaluationJson(const DataEvaluation& evaluation) {
    return {{"eval_loss", evaluation.meanNll},
            {"exact_match", 100 * evaluation.exactMatch},
            {"token_accuracy", evaluation.tokenAccuracy},
            {"rows", evaluation.rows}};
}

Comparison compareOnTest(ModelHost& host, kernels::Runtime& runtime, const std::vector<Pane>& panes,
                         const fs::path& testFile, const core::Recipe& recipe) {
    const LoadedModel& loaded = *panes.front().variant.loaded;
    std::vector<ModelPrompt> prompts = PromptRenderer(loaded, recipe.templateName).readFile(testFile);
    prompts.resize(std::min<size_t>(prompts.size(), kShownPrompts));
    runtime.profiler().reset();
    runtime.profiler().setEnabled(true);
    Comparison comparison{.paneNames = {"base", "tuned"}, .prompts = {}, .kernels = {}};
    inference::GenerationOptions options;
    options.maxNewTokens = 48;
    for (ModelPrompt& prompt : prompts) {
        std::vector<PaneResult> panesResult = comparePanes(host, panes, {prompt, prompt}, options, CrossScoring::On);
        comparison.prompts.push_back({std::move(prompt), std::move(panesResult)});
    }
    comparison.kernels = runtime.profiler().summary();
    return comparison;
}

void printSummary(const CommandContext& context, const Comparison& comparison, const DataEvaluation& base,
                  const DataEvaluation& tuned) {
    for (const ComparedPrompt& compared : comparison.prompts) {
        context.print(fmt::format("\n{}\n  base      {}\n  tuned     {}\n  expected  {}\n", compared.prompt.text,
                                  compared.panes[0].generation.outputs.front().text,
                                  compared.panes[1].generation.outputs.front().text, compared.prompt.expected));
    }
    context.print(fmt::format("\n{:<18}{:>10}{:>10}\n", "on the test file", "base", "tuned"));
    context.print(fmt::format("{:<18}{:>10.3f}{:>10.3f}\n", "loss", base.meanNll, tuned.meanNll));
    context.print(
        fmt::format("{:<18}{:>8.1f} %{:>8.1f} %\n", "exact match", 100 * base.exactMatch, 100 * tuned.exactMatch));
}

void run(const Options& options, CommandContext& context) {
    const auto start = std::chrono::steady_clock::now();
    const fs::path samples = resourceFolder() / "samples";
    const core::Recipe recipe = demoRecipe(samples, options.sample, context);
    const fs::path testFile = samples / (options.sample + "_test.jsonl");
    catchStopSignals();
    kernels::Runtime runtime = makeRuntime(recipe.device, static_cast<int>(recipe.threads));

    spdlog::info("tuning {} on {}", recipe.model, recipe.data);
    training::TrainingSetup setup = training::prepareTraining(recipe, runtime.context().numThreads);
    const core::RunFolder run = core::RunFolder::create(context.libraryFolder(), recipe);
    const training::TrainOutcome outcome = runTraining(runtime, run, std::move(setup), context.libraryFolder());

    spdlog::info("comparing base and tuned on {}", testFile.string());
    ModelHost host(runtime.context());
    const std::vector<Pane> panes{{"base", host.base(recipe.model)},
                                  {"tuned", host.tuned(recipe.model, tunedOfRun(run))}};
    EvaluationOptions evaluation;
    evaluation.templateName = recipe.templateName;
    const DataEvaluation base = evaluateData(host, panes[0].variant, testFile, evaluation);
    const DataEvaluation tuned = evaluateData(host, panes[1].variant, testFile, evaluation);
    const Comparison comparison = compareOnTest(host, runtime, panes, testFile, recipe);

    spdlog::info("exporting");
    const bool isLora = recipe.method == core::TuneMethod::Lora;
    const fs::path exported = run.exportsPath() / (isLora ? "peft" : "safetensors");
    const adapters::Certificate certificate =
        exportRun(runtime.context(), run, {.format = isLora ? "peft" : "safetensors"}, exported);

    printSummary(context, comparison, base, tuned);
    if (!options.reportFile.empty()) {
        core::writeFileAtomically(options.reportFile, comparisonHtml(comparison));
        context.print(fmt::format("\nreport: {}\n", options.reportFile));
    }
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    context.print(fmt::format("export: {} (certificate {})\nrun {}: {:.0f} tok/s, {} in all\n", exported.string(),
                              certificate.isOk ? "passed" : "FAILED", run.id(), outcome.tokensPerSecond,
                              durationText(seconds)));
    context.printJson({{"sample", options.sample},
                       {"run_id", run.id()},
                       {"run_dir", run.path().string()},
                       {"export", exported.string()},
                       {"base", evaluationJson(base)},
                       {"tuned", evaluationJson(tuned)},
                       {"prompts", comparisonJson(comparison)["prompts"]},
                       {"train_tokens_per_second", outcome.tokensPerSecond},
                       {"steps", outcome.steps},
                       {"peak_bytes", outcome.peakBytes},
                       {"seconds", seconds},
                       {"certificate", toJson(certificate)}});
    if (!certificate.isOk) {
        throw Error{ErrorCode::Internal,
                    fmt::format("the exported files do not behave like the tuned model; see {}", exported.string())};
    }
}

}  // namespace

void defineDemo(CLI::App& command, CommandContext& context) {
    const auto options = std::make_shared<Options>();
    command.add_option("--sample", options->sample, "Which sample task")
        ->check(CLI::IsMember({"facts_to_sentence", "request_to_json"}))
        ->capture_default_str();
    command.add_option("--report", options->reportFile, "Write the comparison as a page that stands alone")
        ->type_name("FILE");
    command.footer("\nTrains for about a minute, compares on unseen rows, exports with a certificate.");
    command.callback([options, &context] { run(*options, context); });
}

}  // namespace wb::app
