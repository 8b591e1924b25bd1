// SPDX-License-Identifier: Apache-2.0
#include "core/model/model_folder_writer.h"

#include "core/format/hf_config.h"
#include "core/run/atomic_file.h"

#include <array>

namespace wb::core {
namespace {

namespace fs = std::filesystem;

// In the order in which a reader would open them; config.json and weights are written, not copied.
constexpr std::array kCompanions{
    "generation_config.json", "tokenizer.json",    "tokenizer.model", "spiece.model",
    "tokenizer_config.json",  "vocab.json",        "merges.txt",      "special_tokens_map.json",
    "chat_template.jinja",    "added_tokens.json",
};
constexpr size_t kMaxCompanionBytes = size_t{256} << 20;

}  // namespace

std::vector<fs::path> companionFilesOf(const fs::path& modelFolder) {
    std::vector<fs::path> files;
    for (const char* name : kCompanions) {
        std::error_code error;
        if (fs::is_regular_file(modelFolder / name, error)) files.push_back(modelFolder / name);
    }
    return files;
}

void writeModelFolder(const kernels::Context& context, LanguageModel& model, std::span<const fs::path> companions,
                      const fs::path& folder) {
    ModelConfig config = model.config();
    config.dtype = model.dtype();
    writeTensorFile(context, folder / "model.safetensors", storedWeights(model));
    writeFileAtomically(folder / "config.json", modelConfigJson(config));
    for (const fs::path& file : companions) {
        writeFileAtomically(folder / file.filename(), readWholeFile(file, kMaxCompanionBytes));
    }
}

}  // namespace wb::core
