// SPDX-License-Identifier: Apache-2.0
#include "core/model/architectures/architectures.h"

#include "kernels/base/error.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <algorithm>
#include <array>
#include <vector>

namespace wb::core {
namespace {

constexpr std::array kArchitectures{
    Architecture{"llama", "Llama, SmolLM, TinyLlama", llamaBlockConfig},
    Architecture{"mistral", "Mistral", llamaBlockConfig},
    Architecture{"qwen2", "Qwen2, Qwen2.5", llamaBlockConfig},
};

}  // namespace

std::span<const Architecture> architectures() {
    return kArchitectures;
}

const Architecture& architectureOf(const ModelConfig& config) {
    const auto found = std::ranges::find(kArchitectures, config.modelType, &Architecture::modelType);
    if (found != kArchitectures.end()) return *found;
    std::vector<std::string_view> known;
    for (const Architecture& architecture : kArchitectures) known.push_back(architecture.modelType);
    throw Error{ErrorCode::Unsupported, fmt::format("model type '{}' is not supported; known are {}", config.modelType,
                                                    fmt::join(known, ", "))};
}

}  // namespace wb::core
