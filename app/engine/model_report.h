// SPDX-License-Identifier: Apache-2.0
// What a model is and what this engine can do with it: the answer of `whet models inspect`.
#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "core/format/model_folder.h"

namespace wb::app {

struct ModelSupport {
    bool load = false;
    bool trainFull = false;
    bool trainLora = false;
    bool generate = false;
    bool exporting = false;
};

// What is beside the weights; a part that cannot be used is a finding, not a failure.
struct ModelCompanions {
    std::string tokenizerKind;
    int32_t vocabulary = 0;
    std::string tokenizerProblem;
    bool hasChatTemplate = false;
    std::string templateProblem;
};

struct ModelReport {
    std::filesystem::path path;
    bool isGguf = false;
    std::string architecture;  // class name, "LlamaForCausalLM"; empty if the files do not say
    std::string family;        // model_type, "llama"
    std::optional<int64_t> parameters;
    std::string dtype;                        // of most of the weights, as config.json or the files have it
    std::optional<int64_t> contextLength;     // nothing where positions are relative or the files do not say
    std::optional<core::ModelSource> source;  // if it can be loaded
    ModelCompanions companions;
    ModelSupport supported;
    std::vector<std::string> problems;  // why something is not supported, by name
};

// Looks at a model folder or GGUF file. A model that the engine lacks is described as far as its files tell.
// Throws NotFound, Io or CorruptFile if there is nothing that could be a model.
ModelReport inspectModel(const std::filesystem::path& path);

}  // namespace wb::app
