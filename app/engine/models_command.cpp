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
#include "core/format/model_folder.h"
#include "core/text/chat_template.h"
#include "core/text/tokenizer.h"

namespace wb::app {
namespace {

using nlohmann::ordered_json;

struct Options {
    std::string model;
    bool wantsHash = false;
    bool wantsTensors = false;
};

// What is beside the weights; a part that cannot be used is a finding, not a failure.
struct Companions {
    std::string tokenizerKind;
    int32_t vocabulary = 0;
    std::string tokenizerProblem;
    bool hasChatTemplate = false;
    std::string templateProblem;
};

Companions readCompanions(const std::filesystem::path& path) {
    Companions found;
    try {
        const auto tokenizer = core::loadTokenizer(path);
        found.tokenizerKind = tokenizer->kind();
        found.vocabulary = tokenizer->vocabularySize();
    } catch (const Error& error) {
        found.tokenizerProblem = error.what();
    }
    try {
        found.hasChatTemplate = core::loadChatTemplate(path).has_value();
    } catch (const Error& error) {
        found.templateProblem = error.what();
    }
    return found;
}

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

std::string report(const core::ModelSource& model, const Companions& companions, const Options& options) {
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
    if (!model.unusedTensors().empty()) line("not used", fmt::format("{}", fmt::join(model.unusedTensors(), ", ")));
    if (options.wantsHash) line("hash", model.weightHash());
    if (!options.wantsTensors) return text;
    text += "\n";
    for (const core::ModelTensor& tensor : model.tensors()) {
        text += fmt::format("{:<5} [{}] {}\n", dtypeName(tensor.dtype), fmt::join(tensor.shape, ", "), tensor.name);
    }
    return text;
}

ordered_json jsonReport(const core::ModelSource& model, const Companions& companions, const Options& options) {
    const core::ModelConfig& config = model.config();
    const WeightSummary weights = summarize(model);
    ordered_json json{
        {"path", model.path().string()},
        {"container", model.isGguf() ? "gguf" : "safetensors"},
        {"model_type", config.modelType},
        {"architecture", config.architecture},
        {"parameters", weights.parameters},
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
        {"tokenizer",
         {{"kind", companions.tokenizerKind},
          {"vocabulary_size", companions.vocabulary},
          {"problem", companions.tokenizerProblem}}},
        {"chat_template", {{"present", companions.hasChatTemplate}, {"problem", companions.templateProblem}}},
        {"unused_tensors", model.unusedTensors()},
    };
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
    inspect->add_flag("--hash", options->wantsHash, "Add the hash of the weights; reads all of them");
    inspect->add_flag("--tensors", options->wantsTensors, "List every tensor");
    inspect->callback([options, &context] {
        const std::filesystem::path path = resolveModel(options->model);
        const core::ModelSource model = core::ModelSource::open(path);
        const Companions companions = readCompanions(path);
        if (context.isJson()) {
            context.printJson(jsonReport(model, companions, *options));
        } else {
            context.print(report(model, companions, *options));
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
