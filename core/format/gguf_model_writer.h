// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core/format/gguf_narrow.h"
#include "core/format/gguf_writer.h"
#include "core/format/model_config.h"

#include <memory>

namespace wb::core {

// One weight under its Hugging Face name, with the shape that memory holds: matrices are [out, in].
struct GgufWeight {
    std::string name;
    std::vector<int64_t> shape;
};

// Writes a model as llama.cpp lays it out: its names, row orders, offsets of norms and element types (vectors and norms
// F32, matrices the wanted type), with the tensors that follow from the config. Not thread-safe.
class GgufModelWriter {
public:
    //   title       what the model is called
    //   type        of matrices, see parseGgufWeightType
    //   vocabulary  the tokenizer's metadata, see ggufVocabularyOf
    //   weights     all of the model, in the order in which they will be written
    // Throws Unsupported naming a model type, setting or weight that has no form in GGUF; Io.
    GgufModelWriter(const std::filesystem::path& path, const std::string& title, const ModelConfig& config,
                    GgufType type, const GgufMetadata& vocabulary, const std::vector<GgufWeight>& weights);
    ~GgufModelWriter();

    // The values of the next weight. Afterwards `values` holds what a reader gets: rounded to the stored type.
    // Throws InvalidArgument if name or size is not what was declared, Unsupported if a value is too large for the
    // type.
    void write(std::string_view name, std::span<float> values);

    // Makes the file visible. Throws InvalidArgument if a weight has not been written, Io.
    WrittenFile finish();

private:
    struct Impl;
    std::unique_ptr<Impl> m_impl;
};

}  // namespace wb::core
