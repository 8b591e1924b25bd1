// SPDX-License-Identifier: Apache-2.0
#include "adapters/peft_tensors.h"

#include "adapters/peft.h"
#include "kernels/base/error.h"

#include <fmt/format.h>
#include <algorithm>
#include <array>
#include <optional>
#include <set>

namespace wb::adapters {
namespace {

namespace fs = std::filesystem;

struct PartName {
    std::string_view stem;  // between the module and the adapter's name
    std::string_view tail;  // behind the adapter's name
    PeftPart part;
};
constexpr std::array kPartNames{
    PartName{".lora_A", ".weight", PeftPart::LoraA},
    PartName{".lora_B", ".weight", PeftPart::LoraB},
    PartName{".lora_B", ".bias", PeftPart::LoraBiasB},
    PartName{".lora_magnitude_vector", "", PeftPart::Magnitude},
    PartName{".lora_magnitude_vector", ".weight", PeftPart::Magnitude},
    PartName{".lora_embedding_A", "", PeftPart::EmbeddingA},
    PartName{".lora_embedding_B", "", PeftPart::EmbeddingB},
};

// The name of one module level: what may stand for an adapter.
bool isWord(std::string_view text) {
    return !text.empty() && text.find('.') == std::string_view::npos;
}

std::optional<PeftTensorName> matchPart(std::string_view name, const PartName& part) {
    if (!name.ends_with(part.tail)) return std::nullopt;
    const std::string_view head = name.substr(0, name.size() - part.tail.size());
    const size_t at = head.rfind(part.stem);
    if (at == std::string_view::npos || at == 0) return std::nullopt;
    std::string_view rest = head.substr(at + part.stem.size());
    if (!rest.empty() && (rest.front() != '.' || !isWord(rest.substr(1)))) return std::nullopt;
    if (!rest.empty()) rest.remove_prefix(1);
    // "lora_magnitude_vector.weight" is the part itself, not an adapter of that name.
    if (rest == "weight" || rest == "bias") return std::nullopt;
    return PeftTensorName{std::string(head.substr(0, at)), part.part, std::string(rest)};
}

// "<module>.weight", "<module>.base_layer.weight", "<module>.modules_to_save[.<adapter>].weight"
std::optional<PeftTensorName> matchWhole(std::string_view name) {
    const bool isBias = name.ends_with(".bias");
    if (!isBias && !name.ends_with(".weight")) return std::nullopt;
    std::string_view module = name.substr(0, name.rfind('.'));
    PeftTensorName parsed{{}, isBias ? PeftPart::Bias : PeftPart::Weight, {}};
    constexpr std::string_view kBaseLayer = ".base_layer";
    constexpr std::string_view kSaved = ".modules_to_save";
    if (module.ends_with(kBaseLayer)) {
        module.remove_suffix(kBaseLayer.size());
    } else if (const size_t at = module.rfind(kSaved); at != std::string_view::npos) {
        const std::string_view rest = module.substr(at + kSaved.size());
        if (!rest.empty() && (rest.front() != '.' || !isWord(rest.substr(1)))) return std::nullopt;
        if (!rest.empty()) parsed.adapter = rest.substr(1);
        module = module.substr(0, at);
    }
    if (module.empty() || module.starts_with("lora_") || module.find(".lora_") != std::string_view::npos) {
        return std::nullopt;
    }
    parsed.module = module;
    return parsed;
}

fs::path weightFileOf(const fs::path& folder) {
    const fs::path file = folder / kPeftWeightFile;
    std::error_code error;
    const fs::path pickled = folder / "adapter_model.bin";
    if (!fs::exists(file, error) && fs::exists(pickled, error)) {
        throw Error{ErrorCode::Unsupported,
                    fmt::format("{}: is a pickle file, which can run programs when it is opened, and is not read; load "
                                "the adapter with peft and save it again, it then writes {}",
                                pickled.string(), kPeftWeightFile)};
    }
    return file;
}

}  // namespace

PeftTensorName parsePeftName(std::string_view name, const fs::path& file) {
    std::string_view inner = name;
    if (inner.starts_with(kPeftPrefix)) inner.remove_prefix(kPeftPrefix.size());
    for (const PartName& part : kPartNames) {
        if (const auto parsed = matchPart(inner, part)) return *parsed;
    }
    if (const auto parsed = matchWhole(inner)) return *parsed;
    throw Error{ErrorCode::Unsupported, fmt::format("{}: adapter tensor '{}' is not supported", file.string(), name)};
}

PeftWeights::PeftWeights(core::SafetensorsFile file) : m_file(std::move(file)) {
    std::set<std::string> adapters;
    for (const core::TensorEntry& entry : m_file.tensors()) {
        const PeftTensorName name = parsePeftName(entry.name, m_file.path());
        if (!entry.dtype || !isFloatingPoint(*entry.dtype)) {
            throw Error{ErrorCode::Unsupported, fmt::format("{}: tensor '{}': element type {} is not supported",
                                                            m_file.path().string(), entry.name, entry.dtypeText)};
        }
        if (!name.adapter.empty()) adapters.insert(name.adapter);
        const core::TensorEntry*& place = m_modules[name.module][name.part];
        if (place != nullptr) {
            throw Error{ErrorCode::CorruptFile, fmt::format("{}: tensors '{}' and '{}' are the same part of an adapter",
                                                            m_file.path().string(), place->name, entry.name)};
        }
        place = &entry;
    }
    if (m_modules.empty()) {
        throw Error{ErrorCode::CorruptFile, fmt::format("{}: holds no adapter tensors", m_file.path().string())};
    }
    if (adapters.size() > 1) {
        throw Error{ErrorCode::Unsupported, fmt::format("{}: holds tensors of {} adapters ('{}', '{}'); one is "
                                                        "supported",
                                                        m_file.path().string(), adapters.size(), *adapters.begin(),
                                                        *std::next(adapters.begin()))};
    }
}

PeftWeights PeftWeights::open(const fs::path& folder) {
    return PeftWeights(core::SafetensorsFile::open(weightFileOf(folder)));
}

}  // namespace wb::adapters
