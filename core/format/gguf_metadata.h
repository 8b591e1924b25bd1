// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

namespace wb::core {

// One value as a file is to hold it; the kind decides how it is written (uint32, int32, float32, arrays of them ...).
using GgufField = std::variant<bool, uint32_t, int32_t, float, std::string, std::vector<uint8_t>, std::vector<int32_t>,
                               std::vector<float>, std::vector<std::string>>;

struct GgufEntry {
    std::string key;
    GgufField value;
};

// In the order in which they are written.
using GgufMetadata = std::vector<GgufEntry>;

}  // namespace wb::core
