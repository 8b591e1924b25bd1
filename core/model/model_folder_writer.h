// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core/model/weights.h"

#include <filesystem>
#include <span>

namespace wb::core {

// Writes a Hugging Face model folder into an existing, empty folder: config.json (with the element type of the
// weights), model.safetensors with the stored weights of the model, and copies of the companions (companionFilesOf).
// Throws Io.
void writeModelFolder(const kernels::Context& context, LanguageModel& model,
                      std::span<const std::filesystem::path> companions, const std::filesystem::path& folder);

}  // namespace wb::core
