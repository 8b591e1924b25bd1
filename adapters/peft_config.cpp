// SPDX-License-Identifier: Apache-2.0
#include "adapters/peft.h"

#include "adapters/peft_tensors.h"
#include "core/run/atomic_file.h"
#include "kernels/base/error.h"

#include <fmt/format.h>
#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>

namespace wb::adapters {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr size_t kMaxConfigBytes = size_t{4} << 20;
constexpr int64_t kMaxRank = 65536;

[[noreturn]] void refuse(const fs::path& file, const std::string& feature) {
    throw Error{ErrorCode::Unsupported, fmt::format("{}: {} is not supported", file.string(), feature)};
}

[[noreturn]] void corrupt(const fs::path& file, const std::string& what) {
    throw Error{ErrorCode::CorruptFile, fmt::format("{}: {}", file.string(), what)};
}

// A key that is absent, null, false, empty or "none" asks for nothing.
bool asksForNothing(const Json& config, const char* key) {
    const auto found = config.find(key);
    if (found == config.end() || found->is_null()) return true;
    if (found->is_boolean()) return !found->get<bool>();
    if (found->is_string()) return found->get_ref<const std::string&>().empty() || *found == "none";
    return (found->is_array() || found->is_object()) && found->empty();
}

// How A and B began does not matter once they are trained - unless the beginning was taken out of the base weights: on
// the base as it is published, such an adapter would be wrong without a word.
void refuseChangedBase(const Json& config, const fs::path& file) {
    const auto found = config.find("init_lora_weights");
    if (found == config.end() || !found->is_string()) return;
    std::string way = found->get<std::string>();
    std::ranges::transform(way, way.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    for (const char* name : {"pissa", "olora", "corda", "loftq", "lora_ga"}) {
        if (way.starts_with(name)) {
            refuse(file, fmt::format("init_lora_weights '{}' (an adapter for changed base weights; convert it to a "
                                     "plain LoRA adapter)",
                                     way));
        }
    }
    for (const char* name : {"gaussian", "eva", "orthogonal", "mica"}) {
        if (way == name) return;
    }
    refuse(file, fmt::format("init_lora_weights '{}'", way));
}

struct Feature {
    const char* key;
    const char* words;
};
constexpr std::array kMissingFeatures{
    Feature{"megatron_config", "megatron_config"},
    Feature{"trainable_token_indices", "trainable_token_indices (trained embedding rows)"},
    Feature{"target_parameters", "target_parameters"},
    Feature{"layer_replication", "layer_replication (layers used more than once)"},
    Feature{"alora_invocation_tokens", "alora_invocation_tokens (adapters that start inside the text)"},
    Feature{"use_qalora", "use_qalora"},
    Feature{"use_bdlora", "use_bdlora (block-diagonal adapters)"},
    Feature{"arrow_config", "arrow_config (routing between adapters)"},
    Feature{"kasa_config", "kasa_config"},
    Feature{"velora_config", "velora_config"},
    Feature{"monteclora_config", "monteclora_config"},
    Feature{"ensure_weight_tying", "ensure_weight_tying (adapters shared by tied layers)"},
};

void refuseMissingFeatures(const Json& config, const fs::path& file) {
    const std::string type = config.value("peft_type", std::string("(none)"));
    if (type != "LORA") refuse(file, fmt::format("peft_type '{}' (LORA is)", type));
    for (const Feature& feature : kMissingFeatures) {
        if (!asksForNothing(config, feature.key)) refuse(file, feature.words);
    }
    refuseChangedBase(config, file);
}

std::string taskTypeOf(const Json& config, const fs::path& file) {
    const auto found = config.find("task_type");
    if (found == config.end() || found->is_null()) return {};
    const std::string task = found->get<std::string>();
    if (task != "CAUSAL_LM" && task != "SEQ_2_SEQ_LM")
        refuse(file, fmt::format("task_type '{}' (CAUSAL_LM and SEQ_2_SEQ_LM are)", task));
    return task;
}

int64_t checkedRank(const Json& value, const std::string& key, const fs::path& file) {
    // A fraction would be cut without a word.
    if (!value.is_number_integer()) corrupt(file, fmt::format("{} is {}, not a whole number", key, value.dump()));
    const auto rank = value.get<int64_t>();
    if (rank < 1 || rank > kMaxRank)
        corrupt(file, fmt::format("{} is {}, allowed is 1 to {}", key, value.dump(), kMaxRank));
    return rank;
}

double checkedNumber(const Json& value, const std::string& key, const fs::path& file) {
    if (!value.is_number()) corrupt(file, fmt::format("{} is {}, not a number", key, value.dump()));
    const auto number = value.get<double>();
    if (!std::isfinite(number)) corrupt(file, fmt::format("{} is {}", key, value.dump()));
    return number;
}

// A list of names, or one text: an expression.
void readSelection(const Json& config, const char* key, std::vector<std::string>& names, std::string& expression) {
    const auto found = config.find(key);
    if (found == config.end() || found->is_null()) return;
    if (found->is_string()) {
        expression = found->get<std::string>();
    } else {
        names = found->get<std::vector<std::string>>();
    }
}

template <class Value>
std::vector<Value> oneOrMany(const Json& config, const char* key) {
    const auto found = config.find(key);
    if (found == config.end() || found->is_null()) return {};
    if (found->is_array()) return found->get<std::vector<Value>>();
    return {found->get<Value>()};
}

void readTargets(const Json& config, PeftConfig& peft, const fs::path& file) {
    LoraConfig& lora = peft.lora;
    lora.targets.clear();
    readSelection(config, "target_modules", lora.targets, lora.targetExpression);
    std::string lower = lora.targetExpression;
    std::ranges::transform(lower, lower.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    if (lower == LoraConfig::kAllLinear) {
        lora.targetExpression.clear();
        lora.targets = {LoraConfig::kAllLinear};
    }
    peft.namesTargets = !lora.targets.empty() || !lora.targetExpression.empty();
    readSelection(config, "exclude_modules", lora.excluded, lora.excludedExpression);
    for (const Json& layer : oneOrMany<Json>(config, "layers_to_transform")) {
        if (!layer.is_number_integer())
            corrupt(file, fmt::format("layers_to_transform holds {}, not a whole number", layer.dump()));
        lora.layers.push_back(layer.get<int64_t>());
    }
    lora.layerPatterns = oneOrMany<std::string>(config, "layers_pattern");
    if (!lora.layers.empty() && !lora.targetExpression.empty())
        corrupt(file, "layers_to_transform cannot be combined with an expression in target_modules");
    lora.savedModules = oneOrMany<std::string>(config, "modules_to_save");
}

void readPatterns(const Json& config, LoraConfig& lora, const fs::path& file) {
    const auto each = [&](const char* key, const auto& add) {
        if (asksForNothing(config, key)) return;
        if (!config[key].is_object()) corrupt(file, fmt::format("{} is no object", key));
        for (const auto& [name, value] : config[key].items()) add(name, value);
    };
    each("rank_pattern", [&](const std::string& name, const Json& value) {
        lora.rankPattern.emplace_back(name, checkedRank(value, "rank_pattern of " + name, file));
    });
    each("alpha_pattern", [&](const std::string& name, const Json& value) {
        lora.alphaPattern.emplace_back(name, checkedNumber(value, "alpha_pattern of " + name, file));
    });
}

BiasTraining biasesOf(const Json& config, const fs::path& file) {
    if (asksForNothing(config, "bias")) return BiasTraining::None;
    if (config["bias"] == "all") return BiasTraining::All;
    if (config["bias"] == "lora_only") return BiasTraining::AdaptedLayers;
    refuse(file, fmt::format("bias {} (none, all and lora_only are)", config["bias"].dump()));
}

void readLora(const Json& config, PeftConfig& peft, const fs::path& file) {
    LoraConfig& lora = peft.lora;
    const auto flag = [&config](const char* key) {
        return config.contains(key) && !config[key].is_null() && config[key].get<bool>();
    };
    lora.rank = config.contains("r") ? checkedRank(config["r"], "r", file) : 8;
    lora.alpha = config.contains("lora_alpha") ? checkedNumber(config["lora_alpha"], "lora_alpha", file) : 8;
    lora.dropout = config.contains("lora_dropout") ? checkedNumber(config["lora_dropout"], "lora_dropout", file) : 0;
    if (lora.dropout < 0 || lora.dropout >= 1) corrupt(file, fmt::format("lora_dropout is {}", lora.dropout));
    lora.usesRankStabilisedScale = flag("use_rslora");
    lora.usesMagnitude = flag("use_dora");
    lora.hasBiasB = flag("lora_bias");
    if (lora.usesMagnitude && lora.hasBiasB) corrupt(file, "lora_bias cannot be combined with use_dora");
    lora.biases = biasesOf(config, file);
    readTargets(config, peft, file);
    readPatterns(config, lora, file);
}

Json wholeIfWhole(double number) {
    // Other readers want a whole number where it is one.
    if (number == std::floor(number) && std::abs(number) < 1e15) return Json(static_cast<int64_t>(number));
    return Json(number);
}

const char* biasWord(BiasTraining biases) {
    switch (biases) {
        case BiasTraining::All: return "all";
        case BiasTraining::AdaptedLayers: return "lora_only";
        case BiasTraining::None: break;
    }
    return "none";
}

template <class Value>
Json patternJson(const std::vector<std::pair<std::string, Value>>& pattern) {
    Json json = Json::object();
    for (const auto& [name, value] : pattern) json[name] = wholeIfWhole(static_cast<double>(value));
    return json;
}

bool endsWithPart(const std::string& name, const std::string& ending) {
    return name == ending || name.ends_with("." + ending);
}

// Every module of the model that a name could mean, those around others too.
std::set<std::string> modulesOf(core::LanguageModel& model) {
    std::set<std::string> modules;
    model.visitParameters([&modules](core::Parameter& parameter) {
        for (size_t dot = parameter.name.rfind('.'); dot != std::string::npos && dot > 0;
             dot = parameter.name.rfind('.', dot - 1)) {
            modules.insert(parameter.name.substr(0, dot));
        }
    });
    return modules;
}

}  // namespace

std::vector<std::string> exactTargets(LowRankAdapter& adapter) {
    std::set<std::string> adapted;
    adapter.visitParameters([&adapted](const core::Parameter& parameter) {
        const PeftTensorName name = parsePeftName(parameter.name, {});
        if (name.part == PeftPart::LoraA || name.part == PeftPart::EmbeddingA) adapted.insert(name.module);
    });
    std::set<std::string> others = modulesOf(adapter.model());
    others.insert(adapter.model().headName());  // a module even if tied
    for (const std::string& name : adapted) others.erase(name);
    std::set<std::string> endings;
    for (const std::string& name : adapted) {
        size_t begin = name.size();
        do {
            const size_t dot = begin == 0 ? std::string::npos : name.rfind('.', begin - 2);
            begin = dot == std::string::npos ? 0 : dot + 1;
        } while (begin > 0 && std::ranges::any_of(others, [&](const std::string& other) {
                     return endsWithPart(other, name.substr(begin));
                 }));
        endings.insert(name.substr(begin));
    }
    return {endings.begin(), endings.end()};
}

bool adaptsTransposed(LowRankAdapter& adapter) {
    bool isTransposed = false;
    adapter.visitDeltas([&isTransposed](const core::LinearLayer& layer, const core::LowRankDelta&) {
        isTransposed = isTransposed || layer.weight.isTransposedInFile;
    });
    return isTransposed;
}

std::string peftConfigText(LowRankAdapter& adapter, const PeftConfig& source) {
    const LoraConfig& lora = adapter.config();
    Json config = source.sourceJson.empty() ? Json::object() : Json::parse(source.sourceJson);
    const auto setIfAbsent = [&config](const char* key, const Json& value) {
        if (!config.contains(key)) config[key] = value;
    };
    config["peft_type"] = "LORA";
    setIfAbsent("task_type", adapter.model().isEncoderDecoder() ? "SEQ_2_SEQ_LM" : "CAUSAL_LM");
    config["base_model_name_or_path"] = source.baseModel;
    config["r"] = lora.rank;
    config["lora_alpha"] = wholeIfWhole(lora.alpha);
    config["lora_dropout"] = lora.dropout;
    config["use_rslora"] = lora.usesRankStabilisedScale;
    setIfAbsent("target_modules", exactTargets(adapter));
    setIfAbsent("bias", biasWord(lora.biases));
    setIfAbsent("fan_in_fan_out", adaptsTransposed(adapter));
    setIfAbsent("inference_mode", true);
    setIfAbsent("init_lora_weights", true);
    setIfAbsent("use_dora", lora.usesMagnitude);
    setIfAbsent("lora_bias", lora.hasBiasB);
    setIfAbsent("modules_to_save", lora.savedModules.empty() ? Json(nullptr) : Json(lora.savedModules));
    for (const char* key : {"layers_to_transform", "layers_pattern", "revision"}) setIfAbsent(key, nullptr);
    setIfAbsent("rank_pattern", patternJson(lora.rankPattern));
    setIfAbsent("alpha_pattern", patternJson(lora.alphaPattern));
    return config.dump(2) + "\n";
}

PeftConfig readPeftConfig(const fs::path& folder) {
    const fs::path file = folder / kPeftConfigFile;
    PeftConfig peft;
    peft.sourceJson = core::readWholeFile(file, kMaxConfigBytes);
    const Json config = Json::parse(peft.sourceJson, nullptr, /*allow_exceptions=*/false);
    if (!config.is_object()) corrupt(file, "is no JSON object");
    try {
        refuseMissingFeatures(config, file);
        peft.taskType = taskTypeOf(config, file);
        readLora(config, peft, file);
        if (config.contains("base_model_name_or_path") && config["base_model_name_or_path"].is_string()) {
            peft.baseModel = config["base_model_name_or_path"].get<std::string>();
        }
    } catch (const nlohmann::json::exception& error) {
        corrupt(file, error.what());
    }
    return peft;
}

}  // namespace wb::adapters
