// SPDX-License-Identifier: Apache-2.0
#include "app/engine/eval_command.h"

#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "app/engine/engine_runtime.h"
#include "app/engine/evaluation.h"
#include "app/engine/generation_options.h"
#include "core/run/atomic_file.h"
#include "inference/scoring.h"

namespace wb::app {
namespace {

using Json = nlohmann::ordered_json;

struct Options {
    std::string model;
    std::string adapter;
    std::string textFile;
    std::string dataFile;
    std::string dtype = kAutoDtype;
    EvaluationOptions evaluation;
};

Variant variantOf(const Options& options, ModelHost& host, const CommandContext& context) {
    const std::filesystem::path path = resolveModel(options.model);
    if (options.adapter.empty()) return host.base(path);
    return host.tuned(path, resolveTuned(options.adapter, context.libraryFolder()));
}

void evaluateText(const Options& options, ModelHost& host, const Variant& variant, CommandContext& context) {
    const std::string text = core::readWholeFile(options.textFile);
    const std::vector<core::TokenId> ids =
        core::encodePrompt(*variant.loaded->tokenizer, text, core::SpecialTokens::None);
    const int64_t window = variant.loaded->source.config().maxPositions;
    const inference::TextScore score =
        inference::scoreText(host.context(), *variant.loaded->model, ids, window, variant.adapter);
    if (score.tokens == 0) {
        throw Error{ErrorCode::InvalidArgument,
                    fmt::format("{} holds no token that could be scored; give it more text", options.textFile)};
    }
    context.print(fmt::format("mean negative log-likelihood {:.4f}, perplexity {:.3f} over {} tokens\n", score.meanNll,
                              score.perplexity, score.tokens));
    context.printJson({{"mean_nll", score.meanNll}, {"perplexity", score.perplexity}, {"tokens", score.tokens}});
}

void evaluateRows(const Options& options, ModelHost& host, const Variant& variant, CommandContext& context) {
    const DataEvaluation result = evaluateData(host, variant, options.dataFile, options.evaluation);
    context.print(
        fmt::format("exact match {:.1f} %, token accuracy {:.1f} %, loss {:.4f}, perplexity {:.3f} over {} rows ({})\n",
                    100 * result.exactMatch, 100 * result.tokenAccuracy, result.meanNll, result.perplexity, result.rows,
                    durationText(result.seconds)));
    context.printJson({{"mean_nll", result.meanNll},
                       {"perplexity", result.perplexity},
                       {"tokens", result.tokens},
                       {"token_accuracy", result.tokenAccuracy},
                       {"exact_match", result.exactMatch},
                       {"rows", result.rows},
                       {"seconds", result.seconds}});
}

void run(const Options& options, CommandContext& context) {
    if (options.textFile.empty() == options.dataFile.empty())
        throw UsageError("give either --text FILE or --data FILE");
    kernels::Runtime runtime = makeRuntime(context.options().device, context.options().threads);
    ModelHost host(runtime.context(), weightTypesOf(options.dtype));
    const Variant variant = variantOf(options, host, context);
    if (options.dataFile.empty()) {
        evaluateText(options, host, variant, context);
    } else {
        evaluateRows(options, host, variant, context);
    }
}

}  // namespace

void defineEval(CLI::App& command, CommandContext& context) {
    const auto options = std::make_shared<Options>();
    command.add_option("--model", options->model, "Model folder, .gguf file or bundled model")
        ->required()
        ->type_name("MODEL");
    command.add_option("--adapter", options->adapter, "Adapter folder, run or checkpoint to put on top")
        ->type_name("ADAPTER");
    command.add_option("--text", options->textFile, "Running text: perplexity")
        ->type_name("FILE")
        ->check(CLI::ExistingFile);
    command.add_option("--data", options->dataFile, "Prompt/response data: loss, token accuracy, exact match")
        ->type_name("FILE")
        ->check(CLI::ExistingFile);
    command.add_option("--template", options->evaluation.templateName, "Template the rows are rendered with")
        ->capture_default_str();
    command.add_option("--format", options->evaluation.format, "Format of the data")->capture_default_str();
    command.add_option("--max-rows", options->evaluation.maxRows, "Take only the first rows; 0: all")
        ->check(CLI::NonNegativeNumber);
    command
        .add_option("--max-new-tokens", options->evaluation.maxNewTokens,
                    "Longest answer; 0: as long as the longest expected one")
        ->check(CLI::NonNegativeNumber);
    addDtypeOption(command, options->dtype);
    command.footer(
        "\nExamples:\n"
        "  whet eval --model pocket --text held_out.txt\n"
        "  whet eval --model pocket --adapter last --data facts_to_sentence_test.jsonl --json");
    command.callback([options, &context] { run(*options, context); });
}

}  // namespace wb::app
