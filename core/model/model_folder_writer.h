// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core/model/weights.h"

#include <filesystem>
#include <span>
#include <vector>

namespace wb::core {

// Files besides the weights that a model folder needs: tokenizer, templates, generation config.
std::vector<std::filesystem::path> companionFilesOf(const std::filesystem::path& modelFolder);

// Writes a Hugging Face model folder into an existing, empty folder: config.json (with the element type of the
// weights), model.safetensors with the stored weights of the model, and copies of the companions. Throws Io.
void writeModelFolder(const kernels::Context& context, LanguageModel& model,
                      std::span<const std::filesystem::path> companions, const std::filesystem::path& folder);

}  // namespace wb::core
