// SPDX-License-Identifier: Apache-2.0
#include "core/model/model_folder_writer.h"

#include "core/format/hf_config.h"
#include "core/run/atomic_file.h"

namespace wb::core {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMaxCompanionBytes = size_t{256} << 20;

}  // namespace

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
