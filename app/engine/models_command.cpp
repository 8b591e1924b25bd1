// SPDX-License-Identifier: Apache-2.0
#include "app/engine/models_command.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <filesystem>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "app/engine/model_paths.h"
#include "app/engine/model_report.h"
#include "core/format/model_folder.h"

namespace wb::app {
namespace {

using nlohmann::ordered_json;

struct Options {
    std::string model;
    bool wantsHash = false;
    bool wantsTensors = false;
};

struct WeightSummary {
    int64_t parameters = 0;
    int64_t bytes = 0;
    std::map<std::string, int64_t> countByType;
};

WeightSummary summarize(const core::ModelSource& model) {
    WeightSummary summary;
    for (const core::ModelTensor& tensor : model.tensors()) {
        summary.parameters += tensor.count();
        summary.bytes += static_cast<int64_t>(dtypeBytes(tensor.dtype, static_cast<size_t>(tensor.count())));
        summary.countByType[dtypeName(tensor.dtype)] += tensor.count();
    }
    return summary;
}

std::string typesText(const WeightSummary& weights) {
    std::string text;
    for (const auto& [type, count] : weights.countByType) {
        text += fmt::format("{}{}", text.empty() ? "" : ", ", type);
        if (weights.countByType.size() > 1) {
            text +=
                fmt::format(" {:.1f} %", 100.0 * static_cast<double>(count) / static_cast<double>(weights.parameters));
        }
    }
    return text;
}

std::string yesNo(bool value) {
    return value ? "yes" : "no";
}

std::string supportText(const ModelSupport& supported) {
    return fmt::format("load {}, train all weights {}, train an adapter {}, generate {}, export {}",
                       yesNo(supported.load), yesNo(supported.trainFull), yesNo(supported.trainLora),
                       yesNo(supported.generate), yesNo(supported.exporting));
}

std::string reportOfUnsupported(const ModelReport& report) {
    std::string text = fmt::format("{:<14}{}\n", "model", report.path.string());
    text += fmt::format("{:<14}{}{}\n", "kind", report.family.empty() ? "unknown" : report.family,
                        report.architecture.empty() ? "" : fmt::format(" ({})", report.architecture));
    text += fmt::format("{:<14}{}\n", "supported", supportText(report.supported));
    for (const std::string& problem : report.problems) text += fmt::format("{:<14}{}\n", "problem", problem);
    return text;
}

std::string textReport(const ModelReport& report, const Options& options) {
    if (!report.source) return reportOfUnsupported(report);
    const core::ModelSource& model = *report.source;
    const ModelCompanions& companions = report.companions;
    const core::ModelConfig& config = model.config();
    const WeightSummary weights = summarize(model);
    std::string text;
    const auto line = [&text](std::string_view name, const std::string& value) {
        text += fmt::format("{:<14}{}\n", name, value);
    };
    line("model", model.path().string());
    line("kind", fmt::format("{} ({}{})", config.modelType, config.architecture, model.isGguf() ? ", GGUF" : ""));
    line("parameters", fmt::format("{:.2f} million", static_cast<double>(weights.parameters) / 1e6));
    line("weights", fmt::format("{}, {}", bytesText(weights.bytes), typesText(weights)));
    line("layers",
         fmt::format("{}, hidden {}, feed-forward {}", config.numLayers, config.hiddenSize, config.intermediateSize));
    line("heads", fmt::format("{} of {}, {} for keys and values", config.numHeads, config.headDim, config.numKvHeads));
    line("positions", fmt::format("{}{}", config.maxPositions,
                                  config.slidingWindow > 0 ? fmt::format(", window {}", config.slidingWindow) : ""));
    line("vocabulary",
         fmt::format("{}{}", config.vocabularySize, config.tieWordEmbeddings ? ", head tied to embedding" : ""));
    line("tokenizer", companions.tokenizerProblem.empty()
                          ? fmt::format("{}, {} tokens", companions.tokenizerKind, companions.vocabulary)
                          : companions.tokenizerProblem);
    line("chat template", !companions.templateProblem.empty() ? companions.templateProblem
                          : companions.hasChatTemplate        ? "yes"
                                                              : "none");
    line("supported", supportText(report.supported));
    for (const std::string& problem : report.problems) line("problem", problem);
    if (!model.unusedTensors().empty()) line("not used", fmt::format("{}", fmt::join(model.unusedTensors(), ", ")));
    if (options.wantsHash) line("hash", model.weightHash());
    if (!options.wantsTensors) return text;
    text += "\n";
    for (const core::ModelTensor& tensor : model.tensors()) {
        text += fmt::format("{:<5} [{}] {}\n", dtypeName(tensor.dtype), fmt::join(tensor.shape, ", "), tensor.name);
    }
    return text;
}

template <typename T>
ordered_json orNull(const std::optional<T>& value) {
    return value ? ordered_json(*value) : ordered_json(nullptr);
}

ordered_json textOrNull(const std::string& text) {
    return text.empty() ? ordered_json(nullptr) : ordered_json(text);
}

void addWeights(ordered_json& json, const core::ModelSource& model) {
    const core::ModelConfig& config = model.config();
    const WeightSummary weights = summarize(model);
    json.update(ordered_json{
        {"bytes", weights.bytes},
        {"dtypes", weights.countByType},
        {"layers", config.numLayers},
        {"hidden_size", config.hiddenSize},
        {"intermediate_size", config.intermediateSize},
        {"heads", config.numHeads},
        {"kv_heads", config.numKvHeads},
        {"head_dim", config.headDim},
        {"vocabulary_size", config.vocabularySize},
        {"max_positions", config.maxPositions},
        {"sliding_window", config.slidingWindow},
        {"tied_embeddings", config.tieWordEmbeddings},
        {"unused_tensors", model.unusedTensors()},
    });
}

ordered_json jsonReport(const ModelReport& report, const Options& options) {
    const ModelSupport& supported = report.supported;
    ordered_json json{
        {"path", report.path.string()},
        {"container", report.isGguf ? "gguf" : "safetensors"},
        {"architecture", textOrNull(report.architecture)},
        {"family", textOrNull(report.family)},
        {"parameters", orNull(report.parameters)},
        {"dtype", textOrNull(report.dtype)},
        {"context_length", orNull(report.contextLength)},
        {"supported",
         {{"load", supported.load},
          {"train_full", supported.trainFull},
          {"train_lora", supported.trainLora},
          {"generate", supported.generate},
          {"export", supported.exporting}}},
        {"problems", report.problems},
        {"tokenizer",
         {{"kind", report.companions.tokenizerKind},
          {"vocabulary_size", report.companions.vocabulary},
          {"problem", report.companions.tokenizerProblem}}},
        {"chat_template",
         {{"present", report.companions.hasChatTemplate}, {"problem", report.companions.templateProblem}}},
    };
    if (!report.source) return json;
    const core::ModelSource& model = *report.source;
    addWeights(json, model);
    if (options.wantsHash) json["hash"] = model.weightHash();
    if (options.wantsTensors) {
        json["tensors"] = ordered_json::array();
        for (const core::ModelTensor& tensor : model.tensors()) {
            json["tensors"].push_back(
                {{"name", tensor.name}, {"dtype", dtypeName(tensor.dtype)}, {"shape", tensor.shape}});
        }
    }
    return json;
}

void defineInspect(CLI::App& models, CommandContext& context) {
    CLI::App* inspect = models.add_subcommand("inspect", "Show what a model is and whether this engine can run it");
    const auto options = std::make_shared<Options>();
    inspect->add_option("model", options->model, "Hugging Face folder, GGUF file, or name of a bundled model")
        ->type_name("MODEL")
        ->required();
    inspect->footer(
        "\nSays whether the engine can load, train, generate with and export the model, and if not, why.\n"
        "With --json: architecture, family, parameters, dtype, context_length, supported, problems and\n"
        "the sizes of its parts.");
    inspect->add_flag("--hash", options->wantsHash, "Add the hash of the weights; reads all of them");
    inspect->add_flag("--tensors", options->wantsTensors, "List every tensor");
    inspect->callback([options, &context] {
        const std::filesystem::path path = resolveModel(options->model);
        const ModelReport report = inspectModel(path);
        if (context.isJson()) {
            context.printJson(jsonReport(report, *options));
        } else {
            context.print(textReport(report, *options));
        }
    });
}

void defineList(CLI::App& models, CommandContext& context) {
    CLI::App* list = models.add_subcommand("list", "List the bundled models");
    list->callback([&context] {
        ordered_json answer{{"models", ordered_json::array()}};
        std::string text;
        std::error_code error;
        for (const auto& entry : std::filesystem::directory_iterator(resourceFolder() / "models", error)) {
            if (!std::filesystem::exists(entry.path() / "config.json", error)) continue;
            const std::string name = entry.path().filename().string();
            answer["models"].push_back({{"name", name}, {"path", entry.path().string()}});
            text += fmt::format("{:<12}{}\n", name, entry.path().string());
        }
        context.print(text.empty() ? "No bundled models are installed; every command takes a model's folder or file\n"
                                   : text);
        context.printJson(answer);
    });
}

}  // namespace

void defineModels(CLI::App& command, CommandContext& context) {
    command.require_subcommand(1);
    defineInspect(command, context);
    defineList(command, context);
}

}  // namespace wb::app
