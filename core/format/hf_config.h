// SPDX-License-Identifier: Apache-2.0
// Reads and writes the JSON configuration files of a Hugging Face model folder.
#pragma once

#include "core/format/model_config.h"

#include <filesystem>
#include <string>
#include <string_view>

namespace wb::core {

// Parses a config.json of layout v4 (torch_dtype, rope_theta, rope_scaling) or v5 (dtype, rope_parameters).
// Throws CorruptFile naming the key on a missing, ill-typed, absurd or contradicting value, Unsupported naming the
// model type or feature the engine lacks.
ModelConfig parseModelConfig(std::string_view json, std::string_view sourceName);

// parseModelConfig() of a file, or of the config.json of a folder. Throws NotFound or Io, too.
ModelConfig readModelConfig(const std::filesystem::path& path);

// The text of a config.json for `config`. With sourceJson every key of it stays as it is, known or not, except those
// whose value differs in `config`; else the v4 layout is written.
std::string modelConfigJson(const ModelConfig& config);

// Parses a generation_config.json. Throws CorruptFile.
GenerationConfig parseGenerationConfig(std::string_view json, std::string_view sourceName);

// The generation_config.json of a folder, or the same keys of `config` if there is no such file; where it lacks ids
// those of `config` are taken.
GenerationConfig readGenerationConfig(const std::filesystem::path& modelFolder, const ModelConfig& config);

}  // namespace wb::core
