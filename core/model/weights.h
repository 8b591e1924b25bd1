// SPDX-License-Identifier: Apache-2.0
// Moving weights between files and models.
#pragma once

#include "core/format/model_folder.h"
#include "core/model/language_model.h"

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace wb::core {

// A tensor under the name a file gives it.
struct NamedTensor {
    std::string name;
    Tensor tensor;
    bool isTransposed = false;  // a matrix that the file holds the other way round
};

// The weights of a model as files store them: without vocabulary padding, in forward order.
std::vector<NamedTensor> storedWeights(LanguageModel& model);

// Fills all weights from a model on disk, converting to the model's element types: blocks that a GGUF file has in the
// model's format are taken bit for bit, others are quantised here. Nothing is read on the plan device.
// Throws what ModelSource throws.
void loadWeights(const kernels::Context& context, LanguageModel& model, const ModelSource& source);

// Fresh weights: matrices and embeddings normal with the config's initializer_range, output projections of both
// sub-layers scaled by 1/sqrt(2 * layers) (Radford et al. 2019), norms one, biases zero. Same seed, same bits.
void initialiseWeights(const kernels::Context& context, LanguageModel& model, uint64_t seed);

// Writes tensors into one safetensors file, complete or not at all. Throws Io.
void writeTensorFile(const kernels::Context& context, const std::filesystem::path& file,
                     const std::vector<NamedTensor>& tensors,
                     const std::map<std::string, std::string>& metadata = {{"format", "pt"}});

// Fills tensors from a file that must hold exactly these names, shapes and element types.
// Throws CorruptFile naming the first tensor that differs.
void readTensorFile(const kernels::Context& context, const std::filesystem::path& file,
                    const std::vector<NamedTensor>& tensors);

// WeightHash over the tensors, in any order. Tiles count as the blocks of a file.
std::string hashTensors(const kernels::Context& context, std::vector<NamedTensor> tensors);

}  // namespace wb::core
