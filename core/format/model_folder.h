// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core/format/hf_config.h"
#include "core/format/model_config.h"
#include "kernels/base/dtype.h"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace wb::core {

struct ModelTensor {
    std::string name;  // as a Hugging Face folder names it
    DType dtype = DType::F32;
    std::vector<int64_t> shape;  // outermost first

    int64_t count() const;
};

// A tensor's stored elements: a view into the mapped file, or (only where rows had to be put into order) a copy.
struct RawTensor {
    DType dtype = DType::F32;
    std::vector<int64_t> shape;
    std::span<const std::byte> bytes;
    std::vector<std::byte> ownedBytes;  // what `bytes` shows, if it is a copy

    RawTensor() = default;
    RawTensor(RawTensor&&) = default;
    RawTensor& operator=(RawTensor&&) = default;
    RawTensor(const RawTensor&) = delete;
    RawTensor& operator=(const RawTensor&) = delete;
};

// A model on disk: a Hugging Face folder (one safetensors file, or shards with their index) or a GGUF file, with one
// set of names and one row order. Opening checks that every weight of the config is there with its shape and an
// element type the engine computes with, and maps the files without reading them. Thread-safe.
class ModelSource {
public:
    //   path  the folder, its config.json or .safetensors file, or a .gguf file
    // Throws NotFound, Io, CorruptFile (all missing and unexpected tensors by name) or Unsupported (model type, element
    // type, pickle ..., by name).
    static ModelSource open(const std::filesystem::path& path);

    ModelSource(ModelSource&&) noexcept;
    ModelSource& operator=(ModelSource&&) noexcept;
    ~ModelSource();

    const std::filesystem::path& path() const;
    bool isGguf() const;
    const ModelConfig& config() const;
    const GenerationConfig& generationConfig() const;

    // In ascending order of the names.
    const std::vector<ModelTensor>& tensors() const;
    // The element type that holds most of the weights; nothing without tensors.
    std::optional<DType> mainDtype() const;
    // Tensors of the files that no part of the decoder uses (a value head, say); they are ignored.
    const std::vector<std::string>& unusedTensors() const;
    bool has(std::string_view name) const;
    // Throws NotFound.
    const ModelTensor& tensor(std::string_view name) const;

    // Stored elements, in Hugging Face row order (a GGUF `llama` file keeps rotary pairs side by side; they are
    // sorted). Throws NotFound.
    RawTensor readTensor(std::string_view name) const;
    // The same widened to float. Throws NotFound, InvalidArgument if out.size() is not the tensor's count.
    void readTensorAsFloat(std::string_view name, std::span<float> out) const;

    // See WeightHash. Reads all weights once; the same weights in another container give the same hash.
    std::string weightHash() const;

    std::vector<std::filesystem::path> weightFiles() const;

private:
    struct Impl;
    explicit ModelSource(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> m_impl;
};

// Files besides config and weights that a copy of a model folder needs, those that exist: tokenizer in any form,
// templates, generation config. None for a path that is no folder (a GGUF file carries its tokenizer itself).
std::vector<std::filesystem::path> companionFilesOf(const std::filesystem::path& modelFolder);

}  // namespace wb::core
