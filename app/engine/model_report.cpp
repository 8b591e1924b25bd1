// SPDX-License-Identifier: Apache-2.0
#include "app/engine/model_report.h"

#include <fmt/format.h>

#include <fstream>
#include <initializer_list>
#include <nlohmann/json.hpp>

#include "core/format/gguf.h"
#include "core/format/hf_config.h"
#include "core/model/architectures/architectures.h"
#include "core/text/chat_template.h"
#include "core/text/tokenizer.h"
#include "kernels/base/error.h"

namespace wb::app {
namespace {

using nlohmann::json;

ModelCompanions readCompanions(const std::filesystem::path& path) {
    ModelCompanions found;
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

std::string textOf(const json& config, std::initializer_list<const char*> keys) {
    for (const char* key : keys)
        if (const auto found = config.find(key); found != config.end() && found->is_string())
            return found->get<std::string>();
    return {};
}

// "bfloat16" of a config.json under the name the engine has for it.
std::string engineDtype(const std::string& name) {
    constexpr std::pair<std::string_view, DType> kNames[] = {
        {"float32", DType::F32}, {"float16", DType::F16}, {"bfloat16", DType::BF16}};
    for (const auto& [known, dtype] : kNames)
        if (name == known) return std::string(dtypeName(dtype));
    return name;
}

// What a config.json says about itself, whether the engine knows the family or not.
void describeFromConfig(const std::filesystem::path& path, ModelReport& report) {
    std::ifstream file{path, std::ios::binary};
    const json config = json::parse(file, nullptr, false);
    if (!config.is_object()) throw Error{ErrorCode::CorruptFile, fmt::format("{}: not a JSON object", path.string())};
    report.family = textOf(config, {"model_type"});
    report.dtype = engineDtype(textOf(config, {"dtype", "torch_dtype"}));
    const auto names = config.find("architectures");
    if (names != config.end() && names->is_array() && !names->empty() && names->front().is_string())
        report.architecture = names->front().get<std::string>();
    for (const char* key : {"max_position_embeddings", "n_positions", "n_ctx", "max_seq_len", "seq_length"}) {
        const auto length = config.find(key);
        if (length == config.end() || !length->is_number_integer()) continue;
        report.contextLength = length->get<int64_t>();
        break;
    }
}

void describeFromGguf(const std::filesystem::path& path, ModelReport& report) {
    const core::GgufFile file = core::GgufFile::open(path);
    report.family = file.text("general.architecture").value_or(std::string());
    report.contextLength = file.integer(report.family + ".context_length");
}

void describeFromFiles(const std::filesystem::path& path, ModelReport& report) {
    if (report.isGguf) return describeFromGguf(path, report);
    const auto config = std::filesystem::is_directory(path) ? path / "config.json" : path.parent_path() / "config.json";
    if (std::filesystem::exists(config)) return describeFromConfig(config, report);
    throw Error{ErrorCode::NotFound, fmt::format("{}: there is no config.json, so this is no model", path.string())};
}

void describeLoadable(ModelReport& report) {
    const core::ModelSource& source = *report.source;
    const core::ModelConfig& config = source.config();
    report.architecture = config.architecture;
    report.family = config.modelType;
    if (const auto dtype = source.mainDtype()) report.dtype = dtypeName(*dtype);
    report.contextLength = core::positionLimitOf(config);
    int64_t parameters = 0;
    for (const core::ModelTensor& tensor : source.tensors()) parameters += tensor.count();
    report.parameters = parameters;
}

// A model that cannot be loaded may still be one whose parts the engine knows: weights that are missing, say.
void countFromConfig(ModelReport& report) {
    if (report.isGguf) return;
    try {
        report.parameters = core::readModelConfig(report.path).parameterCount();
    } catch (const Error&) {
        report.parameters.reset();  // why is among the problems already
    }
}

void judge(ModelReport& report) {
    const bool hasTokenizer = report.companions.tokenizerProblem.empty();
    ModelSupport& supported = report.supported;
    supported.load = report.source.has_value();
    supported.generate = supported.load && hasTokenizer;
    supported.trainLora = supported.load && hasTokenizer;
    supported.trainFull = supported.trainLora && !report.isGguf;
    supported.exporting = supported.load;
    if (!hasTokenizer) report.problems.push_back(fmt::format("tokenizer: {}", report.companions.tokenizerProblem));
    if (!report.companions.templateProblem.empty())
        report.problems.push_back(fmt::format("chat template: {}", report.companions.templateProblem));
    if (supported.load && report.isGguf)
        report.problems.emplace_back(
            "full tuning of a GGUF file is not supported: its checkpoints would have no tokenizer; tune with lora, or "
            "give the original folder's tokenizer with --tokenizer");
}

}  // namespace

ModelReport inspectModel(const std::filesystem::path& path) {
    ModelReport report;
    report.path = path;
    report.isGguf = path.extension() == ".gguf";
    try {
        report.source = core::ModelSource::open(path);
        // The weights may all be there and a setting still be one that the network lacks.
        core::networkConfigOf(report.source->config());
    } catch (const Error& error) {
        report.source.reset();
        report.problems.emplace_back(error.what());
        describeFromFiles(path, report);
        countFromConfig(report);
    }
    if (report.source) describeLoadable(report);
    report.companions = readCompanions(path);
    judge(report);
    return report;
}

}  // namespace wb::app
