// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "core/format/model_config.h"

namespace wb::app {

// A model shape that benchmarks know by name.
struct BenchConfig {
    std::string_view name;
    std::string_view what;
    std::string_view json;  // a config.json
};

std::span<const BenchConfig> benchConfigs();

// One of the shapes above by name, or the config.json of a file or folder. Throws NotFound naming the shapes, and what
// readModelConfig throws.
core::ModelConfig findBenchConfig(const std::string& nameOrPath);

}  // namespace wb::app
