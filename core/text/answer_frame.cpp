// SPDX-License-Identifier: Apache-2.0
#include "core/text/answer_frame.h"

#include "core/format/hf_config.h"

#include "core/format/json_reader.h"
#include "core/model/architectures/architectures.h"

#include <algorithm>

namespace wb::core {

namespace fs = std::filesystem;

namespace {

constexpr size_t kMaxConfigBytes = size_t{16} << 20;

// Empty if there is no config.json; a GGUF file brings its own.
fs::path folderWithConfig(const fs::path& modelPath) {
    if (modelPath.empty() || modelPath.extension() == ".gguf") return {};
    const fs::path folder = fs::is_directory(modelPath) ? modelPath : modelPath.parent_path();
    return fs::exists(folder / "config.json") ? folder : fs::path();
}

}  // namespace

std::optional<AnswerFrame> answerFrameOf(const ModelConfig& config, const GenerationConfig& generation,
                                         const Tokenizer& tokenizer) {
    if (!config.isEncoderDecoder) return std::nullopt;
    const SpecialIds& roles = tokenizer.specialIds();
    AnswerFrame frame{.start = config.decoderStart(), .first = generation.forcedBosTokenId, .end = roles.eos};
    if (!frame.first && roles.addBos) frame.first = roles.bos;
    if (!config.eosTokenIds.empty()) frame.end = config.eosTokenIds.front();
    return frame;
}

bool isEncoderDecoderFolder(const fs::path& modelPath) {
    const fs::path folder = folderWithConfig(modelPath);
    if (folder.empty()) return false;
    const nlohmann::json root = readJsonFile(folder / "config.json", kMaxConfigBytes);
    const JsonObject config(root, (folder / "config.json").string());
    const std::string type = config.text("model_type").value_or("");
    return std::ranges::any_of(architectures(), [&](const ArchitectureInfo& known) {
        return known.isEncoderDecoder && known.modelType == type;
    });
}

std::optional<AnswerFrame> readAnswerFrame(const fs::path& modelPath, const Tokenizer& tokenizer) {
    if (!isEncoderDecoderFolder(modelPath)) return std::nullopt;
    const fs::path folder = folderWithConfig(modelPath);
    const ModelConfig config = readModelConfig(folder);
    return answerFrameOf(config, readGenerationConfig(folder, config), tokenizer);
}

}  // namespace wb::core
