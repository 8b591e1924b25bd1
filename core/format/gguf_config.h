// SPDX-License-Identifier: Apache-2.0
// What a GGUF file says about its model, in the words of a Hugging Face folder.
#pragma once

#include "core/format/gguf.h"
#include "core/format/model_config.h"

#include <optional>
#include <string>
#include <string_view>

namespace wb::core {

// The engine's element type for a GGUF one; absent for those it does not compute with.
std::optional<DType> dtypeOfGguf(GgufType type);

// "blk.3.attn_q.weight" -> "model.layers.3.self_attn.q_proj.weight"; absent for a name no decoder of the family has.
std::optional<std::string> huggingFaceName(std::string_view ggufName);

// Inverse of huggingFaceName.
std::optional<std::string> ggufName(std::string_view huggingFaceName);

// Architectures llama and qwen2. Throws Unsupported naming another one, CorruptFile naming a missing or absurd key.
ModelConfig modelConfigFromGguf(const GgufFile& file);

}  // namespace wb::core
