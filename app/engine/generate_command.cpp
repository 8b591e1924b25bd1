// SPDX-License-Identifier: Apache-2.0
#include "app/engine/generate_command.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "app/engine/comparison.h"
#include "app/engine/engine_runtime.h"
#include "app/engine/generation_json.h"
#include "app/engine/generation_options.h"
#include "inference/scoring.h"

namespace wb::app {
namespace {

struct Options {
    GenerationArguments arguments;
    std::string prompt;
    bool wantsLastLogits = false;
};

// Writes the text of the one output as it comes.
class TextStreamer final : public ComparisonObserver {
public:
    explicit TextStreamer(const CommandContext& context) : m_context(context) {}

    void onToken(size_t /*pane*/, size_t output, const inference::GenerationOutput& soFar) override {
        // After a stop string was cut there is less text than was shown; nothing more to show then.
        if (output != 0 || soFar.text.size() <= m_shown) return;
        m_context.print(std::string_view(soFar.text).substr(m_shown));
        std::fflush(stdout);
        m_shown = soFar.text.size();
    }

private:
    const CommandContext& m_context;
    size_t m_shown = 0;
};

void printOutputs(const CommandContext& context, const inference::GenerationOptions& generation,
                  const PaneResult& result) {
    if (generation.numBeams == 1 && generation.numReturn == 1) {
        context.print("\n");
    } else {
        for (size_t i = 0; i < result.generation.outputs.size(); ++i) {
            const inference::GenerationOutput& output = result.generation.outputs[i];
            context.print(fmt::format("{} {} {}\n", context.bold(fmt::format("[{}]", i + 1)),
                                      fmt::format("{:.3f}", output.score), output.text));
        }
    }
}

void run(const Options& options, CommandContext& context) {
    options.arguments.check();
    kernels::Runtime runtime =
        makeRuntime(context.options().device, context.options().threads, options.arguments.attention);
    ModelHost host(runtime.context(), options.arguments.weightTypes());
    const std::filesystem::path modelPath = resolveModel(options.arguments.model);
    Variant variant = host.base(modelPath);
    std::optional<TunedSource> source;
    if (!options.arguments.adapter.empty()) {
        source = resolveTuned(options.arguments.adapter, context.libraryFolder());
        variant = host.tuned(modelPath, *source);
    }
    const TemplateChoice choice = chooseTemplate(options.arguments.templateName, source);
    const PromptRenderer renderer(*variant.loaded, choice.name);
    // The answer is all there is on standard output.
    if (choice.origin == TemplateChoice::Origin::Run) spdlog::info("template: {}", choice.describe(renderer));
    const ModelPrompt prompt = renderer.render(options.prompt);

    TextStreamer streamer(context);
    const inference::GenerationOptions generation = options.arguments.optionsFor(*variant.loaded);
    const bool streams = generation.numBeams == 1 && generation.numReturn == 1;
    const PaneResult result =
        comparePanes(host, {{"model", variant}}, {prompt}, generation, CrossScoring::Off, streams ? &streamer : nullptr)
            .front();
    printOutputs(context, generation, result);
    nlohmann::ordered_json answer{
        {"prompt", validUtf8(prompt.text)},
        {"prompt_ids", prompt.ids},
        {"template", toJson(choice, renderer)},
        {"outputs", toJson(result.generation.outputs)},
        {"provenance", toJson(result.provenance)},
        {"seconds", result.generation.seconds},
        {"first_token_seconds", result.generation.firstTokenSeconds},
        {"tokens_per_second", static_cast<double>(result.generation.tokens) / result.generation.seconds}};
    if (options.wantsLastLogits) {
        answer["last_logits"] =
            inference::lastLogits(host.context(), *variant.loaded->model, prompt.ids, variant.adapter);
    }
    context.printJson(answer);
}

}  // namespace

void defineGenerate(CLI::App& command, CommandContext& context) {
    const auto options = std::make_shared<Options>();
    options->arguments.addTo(command);
    command.add_option("--prompt", options->prompt, "The text to continue or to answer")->required()->type_name("TEXT");
    command.add_flag("--last-logits", options->wantsLastLogits, "With --json: the logits after the prompt");
    command.footer(
        "\nExamples:\n"
        "  whet generate --model pocket --prompt \"Once upon a time\"\n"
        "  whet generate --model pocket --adapter last --prompt \"name: Mara | job: baker\"");
    command.callback([options, &context] { run(*options, context); });
}

}  // namespace wb::app
