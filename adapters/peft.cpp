// SPDX-License-Identifier: Apache-2.0
#include "adapters/peft.h"

#include "core/format/safetensors.h"
#include "core/format/weight_hash.h"
#include "core/format/widen.h"
#include "core/model/weights.h"
#include "core/run/atomic_file.h"
#include "kernels/base/error.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

namespace wb::adapters {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr const char* kConfigFile = "adapter_config.json";
constexpr const char* kWeightFile = "adapter_model.safetensors";
constexpr std::string_view kTensorPrefix = "base_model.model.";
constexpr std::string_view kSuffixA = ".lora_A.weight";
constexpr std::string_view kSuffixB = ".lora_B.weight";
constexpr size_t kMaxConfigBytes = size_t{4} << 20;

[[noreturn]] void refuse(const fs::path& file, const std::string& feature) {
    throw Error{ErrorCode::Unsupported, fmt::format("{}: {} is not supported", file.string(), feature)};
}

// A key that is absent, null, false, empty or "none" asks for nothing.
bool asksForNothing(const Json& config, const char* key) {
    const auto found = config.find(key);
    if (found == config.end() || found->is_null()) return true;
    if (found->is_boolean()) return !found->get<bool>();
    if (found->is_string()) return found->get_ref<const std::string&>().empty() || *found == "none";
    return (found->is_array() || found->is_object()) && found->empty();
}

// These initialisations subtract from the base weights what they put into the adapter: on the base as it is published,
// the adapter would be wrong without a word.
void refuseChangedBase(const Json& config, const fs::path& file) {
    const auto found = config.find("init_lora_weights");
    if (found == config.end() || !found->is_string()) return;
    const std::string& way = found->get_ref<const std::string&>();
    for (const char* name : {"pissa", "olora", "corda", "loftq"}) {
        if (way.starts_with(name)) {
            refuse(file, fmt::format("init_lora_weights '{}' (an adapter for changed base weights; convert it to a "
                                     "plain LoRA adapter)",
                                     way));
        }
    }
}

void refuseMissingFeatures(const Json& config, const fs::path& file) {
    const std::string type = config.value("peft_type", std::string("(none)"));
    if (type != "LORA") refuse(file, fmt::format("peft_type '{}' (LORA is)", type));
    const std::string task = config.contains("task_type") && config["task_type"].is_string()
                                 ? config["task_type"].get<std::string>()
                                 : std::string("CAUSAL_LM");
    if (task != "CAUSAL_LM") refuse(file, fmt::format("task_type '{}' (CAUSAL_LM is)", task));
    struct Feature {
        const char* key;
        const char* words;
    };
    static constexpr Feature kFeatures[] = {
        {"use_dora", "use_dora (weight-decomposed adapters)"},
        {"bias", "bias (trained biases)"},
        {"fan_in_fan_out", "fan_in_fan_out (Conv1D weights of the GPT-2 family)"},
        {"modules_to_save", "modules_to_save (whole trained modules)"},
        {"rank_pattern", "rank_pattern (ranks that differ by layer)"},
        {"alpha_pattern", "alpha_pattern (alphas that differ by layer)"},
        {"layers_to_transform", "layers_to_transform"},
        {"megatron_config", "megatron_config"},
        {"trainable_token_indices", "trainable_token_indices (trained embedding rows)"},
        {"target_parameters", "target_parameters"},
        {"layer_replication", "layer_replication (layers used more than once)"},
        {"alora_invocation_tokens", "alora_invocation_tokens (adapters that start inside the text)"},
        {"lora_bias", "lora_bias (biases of the adapter)"},
        {"use_qalora", "use_qalora"},
    };
    for (const Feature& feature : kFeatures) {
        if (!asksForNothing(config, feature.key)) refuse(file, feature.words);
    }
    refuseChangedBase(config, file);
}

int64_t rankOf(const Json& config, const fs::path& file) {
    const auto found = config.find("r");
    if (found == config.end()) return 8;
    // A fraction would be cut without a word.
    if (found->is_number_integer()) return found->get<int64_t>();
    throw Error{ErrorCode::CorruptFile, fmt::format("{}: r is {}, not a whole number", file.string(), found->dump())};
}

std::vector<std::string> targetsOf(const Json& config, const fs::path& file) {
    const auto found = config.find("target_modules");
    if (found == config.end() || found->is_null()) return {};
    if (found->is_array()) return found->get<std::vector<std::string>>();
    if (*found == LoraConfig::kAllLinear) return {LoraConfig::kAllLinear};
    if (found->is_string()) return {};  // a regular expression: the tensor names say what it matched
    throw Error{ErrorCode::CorruptFile, fmt::format("{}: target_modules is neither a list nor a text", file.string())};
}

// "base_model.model.<layer>.lora_A.weight" -> "<layer>"; empty if the name is none of ours.
std::string layerOf(const std::string& tensorName, std::string_view suffix) {
    if (!tensorName.starts_with(kTensorPrefix) || !tensorName.ends_with(suffix)) return {};
    return tensorName.substr(kTensorPrefix.size(), tensorName.size() - kTensorPrefix.size() - suffix.size());
}

std::set<std::string> layersOf(const core::SafetensorsFile& weights) {
    std::set<std::string> layers;
    for (const core::TensorEntry& entry : weights.tensors()) {
        const std::string fromA = layerOf(entry.name, kSuffixA);
        const std::string layer = fromA.empty() ? layerOf(entry.name, kSuffixB) : fromA;
        if (layer.empty()) {
            refuse(weights.path(), fmt::format("adapter tensor '{}'", entry.name));
        }
        layers.insert(layer);
    }
    if (layers.empty()) {
        throw Error{ErrorCode::CorruptFile, fmt::format("{}: holds no adapter tensors", weights.path().string())};
    }
    return layers;
}

void requireLayers(core::LanguageModel& model, const std::set<std::string>& layers, const fs::path& file) {
    std::set<std::string> known;
    model.visitLinears([&known](core::LinearLayer& layer) { known.insert(layer.name); });
    for (const std::string& layer : layers) {
        if (known.contains(layer)) continue;
        if (layer == "lm_head" || layer.ends_with("embed_tokens")) {
            refuse(file, fmt::format("an adapter on {} (only projections inside the blocks can be adapted)", layer));
        }
        throw Error{
            ErrorCode::InvalidArgument,
            fmt::format("{}: adapts '{}', which this {} model does not have; the adapter belongs to another model",
                        file.string(), layer, model.config().modelType)};
    }
}

void requireTensor(const core::SafetensorsFile& weights, const std::string& name, int64_t rows, int64_t columns) {
    const core::TensorEntry* entry = weights.find(name);
    if (entry == nullptr) {
        throw Error{ErrorCode::CorruptFile, fmt::format("{}: tensor '{}' is missing", weights.path().string(), name)};
    }
    if (entry->shape != std::vector<int64_t>{rows, columns}) {
        throw Error{ErrorCode::InvalidArgument,
                    fmt::format("{}: tensor '{}' is {}, the model needs {}x{}", weights.path().string(), name,
                                fmt::join(entry->shape, "x"), rows, columns)};
    }
    if (!entry->dtype || !isFloatingPoint(*entry->dtype)) refuse(weights.path(), "element type " + entry->dtypeText);
}

// Before any memory is taken: the rank in the config could be any number.
void requireTensors(core::LanguageModel& model, const std::set<std::string>& layers, int64_t rank,
                    const core::SafetensorsFile& weights) {
    model.visitLinears([&](core::LinearLayer& layer) {
        if (!layers.contains(layer.name)) return;
        requireTensor(weights, fmt::format("{}{}{}", kTensorPrefix, layer.name, kSuffixA), rank, layer.inFeatures());
        requireTensor(weights, fmt::format("{}{}{}", kTensorPrefix, layer.name, kSuffixB), layer.outFeatures(), rank);
    });
}

void fill(const kernels::Context& context, const core::SafetensorsFile& weights, core::Parameter& parameter) {
    const std::string name = std::string(kTensorPrefix) + parameter.name;
    const core::TensorEntry* entry = weights.find(name);
    std::vector<float> values(static_cast<size_t>(parameter.value.count()));
    core::widenToFloat(*entry->dtype, weights.bytes(*entry), values, name);
    core::assignFloats(context, parameter.value, values);
}

std::vector<std::string> lastParts(LowRankAdapter& adapter) {
    std::set<std::string> parts;
    adapter.visitDeltas([&parts](core::LinearLayer& layer, core::LowRankDelta&) {
        parts.insert(layer.name.substr(layer.name.rfind('.') + 1));
    });
    return {parts.begin(), parts.end()};
}

std::vector<core::NamedTensor> peftTensors(LowRankAdapter& adapter) {
    std::vector<core::NamedTensor> tensors;
    adapter.visitParameters([&tensors](core::Parameter& parameter) {
        tensors.push_back({std::string(kTensorPrefix) + parameter.name, parameter.value});
    });
    return tensors;
}

Json peftJson(LowRankAdapter& adapter, const PeftConfig& source) {
    Json config = source.sourceJson.empty() ? Json::object() : Json::parse(source.sourceJson);
    const auto setIfAbsent = [&config](const char* key, const Json& value) {
        if (!config.contains(key)) config[key] = value;
    };
    config["peft_type"] = "LORA";
    setIfAbsent("task_type", "CAUSAL_LM");
    config["base_model_name_or_path"] = source.baseModel;
    config["r"] = adapter.config().rank;
    const double alpha = adapter.config().alpha;
    const auto whole = static_cast<int64_t>(alpha);
    config["lora_alpha"] = static_cast<double>(whole) == alpha ? Json(whole) : Json(alpha);
    config["lora_dropout"] = adapter.config().dropout;
    config["use_rslora"] = adapter.config().usesRankStabilisedScale;
    setIfAbsent("target_modules", lastParts(adapter));
    setIfAbsent("bias", "none");
    setIfAbsent("fan_in_fan_out", false);
    setIfAbsent("inference_mode", true);
    setIfAbsent("init_lora_weights", true);
    setIfAbsent("use_dora", false);
    for (const char* key : {"modules_to_save", "layers_to_transform", "layers_pattern", "revision"})
        setIfAbsent(key, nullptr);
    for (const char* key : {"rank_pattern", "alpha_pattern"}) setIfAbsent(key, Json::object());
    return config;
}

}  // namespace

