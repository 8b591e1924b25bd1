// SPDX-License-Identifier: Apache-2.0
// The tensors of a PEFT file by module and part: inside adapters/ only.
#pragma once

#include "core/format/safetensors.h"

#include <filesystem>
#include <map>
#include <string>
#include <string_view>

namespace wb::adapters {

inline constexpr std::string_view kPeftPrefix = "base_model.model.";

enum class PeftPart {
    LoraA,
    LoraB,
    LoraBiasB,
    Magnitude,
    EmbeddingA,  // [rank, rows of the table]
    EmbeddingB,  // [columns, rank]
    Weight,      // the module's own, in the adapter's version
    Bias
};

struct PeftTensorName {
    std::string module;
    PeftPart part = PeftPart::Weight;
    std::string adapter;  // the name some files keep inside ("default"), else empty
};

// Understands names with and without "base_model.model.", with and without the adapter's name, and the places where
// versions of the library put weights ("base_layer", "modules_to_save").
// Throws Unsupported naming the tensor if it is none of the parts above.
PeftTensorName parsePeftName(std::string_view name, const std::filesystem::path& file);

// What a file holds for one module.
using PeftParts = std::map<PeftPart, const core::TensorEntry*>;

// An adapter's weight file. Throws NotFound, CorruptFile, or Unsupported for pickled weights, an element type the
// engine does not read, or several adapters in one file.
class PeftWeights {
public:
    static PeftWeights open(const std::filesystem::path& folder);

    const core::SafetensorsFile& file() const { return m_file; }
    const std::map<std::string, PeftParts>& modules() const { return m_modules; }

private:
    explicit PeftWeights(core::SafetensorsFile file);

    core::SafetensorsFile m_file;
    std::map<std::string, PeftParts> m_modules;
};

}  // namespace wb::adapters
