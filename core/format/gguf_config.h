// SPDX-License-Identifier: Apache-2.0
// What a GGUF file says about its model, in the words of a Hugging Face folder, and the other way round.
#pragma once

#include "core/format/gguf.h"
#include "core/format/gguf_metadata.h"
#include "core/format/model_config.h"

#include <string>

namespace wb::core {

// The text of the config.json that the model had, or would have, in a Hugging Face folder. Throws Unsupported naming
// the architecture or setting, CorruptFile naming a missing or absurd key.
std::string configJsonFromGguf(const GgufFile& file);

// The same, parsed; with the rotary frequency factors that a file may hold as a tensor.
ModelConfig modelConfigFromGguf(const GgufFile& file);

// The metadata of a file for this model, without its name, element type and tokenizer. Throws Unsupported naming the
// model type or the setting for which llama.cpp has no form.
GgufMetadata ggufMetadataOf(const ModelConfig& config);

}  // namespace wb::core
