// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace wb::core {

// The tokens that a chat template may write; empty where the model has none.
struct TemplateTokens {
    std::string bos;
    std::string eos;
    std::vector<std::pair<std::string, std::string>> others = {};  // "pad_token", "unk_token" ... by that name
};

// From tokenizer_config.json, else special_tokens_map.json of a model folder, or from a GGUF file.
TemplateTokens readTemplateTokens(const std::filesystem::path& modelPath);

// The bytes of a template file. Throws NotFound, Io, or CorruptFile if it is far too large for a template.
std::string readTemplateFile(const std::filesystem::path& path);

}  // namespace wb::core
