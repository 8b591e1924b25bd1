// SPDX-License-Identifier: Apache-2.0
#include "app/engine/data_command.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>

#include "app/engine/model_paths.h"
#include "core/format/hf_config.h"
#include "core/model/architectures/architectures.h"
#include "core/text/tokenizer.h"
#include "training/data/inspection.h"

namespace wb::app {
namespace {

constexpr size_t kListedLines = 20;  // of each kind in the text for people; --json has all

struct Options {
    std::string file;
    std::string model;
    std::string trainOn = "response";
    training::InspectOptions inspect;
};

// The longest sequence a model folder states, or 0 if there is only a tokenizer.
int64_t modelLimit(const std::filesystem::path& model) {
    try {
        return core::positionLimitOf(core::readModelConfig(model)).value_or(0);
    } catch (const Error&) {
        return 0;  // a tokenizer file or folder is enough to count tokens
    }
}

std::string lineList(const std::vector<int64_t>& lines) {
    std::string text = fmt::format(
        "{}", fmt::join(lines.begin(),
                        lines.begin() + static_cast<std::ptrdiff_t>(std::min(lines.size(), kListedLines)), ", "));
    if (lines.size() > kListedLines) text += fmt::format(" and {} more", lines.size() - kListedLines);
    return text;
}

void addLines(std::string& text, std::string_view what, const std::vector<int64_t>& lines) {
    if (!lines.empty()) text += fmt::format("  {:>6}  {}: line {}\n", lines.size(), what, lineList(lines));
}

void addPairs(std::string& text, std::string_view what, const std::vector<training::LinePair>& pairs) {
    if (pairs.empty()) return;
    text += fmt::format("  {:>6}  {}, first: line {} and {}\n", pairs.size(), what, pairs.front().first,
                        pairs.front().second);
}

void addReasons(std::string& text, std::string_view heading, const std::vector<training::BadLine>& lines) {
    if (lines.empty()) return;
    text += fmt::format("{}\n", heading);
    for (size_t i = 0; i < std::min(lines.size(), kListedLines); ++i)
        text += fmt::format("  line {}: {}\n", lines[i].line, lines[i].reason);
    if (lines.size() > kListedLines) text += fmt::format("  and {} more\n", lines.size() - kListedLines);
}

std::string textReport(const training::DataInspection& inspection) {
    const training::Dataset& data = inspection.dataset;
    const training::DataAudit& audit = inspection.audit;
    std::string text = fmt::format("{:<10} {} ({})\n", "format", data.format.title, data.format.reason);
    for (const std::string& note : data.notes) text += fmt::format("{:<10} {}\n", "", note);
    for (const training::FormatGuess& guess : data.alternatives)
        text +=
            fmt::format("{:<10} --format {} would fit {:.0f} % of the sample\n", "", guess.name, 100.0 * guess.share);
    text += fmt::format("{:<10} {} rows: {} examples, {} bad\n", "rows", data.rows,
                        data.rows - static_cast<int64_t>(audit.badLines.size()), audit.badLines.size());
    if (inspection.promptTemplate)
        text += fmt::format("{:<10} {}\n", "template", inspection.promptTemplate->describe());
    const char* unit = inspection.countsBytes() ? "bytes (give --model to count its tokens)" : "tokens";
    text += fmt::format("{:<10} half {}, 95 % {}, 99 % {}, longest {} {}\n", "length", audit.length.p50,
                        audit.length.p95, audit.length.p99, audit.length.max, unit);
    std::string findings;
    addLines(findings,
             fmt::format("rows lose part of an answer at {} {}", audit.maxLength,
                         inspection.countsBytes() ? "bytes" : "tokens"),
             audit.truncatedLines);
    addLines(findings, "rows teach nothing at this length", audit.zeroTargetLines);
    addLines(findings, "of them keep their answer with --long-rows shorten, the default of training",
             audit.shortenedLines);
    addLines(findings, "answers are empty", audit.emptyResponseLines);
    addPairs(findings, "rows repeat an earlier row", audit.duplicates);
    addPairs(findings, "rows answer an earlier prompt differently", audit.conflicts);
    if (!findings.empty()) text += "audit\n" + findings;
    addReasons(text, "bad rows", audit.badLines);
    addReasons(text, "warnings", data.warnings);
    return text + inspection.summary() + "\n";
}

void inspect(const Options& options, CommandContext& context) {
    training::InspectOptions inspectOptions = options.inspect;
    inspectOptions.trainOn = options.trainOn == "all" ? core::TrainOn::All : core::TrainOn::Response;
    inspectOptions.threads = context.options().threads;
    std::unique_ptr<core::Tokenizer> tokenizer;
    if (!options.model.empty()) {
        // A folder of nothing but a tokenizer is enough here, so what exists is taken as it is.
        const std::filesystem::path model =
            std::filesystem::exists(options.model) ? std::filesystem::path(options.model) : resolveModel(options.model);
        tokenizer = core::loadTokenizer(model);
        inspectOptions.modelFolder = model;
        inspectOptions.modelLimit = modelLimit(model);
        inspectOptions.answer = core::readAnswerFrame(model, *tokenizer);
    }
    const training::DataInspection inspection = training::inspectDataset(options.file, tokenizer.get(), inspectOptions);
    context.print(textReport(inspection));
    context.printJson(nlohmann::ordered_json::parse(training::inspectionJson(inspection)));
}

void checkFormatName(const std::string& name) {
    std::vector<std::string> names = training::datasetFormatNames();
    names.emplace_back("auto");
    if (std::find(names.begin(), names.end(), name) == names.end())
        throw UsageError(fmt::format("--format {}: choose {}", name, fmt::join(names, ", ")));
}

}  // namespace

void defineData(CLI::App& command, CommandContext& context) {
    command.require_subcommand(1);
    const auto options = std::make_shared<Options>();
    CLI::App& show =
        *command.add_subcommand("inspect", "Read a data file as training would and list what is wrong with it");
    show.add_option("file", options->file, "Data file: .jsonl, .json, .csv, .tsv or .txt, also .gz and .zst")
        ->type_name("FILE")
        ->required();
    show.add_option("--model", options->model,
                    "Model or tokenizer folder, or bundled model, whose tokenizer counts and whose chat template is "
                    "used; without it lengths are in bytes")
        ->type_name("MODEL");
    show.add_option("--template", options->inspect.templateName,
                    "auto, plain, raw, alpaca, chatml, model, or a template.json or .jinja file")
        ->type_name("NAME")
        ->capture_default_str();
    show.add_option("--format", options->inspect.load.format,
                    fmt::format("How to read the rows: auto detects it, or {}",
                                fmt::join(training::datasetFormatNames(), ", ")))
        ->type_name("NAME")
        ->capture_default_str();
    show.add_option("--max-length", options->inspect.maxLength,
                    "Tokens a row may have; 0: the 99th percentile of the data")
        ->check(CLI::Range(int64_t{0}, int64_t{1} << 24));
    show.add_option("--train-on", options->trainOn, "What the loss covers: the response, or the prompt too")
        ->capture_default_str()
        ->check(CLI::IsMember({"response", "all"}));
    show.add_option("--max-line-bytes", options->inspect.load.maxLineBytes, "Rows with more bytes are bad rows")
        ->check(CLI::Range(int64_t{1}, int64_t{1} << 32));
    show.add_option("--max-rows", options->inspect.load.maxRows, "Stop after so many rows; 0: all")
        ->check(CLI::NonNegativeNumber);
    show.add_option("--samples", options->inspect.sampleRows, "Rows shown token by token in --json")
        ->capture_default_str()
        ->check(CLI::Range(0, 1000));
    show.footer(
        "\nRows longer than --max-length are counted as training would treat them: long_rows = shorten,\n"
        "the default, cuts the end of their longest input and keeps the answer.\n"
        "\nExample: whet data inspect facts.jsonl --model pocket --max-length 256");
    show.callback([options, &context] {
        checkFormatName(options->inspect.load.format);
        inspect(*options, context);
    });
}

}  // namespace wb::app
