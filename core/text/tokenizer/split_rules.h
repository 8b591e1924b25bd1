// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core/text/tokenizer/pre_tokenizers.h"

#include <string_view>
#include <vector>

namespace wb::core {

// How GPT-2 and everything that follows it cuts words.
inline constexpr const char* kGpt2Pattern =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

// The splitting rules of known models by the name that GGUF files use for them ("gpt-2", "qwen2", "llama-bpe", ...).
// Throws Unsupported naming the known ones.
std::vector<PreTokenizerStep> splitRulesNamed(std::string_view name, std::string_view sourceName);

}  // namespace wb::core