bool isPeftFolder(const fs::path& folder) {
    std::error_code error;
    return fs::exists(folder / kConfigFile, error) || fs::exists(folder / kWeightFile, error);
}

PeftConfig readPeftConfig(const fs::path& folder) {
    const fs::path file = folder / kConfigFile;
    PeftConfig peft;
    peft.sourceJson = core::readWholeFile(file, kMaxConfigBytes);
    const Json config = Json::parse(peft.sourceJson, nullptr, /*allow_exceptions=*/false);
    if (!config.is_object()) throw Error{ErrorCode::CorruptFile, fmt::format("{}: is no JSON object", file.string())};
    try {
        refuseMissingFeatures(config, file);
        peft.lora.rank = rankOf(config, file);
        peft.lora.alpha = config.value("lora_alpha", 8.0);
        peft.lora.dropout = config.value("lora_dropout", 0.0);
        peft.lora.usesRankStabilisedScale = config.value("use_rslora", false);
        peft.lora.targets = targetsOf(config, file);
        if (config.contains("base_model_name_or_path") && config["base_model_name_or_path"].is_string()) {
            peft.baseModel = config["base_model_name_or_path"].get<std::string>();
        }
    } catch (const nlohmann::json::exception& error) {
        throw Error{ErrorCode::CorruptFile, fmt::format("{}: {}", file.string(), error.what())};
    }
    constexpr int64_t kMaxRank = 65536;
    if (peft.lora.rank < 1 || peft.lora.rank > kMaxRank) {
        throw Error{ErrorCode::CorruptFile,
                    fmt::format("{}: r is {}, allowed is 1 to {}", file.string(), peft.lora.rank, kMaxRank)};
    }
    return peft;
}

