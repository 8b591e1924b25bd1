// SPDX-License-Identifier: Apache-2.0
#include "adapters/export/exporters.h"

#include "kernels/base/error.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <algorithm>
#include <array>

namespace wb::adapters {
namespace {

constexpr std::array kExporters{
    Exporter{"peft", "PEFT adapter", writePeftExport},
    Exporter{"safetensors", "Merged model folder (safetensors)", writeSafetensorsExport},
    Exporter{"gguf", "Merged model for llama.cpp and Ollama (GGUF)", writeGgufExport},
};

}  // namespace

std::span<const Exporter> exporters() {
    return kExporters;
}

const Exporter& exporterOf(std::string_view format) {
    const auto found = std::ranges::find(kExporters, format, &Exporter::format);
    if (found != kExporters.end()) return *found;
    std::vector<std::string_view> known;
    for (const Exporter& exporter : kExporters) known.push_back(exporter.format);
    throw Error{ErrorCode::InvalidArgument,
                fmt::format("unknown export format '{}'; there are {}", format, fmt::join(known, ", "))};
}

}  // namespace wb::adapters
