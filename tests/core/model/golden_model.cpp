// SPDX-License-Identifier: Apache-2.0
#include "tests/core/model/golden_model.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <fstream>

namespace wb::test {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kGradientPrefix = "grad.";

fs::path goldenFolder() {
    return fs::path(WHETBENCH_SOURCE_DIR) / "tests/golden/models";
}

}  // namespace

float GoldenTensor::largest() const {
    float largest = 0;
    for (const float value : values) largest = std::max(largest, std::abs(value));
    return largest;
}

GoldenModel::GoldenModel(const std::string& name)
    : m_folder(goldenFolder() / name),
      m_expected(nlohmann::json::parse(std::ifstream(m_folder / "expected.json"))),
      m_tensors(core::SafetensorsFile::open(m_folder / "expected.safetensors")) {}

std::vector<std::string> GoldenModel::names() {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(goldenFolder())) {
        if (entry.is_directory()) names.push_back(entry.path().filename().string());
    }
    std::ranges::sort(names);
    return names;
}

GoldenModel::Packed GoldenModel::packed(const char* key) const {
    Packed packed;
    for (const auto& row : m_expected.at(key)) {
        const auto ids = row.get<std::vector<int32_t>>();
        packed.ids.insert(packed.ids.end(), ids.begin(), ids.end());
        packed.bounds.push_back(static_cast<int32_t>(packed.ids.size()));
    }
    return packed;
}

GoldenTensor GoldenModel::tensor(const std::string& name) const {
    const core::TensorEntry* entry = m_tensors.find(name);
    if (entry == nullptr || entry->dtype != DType::F32) throw std::runtime_error("no F32 tensor " + name);
    GoldenTensor tensor{entry->shape, std::vector<float>(entry->bytes() / sizeof(float))};
    std::memcpy(tensor.values.data(), m_tensors.bytes(*entry).data(), entry->bytes());
    return tensor;
}

std::vector<std::string> GoldenModel::gradientNames() const {
    std::vector<std::string> names;
    for (const core::TensorEntry& entry : m_tensors.tensors()) {
        if (entry.name.starts_with(kGradientPrefix)) names.push_back(entry.name.substr(kGradientPrefix.size()));
    }
    std::ranges::sort(names);
    return names;
}

}  // namespace wb::test