std::unique_ptr<LowRankAdapter> loadPeftAdapter(const kernels::Context& context, core::LanguageModel& model,
                                                const fs::path& folder) {
    PeftConfig peft = readPeftConfig(folder);
    const core::SafetensorsFile weights = core::SafetensorsFile::open(folder / kWeightFile);
    const std::set<std::string> layers = layersOf(weights);
    requireLayers(model, layers, weights.path());
    requireTensors(model, layers, peft.lora.rank, weights);
    // Full names, not target_modules: the file may adapt some layers only.
    peft.lora.targets.assign(layers.begin(), layers.end());
    auto adapter = std::make_unique<LowRankAdapter>(context, model, peft.lora);
    if (context.device.type != DeviceType::Plan) {
        adapter->visitParameters([&](core::Parameter& parameter) { fill(context, weights, parameter); });
    }
    return adapter;
}

void readPeftWeights(const kernels::Context& context, LowRankAdapter& adapter, const fs::path& folder) {
    core::readTensorFile(context, folder / kWeightFile, peftTensors(adapter));
}

void writePeftAdapter(const kernels::Context& context, LowRankAdapter& adapter, const PeftConfig& source,
                      const fs::path& folder) {
    core::writeTensorFile(context, folder / kWeightFile, peftTensors(adapter));
    core::writeFileAtomically(folder / kConfigFile, peftJson(adapter, source).dump(2) + "\n");
}

std::string hashPeftFolder(const fs::path& folder) {
    const core::SafetensorsFile weights = core::SafetensorsFile::open(folder / kWeightFile);
    std::vector<const core::TensorEntry*> entries;
    for (const core::TensorEntry& entry : weights.tensors()) entries.push_back(&entry);
    std::ranges::sort(entries, {}, &core::TensorEntry::name);
    core::WeightHash hash;
    for (const core::TensorEntry* entry : entries) {
        if (!entry->dtype) refuse(weights.path(), "element type " + entry->dtypeText);
        hash.begin(entry->name, *entry->dtype, entry->shape);
        hash.update(weights.bytes(*entry));
    }
    return hash.finish();
}

std::string hashAdapter(const kernels::Context& context, LowRankAdapter& adapter) {
    return core::hashTensors(context, peftTensors(adapter));
}

}  // namespace wb::adapters
