// SPDX-License-Identifier: Apache-2.0
#include "adapters/export/exporters.h"
#include "adapters/merge.h"
#include "core/format/gguf_model_writer.h"
#include "core/format/hf_config.h"
#include "core/model/weights.h"
#include "core/run/atomic_file.h"
#include "core/text/gguf_vocabulary.h"
#include "kernels/base/error.h"

#include <fmt/format.h>
#include <algorithm>

namespace wb::adapters {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMaxConfigBytes = size_t{1} << 20;

core::GenerationConfig generationConfigOf(const ExportSource& source) {
    const auto file = std::ranges::find(source.companions, fs::path("generation_config.json"), &fs::path::filename);
    if (file == source.companions.end()) return {};
    return core::parseGenerationConfig(core::readWholeFile(*file, kMaxConfigBytes), file->string());
}

bool hasChatTemplate(const core::GgufMetadata& vocabulary) {
    return std::ranges::find(vocabulary, "tokenizer.chat_template", &core::GgufEntry::key) != vocabulary.end();
}

// What Ollama needs beside the weights. A model without a chat template gets the prompt as it is.
std::string modelfileOf(const ExportSource& source, const core::GgufMetadata& vocabulary) {
    const core::ModelConfig& config = source.model.config();
    const int64_t window = config.slidingLayers.empty() ? config.slidingWindow : 0;
    std::string text = "FROM ./model.gguf\n";
    if (!hasChatTemplate(vocabulary)) text += "TEMPLATE \"\"\"{{ .Prompt }}\"\"\"\n";
    // llama.cpp knows no window in this architecture: within it, there is none to know.
    const bool isLimited = config.modelType == "mistral" && window > 0 && window < config.maxPositions;
    text += fmt::format("PARAMETER num_ctx {}\n", isLimited ? window : config.maxPositions);
    const core::GenerationConfig generation = generationConfigOf(source);
    const auto add = [&](const char* name, const auto& value) {
        if (value) text += fmt::format("PARAMETER {} {}\n", name, *value);
    };
    if (generation.doSample.value_or(false)) {
        add("temperature", generation.temperature);
        add("top_k", generation.topK);
        add("top_p", generation.topP);
        add("min_p", generation.minP);
    } else {
        text += "PARAMETER temperature 0\n";
    }
    add("repeat_penalty", generation.repetitionPenalty);
    return text;
}

std::vector<core::GgufWeight> weightsOf(const std::vector<core::NamedTensor>& tensors) {
    std::vector<core::GgufWeight> weights;
    for (const core::NamedTensor& named : tensors) {
        core::GgufWeight weight{named.name, {}};
        for (int axis = 0; axis < named.tensor.shape().rank(); ++axis)
            weight.shape.push_back(named.tensor.shape()[axis]);
        weights.push_back(std::move(weight));
    }
    return weights;
}

}  // namespace

void writeGgufExport(const ExportSource& source, const fs::path& folder) {
    requireWholeWeights(source.model);
    const core::GgufType type = core::parseGgufWeightType(source.ggufType);
    const core::ModelConfig& config = source.model.config();
    const core::GgufMetadata vocabulary = source.companions.empty() && !source.ggufBase.empty()
                                              ? core::ggufVocabularyOf(core::GgufFile::open(source.ggufBase))
                                              : core::ggufVocabularyOf(source.companions, config);
    if (source.adapter != nullptr) mergeAdapter(source.context, *source.adapter);
    const std::vector<core::NamedTensor> tensors = core::storedWeights(source.model);
    const std::string title = fs::path(source.baseModel).stem().string();
    core::GgufModelWriter writer(folder / "model.gguf", title.empty() ? "model" : title, config, type, vocabulary,
                                 weightsOf(tensors));
    for (const core::NamedTensor& named : tensors) {
        std::vector<float> values = core::toFloats(source.context, named.tensor);
        writer.write(named.name, values);
        core::assignFloats(source.context, named.tensor, values);
    }
    writer.finish();
    core::writeFileAtomically(folder / "Modelfile", modelfileOf(source, vocabulary));
}

}  // namespace wb::adapters
