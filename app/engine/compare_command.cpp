// SPDX-License-Identifier: Apache-2.0
#include "app/engine/compare_command.h"

#include <fmt/format.h>

#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>

#include "app/engine/comparison_report.h"
#include "app/engine/engine_runtime.h"
#include "app/engine/generation_options.h"
#include "core/run/atomic_file.h"

namespace wb::app {
namespace {

struct Options {
    GenerationArguments arguments;
    std::string prompt;
    std::string promptFile;
    int64_t maxPrompts = 0;
    std::string reportFile;
};

std::vector<ModelPrompt> readPrompts(const Options& options, const PromptRenderer& renderer) {
    if (options.prompt.empty() == options.promptFile.empty()) {
        throw UsageError("give either --prompt TEXT or --prompts FILE");
    }
    std::vector<ModelPrompt> prompts = options.promptFile.empty()
                                           ? std::vector<ModelPrompt>{renderer.render(options.prompt)}
                                           : renderer.readFile(options.promptFile);
    if (prompts.empty()) throw Error{ErrorCode::InvalidArgument, fmt::format("{} holds no prompt", options.promptFile)};
    if (options.maxPrompts > 0 && prompts.size() > static_cast<size_t>(options.maxPrompts)) {
        prompts.resize(static_cast<size_t>(options.maxPrompts));
    }
    return prompts;
}

void printComparison(const CommandContext& context, const Comparison& comparison) {
    for (const ComparedPrompt& compared : comparison.prompts) {
        context.print(fmt::format("{}\n{}\n", context.bold("prompt"), compared.prompt.text));
        for (size_t pane = 0; pane < compared.panes.size(); ++pane) {
            const PaneResult& result = compared.panes[pane];
            context.print(fmt::format("{}  {}, {}, first token {:.0f} ms, {:.0f} tok/s\n",
                                      context.bold(comparison.paneNames[pane]), result.provenance.sampler,
                                      result.provenance.weights, result.generation.firstTokenSeconds * 1e3,
                                      static_cast<double>(result.generation.tokens) / result.generation.seconds));
            for (const inference::GenerationOutput& output : result.generation.outputs) {
                context.print(fmt::format("  {:8.3f}  {}\n", output.score, output.text));
            }
        }
        if (!compared.prompt.expected.empty()) {
            context.print(fmt::format("{}\n            {}\n", context.bold("expected"), compared.prompt.expected));
        }
        context.print("\n");
    }
}

void run(const Options& options, CommandContext& context) {
    options.arguments.check();
    kernels::Runtime runtime =
        makeRuntime(context.options().device, context.options().threads, options.arguments.attention);
    ModelHost host(runtime.context(), options.arguments.weightTypes());
    const std::filesystem::path modelPath = resolveModel(options.arguments.model);
    const TunedSource source = resolveTuned(options.arguments.adapter, context.libraryFolder());
    const std::vector<Pane> panes{{"base", host.base(modelPath)}, {"tuned", host.tuned(modelPath, source)}};
    const LoadedModel& loaded = *panes.front().variant.loaded;
    const TemplateChoice choice = chooseTemplate(options.arguments.templateName, source);
    const PromptRenderer renderer(loaded, choice.name);

    runtime.profiler().setEnabled(true);
    Comparison comparison{.paneNames = {"base", "tuned"}, .prompts = {}, .kernels = {}};
    const inference::GenerationOptions generation = options.arguments.optionsFor(loaded);
    for (ModelPrompt& prompt : readPrompts(options, renderer)) {
        std::vector<PaneResult> results = comparePanes(host, panes, {prompt, prompt}, generation, CrossScoring::On);
        comparison.prompts.push_back({std::move(prompt), std::move(results)});
    }
    comparison.kernels = runtime.profiler().summary();
    context.print(fmt::format("{}  {}\n\n", context.bold("template"), choice.describe(renderer)));
    printComparison(context, comparison);
    if (!options.reportFile.empty()) {
        core::writeFileAtomically(options.reportFile, comparisonHtml(comparison));
        context.print(fmt::format("report: {}\n", options.reportFile));
    }
    nlohmann::ordered_json answer = comparisonJson(comparison);
    answer["template"] = toJson(choice, renderer);
    context.printJson(answer);
}

}  // namespace

void defineCompare(CLI::App& command, CommandContext& context) {
    const auto options = std::make_shared<Options>();
    options->arguments.addTo(command);
    command.get_option("--adapter")->required();
    command.add_option("--prompt", options->prompt, "One prompt; this or --prompts must be given")->type_name("TEXT");
    command.add_option("--prompts", options->promptFile, "Prompts from a data file, or one a line from a .txt")
        ->type_name("FILE")
        ->check(CLI::ExistingFile);
    command.add_option("--max-prompts", options->maxPrompts, "Take only the first prompts of the file; 0: all")
        ->check(CLI::NonNegativeNumber);
    command.add_option("--report", options->reportFile, "Write a page that stands alone: panes, differences, timings")
        ->type_name("FILE");
    command.footer(
        "\nExamples:\n"
        "  whet compare --model pocket --adapter last --prompt \"name: Mara | job: baker\"\n"
        "  whet compare --model pocket --adapter last --prompts test.jsonl --num-beams 10 --num-return 5 \\\n"
        "    --report compare.html");
    command.callback([options, &context] { run(*options, context); });
}

}  // namespace wb::app
