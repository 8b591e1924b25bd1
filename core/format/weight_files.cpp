// SPDX-License-Identifier: Apache-2.0
#include "core/format/weight_files.h"

#include "core/format/foreign_weights.h"
#include "core/format/json_reader.h"
#include "kernels/base/error.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <algorithm>
#include <map>

namespace wb::core {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMaxIndexBytes = size_t{64} << 20;

void addTensors(WeightFiles& files) {
    for (const SafetensorsFile& file : files.safetensors) {
        for (const TensorEntry& entry : file.tensors()) {
            files.tensors.push_back({entry.name, entry.dtypeText, entry.dtype, entry.shape, file.bytes(entry), {}});
        }
    }
}

// Tensor name -> file name, of model.safetensors.index.json.
std::map<std::string, std::string> readIndex(const fs::path& indexPath) {
    const nlohmann::json root = readJsonFile(indexPath, kMaxIndexBytes);
    const JsonObject object(root, indexPath.string());
    const nlohmann::json* weightMap = object.find("weight_map");
    if (weightMap == nullptr || !weightMap->is_object()) object.fail("weight_map", "is missing or no object");
    std::map<std::string, std::string> fileOfTensor;
    for (const auto& [tensor, file] : weightMap->items()) {
        if (!file.is_string()) object.fail("weight_map", fmt::format("gives no file name for '{}'", tensor));
        const auto& name = file.get_ref<const std::string&>();
        // The index must not reach out of its own folder.
        if (name.empty() || fs::path(name).filename() != name || name == "." || name == "..") {
            object.fail("weight_map", fmt::format("names the file '{}', which is no plain file name", name));
        }
        fileOfTensor.emplace(tensor, name);
    }
    return fileOfTensor;
}

void checkAgainstIndex(const fs::path& indexPath, const std::map<std::string, std::string>& fileOfTensor,
                       const WeightFiles& files) {
    std::vector<std::string> missing;
    std::vector<std::string> unexpected;
    std::map<std::string, const SafetensorsFile*> fileByName;
    for (const SafetensorsFile& file : files.safetensors) {
        const std::string fileName = file.path().filename().string();
        fileByName[fileName] = &file;
        for (const TensorEntry& entry : file.tensors()) {
            const auto found = fileOfTensor.find(entry.name);
            if (found == fileOfTensor.end() || found->second != fileName) {
                unexpected.push_back(fmt::format("{} in {}", entry.name, fileName));
            }
        }
    }
    for (const auto& [tensor, fileName] : fileOfTensor) {
        if (fileByName.at(fileName)->find(tensor) == nullptr)
            missing.push_back(fmt::format("{} in {}", tensor, fileName));
    }
    if (missing.empty() && unexpected.empty()) return;
    throw Error{ErrorCode::CorruptFile, fmt::format("{}: the index and its files disagree; missing: {}; unexpected: {}",
                                                    indexPath.string(), listedNames(missing), listedNames(unexpected))};
}

WeightFiles openShards(const fs::path& folder, const fs::path& indexPath) {
    const auto fileOfTensor = readIndex(indexPath);
    std::vector<std::string> names;
    for (const auto& [tensor, file] : fileOfTensor) names.push_back(file);
    std::ranges::sort(names);
    names.erase(std::unique(names.begin(), names.end()), names.end());
    WeightFiles files;
    for (const std::string& name : names) {
        if (!fs::exists(folder / name)) {
            throw Error{ErrorCode::NotFound,
                        fmt::format("{}: the index names the file '{}', which is not there; {} of {} "
                                    "weight files were looked for",
                                    indexPath.string(), name, files.safetensors.size() + 1, names.size())};
        }
        files.safetensors.push_back(SafetensorsFile::open(folder / name));
    }
    checkAgainstIndex(indexPath, fileOfTensor, files);
    addTensors(files);
    return files;
}

std::vector<fs::path> filesOf(const fs::path& folder) {
    std::vector<fs::path> files;
    for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
        if (entry.is_regular_file()) files.push_back(entry.path());
    }
    std::ranges::sort(files);
    return files;
}

// No safetensors: says what the folder holds instead, which is mostly pickle.
[[noreturn]] void failNoWeights(const fs::path& folder, const std::vector<fs::path>& files) {
    for (const fs::path& file : files) {
        const fs::path extension = file.extension();
        if (extension == ".bin" || extension == ".pt" || extension == ".pth" || extension == ".ckpt") {
            refuseForeignWeights(MappedFile::open(file).bytes(), file.string(), WeightContainer::Safetensors);
        }
        if (extension == ".gguf") {
            throw Error{ErrorCode::NotFound,
                        fmt::format("{}: has no model.safetensors; to use the GGUF file, open {} itself",
                                    folder.string(), file.string())};
        }
    }
    throw Error{ErrorCode::NotFound,
                fmt::format("{}: has no model.safetensors and no model.safetensors.index.json", folder.string())};
}

}  // namespace

std::string listedNames(const std::vector<std::string>& names) {
    constexpr size_t kShown = 12;
    if (names.empty()) return "none";
    const auto end = names.begin() + static_cast<std::ptrdiff_t>(std::min(names.size(), kShown));
    std::string text = fmt::format("{}", fmt::join(names.begin(), end, ", "));
    if (names.size() > kShown) text += fmt::format(" and {} more", names.size() - kShown);
    return text;
}

WeightFiles openWeightFile(const fs::path& safetensorsFile) {
    WeightFiles files;
    files.safetensors.push_back(SafetensorsFile::open(safetensorsFile));
    addTensors(files);
    return files;
}

WeightFiles openWeightFolder(const fs::path& folder) {
    if (fs::exists(folder / "model.safetensors")) return openWeightFile(folder / "model.safetensors");
    const fs::path index = folder / "model.safetensors.index.json";
    if (fs::exists(index)) return openShards(folder, index);
    const std::vector<fs::path> files = filesOf(folder);
    WeightFiles result;
    for (const fs::path& file : files) {
        // An adapter in the same folder is no part of the base.
        if (file.extension() == ".safetensors" && !file.filename().string().starts_with("adapter_")) {
            result.safetensors.push_back(SafetensorsFile::open(file));
        }
    }
    if (result.safetensors.empty()) failNoWeights(folder, files);
    addTensors(result);
    return result;
}

}  // namespace wb::core
