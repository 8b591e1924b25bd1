// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "adapters/export/certificate.h"
#include "core/run/run_folder.h"
#include "kernels/runtime/context.h"

namespace wb::app {

struct ExportOptions {
    std::string format = "peft";
    std::string ggufType = "f16";  // of a GGUF file: f32, f16, bf16, q8_0
};

// Writes the best checkpoint of a run in a format, loads the files again, replays held-out prompts through both and
// puts certificate.json beside them. The folder appears only if everything was written; a certificate that fails is
// still written and says so. Throws InvalidArgument if `folder` exists and is not empty, and what exporters throw.
adapters::Certificate exportRun(const kernels::Context& context, const core::RunFolder& run,
                                const ExportOptions& options, const std::filesystem::path& folder);

// The same of a model as it is, in another form: what is replayed are drawn token ids.
adapters::Certificate exportModel(const kernels::Context& context, const std::filesystem::path& modelPath,
                                  const ExportOptions& options, const std::filesystem::path& folder);

nlohmann::ordered_json toJson(const adapters::Certificate& certificate);

}  // namespace wb::app
