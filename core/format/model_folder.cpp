// SPDX-License-Identifier: Apache-2.0
#include "core/format/model_folder.h"

#include "core/format/gguf_config.h"
#include "core/format/gguf_weights.h"
#include "core/format/weight_files.h"
#include "core/format/weight_hash.h"
#include "core/format/widen.h"
#include "core/model/architectures/architectures.h"
#include "kernels/base/error.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <algorithm>
#include <array>
#include <cstring>
#include <map>

namespace wb::core {
namespace {

namespace fs = std::filesystem;

// What older checkpoints carry and no network reads: buffers that follow from the config, a table of T5's
// cross-attention; a tied head or another name of a shared table that was stored all the same.
bool isIgnorable(std::string_view name, const NetworkConfig& network) {
    constexpr std::array kBuffers{".rotary_emb.inv_freq",   ".attn.bias",
                                  ".attn.masked_bias",      ".attention.bias",
                                  ".attention.masked_bias", ".embed_positions.weights",
                                  ".causal_mask",           ".EncDecAttention.relative_attention_bias.weight",
                                  "rope_freqs.weight",      ".rotary_emb.original_inv_freq"};
    return std::ranges::any_of(kBuffers, [&](const char* ending) { return name.ends_with(ending); }) ||
           (network.head.name.empty() && (name == "lm_head.weight" || name == "embed_out.weight")) ||
           std::ranges::find(network.aliases, name) != network.aliases.end();
}

// A tensor inside the network that the config does not know would change every result if it were left out.
bool isInsideNetwork(std::string_view name, const NetworkConfig& network) {
    const std::string_view prefix = network.prefix;
    return (!prefix.empty() && name.starts_with(prefix)) || name.starts_with("encoder.") ||
           name.starts_with("decoder.") || name.starts_with("blk.") || name.starts_with("enc.") ||
           name.starts_with("dec.") || name.starts_with("lm_head.");
}

void checkStored(const StoredTensor& stored, const ExpectedTensor& expected, const std::string& source) {
    if (stored.shape != expected.shape) {
        throw Error{ErrorCode::CorruptFile,
                    fmt::format("{}: tensor '{}' has shape [{}], the config asks for [{}]", source, stored.name,
                                fmt::join(stored.shape, ", "), fmt::join(expected.shape, ", "))};
    }
    const bool isWeight = stored.dtype && (isFloatingPoint(*stored.dtype) || *stored.dtype == DType::Q8_0 ||
                                           *stored.dtype == DType::Q4_0);
    if (isWeight && *stored.dtype != DType::F64) return;
    throw Error{
        ErrorCode::Unsupported,
        fmt::format("{}: tensor '{}' is stored as {}; supported are F32, F16, BF16 and (in GGUF) Q8_0, Q4_0, Q4_1, "
                    "Q5_0, Q5_1 and Q2_K to Q6_K, so get the model in one of these",
                    source, stored.name, stored.typeText)};
}

struct OpenedModel {
    fs::path folder;
    ModelConfig config;
    GenerationConfig generationConfig;
    WeightFiles files;
};

const StoredTensor* findStored(const WeightFiles& files, std::string_view name) {
    const auto found = std::ranges::find(files.tensors, name, &StoredTensor::name);
    return found == files.tensors.end() ? nullptr : &*found;
}

// A model saved without its head has no "model." or "transformer." in front of its names.
void addMissingPrefix(WeightFiles& files, const NetworkConfig& network) {
    const std::string embedding = network.decoder.embedding + ".weight";
    if (network.prefix.empty() || findStored(files, embedding) != nullptr) return;
    if (findStored(files, embedding.substr(network.prefix.size())) == nullptr) return;
    for (StoredTensor& tensor : files.tensors) tensor.name.insert(0, network.prefix);
}

// A file may hold a head of its own although its config calls it tied, as T5 files of transformers 5 do: what is stored
// counts, there as here.
void untieStoredHead(OpenedModel& model) {
    if (!model.config.tieWordEmbeddings) return;
    const std::string table = networkConfigOf(model.config).decoder.embedding + ".weight";
    const StoredTensor* head = findStored(model.files, "lm_head.weight");
    const StoredTensor* embedding = findStored(model.files, table);
    if (head == nullptr || embedding == nullptr || head->shape != embedding->shape) return;
    model.config.tieWordEmbeddings = std::ranges::equal(head->bytes, embedding->bytes);
}

OpenedModel openGguf(const fs::path& path) {
    GgufFile file = GgufFile::open(path);
    OpenedModel model;
    model.folder = path.parent_path();
    model.config = modelConfigFromGguf(file);
    model.generationConfig = {.bosTokenId = model.config.bosTokenId,
                              .eosTokenIds = model.config.eosTokenIds,
                              .padTokenId = model.config.padTokenId};
    model.files = openGgufWeights(std::move(file), model.config);
    return model;
}

OpenedModel openFolder(const fs::path& folder, const fs::path& weightFile) {
    if (!fs::exists(folder / "config.json")) {
        throw Error{
            ErrorCode::NotFound,
            fmt::format("{}: has no config.json; a model is a Hugging Face folder (config.json, model.safetensors, "
                        "tokenizer) or a .gguf file",
                        folder.string())};
    }
    OpenedModel model;
    model.folder = folder;
    model.config = readModelConfig(folder);
    model.generationConfig = readGenerationConfig(folder, model.config);
    // Where the two files differ, answers begin as the one that is about answers says.
    model.config.decoderStartTokenId = model.generationConfig.decoderStartTokenId;
    model.files = weightFile.empty() ? openWeightFolder(folder) : openWeightFile(weightFile);
    addMissingPrefix(model.files, networkConfigOf(model.config));
    untieStoredHead(model);
    return model;
}

OpenedModel openAny(const fs::path& path) {
    if (!fs::exists(path)) throw Error{ErrorCode::NotFound, fmt::format("{}: there is no such model", path.string())};
    if (fs::is_directory(path)) return openFolder(path, {});
    const fs::path folder = path.has_parent_path() ? path.parent_path() : fs::path(".");
    if (path.filename() == "config.json") return openFolder(folder, {});
    if (path.extension() == ".gguf") return openGguf(path);
    // Any other file is judged by its bytes, so that a pickle or an LFS pointer is named as such.
    const auto head = MappedFile::open(path);
    const auto bytes = head.bytes();
    if (bytes.size() >= 4 && std::memcmp(bytes.data(), "GGUF", 4) == 0) return openGguf(path);
    if (fs::exists(folder / "config.json")) return openFolder(folder, path);
    SafetensorsFile::open(path);
    return openFolder(folder, path);
}

constexpr std::array kCompanions{
    "tokenizer.json",
    "tokenizer.model",
    "spiece.model",
    "sentencepiece.bpe.model",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "merges.txt",
    "chat_template.jinja",
    "chat_template.json",
    "generation_config.json",
};

}  // namespace

int64_t ModelTensor::count() const {
    int64_t count = 1;
    for (const int64_t extent : shape) count *= extent;
    return count;
}

struct ModelSource::Impl {
    fs::path path;
    OpenedModel model;
    std::vector<ModelTensor> tensors;
    std::vector<std::string> unused;
    std::map<std::string, const StoredTensor*, std::less<>> stored;

