// SPDX-License-Identifier: Apache-2.0
// The tiny models under tests/golden/models and what the reference library computes with them.
#pragma once

#include "core/format/safetensors.h"

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

namespace wb::test {

struct GoldenTensor {
    std::vector<int64_t> shape;
    std::vector<float> values;

    float largest() const;  // of the absolute values
};

class GoldenModel {
public:
    explicit GoldenModel(const std::string& name);

    // All folders of tests/golden/models, in order.
    static std::vector<std::string> names();

    const std::filesystem::path& folder() const { return m_folder; }
    bool isEncoderDecoder() const { return m_expected.contains("sources"); }

    // The rows of a list of lists one after the other; bounds = cu_seqlens.
    struct Packed {
        std::vector<int32_t> ids;
        std::vector<int32_t> bounds{0};
    };
    Packed packed(const char* key) const;

    const nlohmann::json& expected() const { return m_expected; }
    GoldenTensor tensor(const std::string& name) const;
    // Names of the weights whose gradients are stored, without "grad.".
    std::vector<std::string> gradientNames() const;

private:
    std::filesystem::path m_folder;
    nlohmann::json m_expected;
    core::SafetensorsFile m_tensors;
};

}  // namespace wb::test
