// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "adapters/low_rank_adapter.h"

#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace wb::adapters {

// What is exported: a model, with an adapter on top or tuned as a whole.
struct ExportSource {
    const kernels::Context& context;
    core::LanguageModel& model;
    LowRankAdapter* adapter = nullptr;              // null: the model itself was tuned
    std::string baseModel;                          // name or path of the base, for the adapter's config
    std::vector<std::filesystem::path> companions;  // tokenizer and the like
    std::string ggufType = "f16";                   // of the matrices of a GGUF file: f32, f16, bf16 or q8_0
    std::filesystem::path ggufBase;  // a GGUF file whose vocabulary goes along, where there are no companions
};

struct Exporter {
    std::string_view format;  // "peft"
    std::string_view title;   // for people
    // Writes into an existing, empty folder. May change the model (merging). Throws Unsupported if the source has
    // nothing of this form.
    void (*write)(const ExportSource& source, const std::filesystem::path& folder);
};

std::span<const Exporter> exporters();

// Throws InvalidArgument naming the formats.
const Exporter& exporterOf(std::string_view format);

// export/<format>_export.cpp
void writePeftExport(const ExportSource& source, const std::filesystem::path& folder);
void writeSafetensorsExport(const ExportSource& source, const std::filesystem::path& folder);
// model.gguf and a Modelfile. The model's weights are rounded to what the file holds.
void writeGgufExport(const ExportSource& source, const std::filesystem::path& folder);

}  // namespace wb::adapters