    const StoredTensor& find(std::string_view name) const {
        const auto found = stored.find(name);
        if (found != stored.end()) return *found->second;
        throw Error{ErrorCode::NotFound, fmt::format("{}: has no tensor '{}'", path.string(), name)};
    }

    // Matches files against config; fills tensors, unused and stored.
    void match();
};

void ModelSource::Impl::match() {
    std::map<std::string_view, const ExpectedTensor*> wanted;
    const NetworkConfig network = networkConfigOf(model.config);
    const std::vector<ExpectedTensor> expected = expectedTensors(network);
    for (const ExpectedTensor& tensor : expected) wanted.emplace(tensor.name, &tensor);
    std::vector<std::string> unexpected;
    for (const StoredTensor& tensor : model.files.tensors) {
        const auto found = wanted.find(tensor.name);
        if (found != wanted.end()) {
            checkStored(tensor, *found->second, path.string());
            stored.emplace(tensor.name, &tensor);
            tensors.push_back({tensor.name, *tensor.dtype, tensor.shape});
            wanted.erase(found);
        } else if (stored.contains(tensor.name)) {
            throw Error{ErrorCode::CorruptFile,
                        fmt::format("{}: tensor '{}' is in two files", path.string(), tensor.name)};
        } else if (!isIgnorable(tensor.name, network)) {
            (isInsideNetwork(tensor.name, network) ? unexpected : unused).push_back(tensor.name);
        }
    }
    std::erase_if(wanted, [](const auto& entry) { return entry.second->isOptional; });
    if (!wanted.empty() || !unexpected.empty()) {
        std::vector<std::string> missing;
        for (const auto& [name, tensor] : wanted) missing.emplace_back(name);
        const bool isHeadMissing = std::ranges::find(missing, "lm_head.weight") != missing.end();
        throw Error{
            ErrorCode::CorruptFile,
            fmt::format("{}: the weights do not fit the config; missing ({}): {}; unexpected ({}): {}{}", path.string(),
                        missing.size(), listedNames(missing), unexpected.size(), listedNames(unexpected),
                        isHeadMissing ? "; if the head shares the embedding, set 'tie_word_embeddings' to true in "
                                        "config.json"
                                      : "")};
    }
    std::ranges::sort(tensors, {}, &ModelTensor::name);
}

ModelSource::ModelSource(std::unique_ptr<Impl> impl) : m_impl(std::move(impl)) {}
ModelSource::ModelSource(ModelSource&&) noexcept = default;
ModelSource& ModelSource::operator=(ModelSource&&) noexcept = default;
ModelSource::~ModelSource() = default;

ModelSource ModelSource::open(const fs::path& path) {
    auto impl = std::make_unique<Impl>();
    impl->path = path;
    impl->model = openAny(path);
    impl->match();
    return ModelSource(std::move(impl));
}

std::optional<DType> ModelSource::mainDtype() const {
    std::map<DType, int64_t> counts;
    for (const ModelTensor& tensor : tensors()) counts[tensor.dtype] += tensor.count();
    const auto most = std::ranges::max_element(counts, {}, [](const auto& entry) { return entry.second; });
    return most == counts.end() ? std::nullopt : std::optional(most->first);
}

const fs::path& ModelSource::path() const {
    return m_impl->path;
}

bool ModelSource::isGguf() const {
    return m_impl->model.files.gguf.has_value();
}

const ModelConfig& ModelSource::config() const {
    return m_impl->model.config;
}

const GenerationConfig& ModelSource::generationConfig() const {
    return m_impl->model.generationConfig;
}

const std::vector<ModelTensor>& ModelSource::tensors() const {
    return m_impl->tensors;
}

const std::vector<std::string>& ModelSource::unusedTensors() const {
    return m_impl->unused;
}

bool ModelSource::has(std::string_view name) const {
    return m_impl->stored.contains(name);
}

const ModelTensor& ModelSource::tensor(std::string_view name) const {
    const auto found = std::ranges::lower_bound(m_impl->tensors, name, {}, &ModelTensor::name);
    if (found != m_impl->tensors.end() && found->name == name) return *found;
    throw Error{ErrorCode::NotFound, fmt::format("{}: has no tensor '{}'", m_impl->path.string(), name)};
}

RawTensor ModelSource::readTensor(std::string_view name) const {
    const StoredTensor& stored = m_impl->find(name);
    RawTensor raw;
    raw.dtype = *stored.dtype;
    raw.shape = stored.shape;
    raw.bytes = stored.bytes;
    if (stored.convert) {
        raw.ownedBytes = stored.convert();
        raw.bytes = raw.ownedBytes;
    }
    return raw;
}

void ModelSource::readTensorAsFloat(std::string_view name, std::span<float> out) const {
    const RawTensor raw = readTensor(name);
    if (const int64_t count = tensor(name).count(); static_cast<int64_t>(out.size()) != count) {
        throw Error{ErrorCode::InvalidArgument,
                    fmt::format("tensor '{}' has {} elements, room was given for {}", name, count, out.size())};
    }
    widenToFloat(raw.dtype, raw.bytes, out, name);
}

std::string ModelSource::weightHash() const {
    WeightHash hash;
    for (const ModelTensor& tensor : m_impl->tensors) {
        const RawTensor raw = readTensor(tensor.name);
        hash.begin(tensor.name, raw.dtype, raw.shape);
        hash.update(raw.bytes);
    }
    return hash.finish();
}

std::vector<fs::path> ModelSource::weightFiles() const {
    const WeightFiles& files = m_impl->model.files;
    if (files.gguf) return {files.gguf->path()};
    std::vector<fs::path> paths;
    for (const SafetensorsFile& file : files.safetensors) paths.push_back(file.path());
    return paths;
}

std::vector<fs::path> companionFilesOf(const fs::path& modelFolder) {
    std::vector<fs::path> paths;
    for (const char* name : kCompanions) {
        std::error_code error;
        if (fs::is_regular_file(modelFolder / name, error)) paths.push_back(modelFolder / name);
    }
    return paths;
}

}  // namespace wb::core
