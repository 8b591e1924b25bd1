// SPDX-License-Identifier: Apache-2.0
#include "core/format/gguf_model_writer.h"

#include "core/format/gguf_config.h"
#include "core/format/gguf_dequantise.h"
#include "core/format/gguf_layout.h"
#include "core/model/architectures/architectures.h"
#include "kernels/base/error.h"

#include <fmt/format.h>
#include <algorithm>
#include <optional>

namespace wb::core {
namespace {

constexpr uint32_t kQuantizationVersion = 2;

// general.file_type
uint32_t fileTypeOf(GgufType type) {
    switch (type) {
        case GgufType::F16: return 1;
        case GgufType::Q8_0: return 7;
        case GgufType::BF16: return 32;
        default: return 0;
    }
}

// Llama 3's scaling and its like: what each frequency is divided by.
std::vector<float> frequencyFactorsOf(const ModelConfig& config) {
    const RopeScalingKind kind = config.ropeScaling.kind;
    if (kind != RopeScalingKind::Llama3 && kind != RopeScalingKind::FrequencyFactors) return {};
    const std::vector<double> unscaled = ropeInverseFrequencies({}, config.ropeTheta, config.headDim);
    const std::vector<double> scaled = ropeInverseFrequencies(config.ropeScaling, config.ropeTheta, config.headDim);
    std::vector<float> factors;
    for (size_t i = 0; i < unscaled.size(); ++i) factors.push_back(static_cast<float>(unscaled[i] / scaled[i]));
    return factors;
}

struct Target {
    std::string huggingFaceName;
    GgufDeclaration tensor;
    GgufLayout layout = GgufLayout::Same;
    HeadRows heads;
    float scale = 1.0F;
    // The head that a tied model gets all the same.
    std::optional<GgufDeclaration> scaledHead;
};

template <class T>
std::vector<T> inGgufOrder(std::span<const T> values, const std::vector<size_t>& rows) {
    const size_t columns = values.size() / rows.size();
    std::vector<T> ordered(values.size());
    for (size_t row = 0; row < rows.size(); ++row) {
        std::copy_n(values.begin() + static_cast<std::ptrdiff_t>(row * columns), columns,
                    ordered.begin() + static_cast<std::ptrdiff_t>(rows[row] * columns));
    }
    return ordered;
}

std::vector<float> inMemoryOrder(std::span<const float> values, const std::vector<size_t>& rows) {
    const size_t columns = values.size() / rows.size();
    std::vector<float> ordered(values.size());
    for (size_t row = 0; row < rows.size(); ++row) {
        std::copy_n(values.begin() + static_cast<std::ptrdiff_t>(rows[row] * columns), columns,
                    ordered.begin() + static_cast<std::ptrdiff_t>(row * columns));
    }
    return ordered;
}

}  // namespace

struct GgufModelWriter::Impl {
    std::vector<Target> targets;
    std::vector<float> frequencyFactors;
    std::optional<GgufWriter> writer;
    size_t next = 0;

    Target targetOf(const GgufWeight& weight, const ModelConfig& config, const NetworkConfig& network, GgufType type) {
        const GgufArchitecture& architecture = ggufArchitectureFor(config.modelType);
        GgufPlace place = ggufPlaceOf(architecture, weight.name);
        if (place.name.empty()) {
            throw Error{ErrorCode::Unsupported,
                        fmt::format("weight '{}' has no place in a GGUF file of architecture '{}'", weight.name,
                                    architecture.name)};
        }
        Target target{weight.name,  {place.name, ggufTypeFor(type, place.name, weight.shape), weight.shape},
                      place.layout, headRowsOf(config, weight.name),
                      1.0F,         {}};
        if (network.head.hiddenScale != 1.0F && place.name == "output.weight") target.scale = network.head.hiddenScale;
        // Readers of T5 disagree on what its tied head is scaled by, so that one is written out, scale and all. In
        // single precision, as rounding it a second time would make it another one than the embedding.
        if (network.encoder && network.head.name.empty() && place.name == "token_embd.weight") {
            target.scale = network.head.hiddenScale;
            const GgufType headType = target.scale == 1.0F ? target.tensor.type : GgufType::F32;
            target.scaledHead = GgufDeclaration{"output.weight", headType, weight.shape};
        }
        return target;
    }

    void writeScaledHead(const Target& target, std::span<const float> values) {
        std::vector<float> scaled(values.begin(), values.end());
        for (float& value : scaled) value *= target.scale;
        writer->write(target.scaledHead->name, narrowForGguf(target.scaledHead->type, scaled, target.scaledHead->name));
    }
};

GgufModelWriter::GgufModelWriter(const std::filesystem::path& path, const std::string& title, const ModelConfig& config,
                                 GgufType type, const GgufMetadata& vocabulary, const std::vector<GgufWeight>& weights)
    : m_impl(std::make_unique<Impl>()) {
    GgufMetadata metadata = ggufMetadataOf(config);
    const GgufMetadata general{{"general.type", std::string("model")},
                               {"general.name", title},
                               {"general.file_type", fileTypeOf(type)},
                               {"general.quantization_version", kQuantizationVersion}};
    metadata.insert(metadata.begin() + 1, general.begin(), general.end());
    metadata.insert(metadata.end(), vocabulary.begin(), vocabulary.end());

    const NetworkConfig network = networkConfigOf(config);
    std::vector<GgufDeclaration> tensors;
    m_impl->frequencyFactors = frequencyFactorsOf(config);
    if (!m_impl->frequencyFactors.empty()) {
        const auto count = static_cast<int64_t>(m_impl->frequencyFactors.size());
        tensors.push_back({"rope_freqs.weight", GgufType::F32, {count}});
    }
    for (const GgufWeight& weight : weights) {
        m_impl->targets.push_back(m_impl->targetOf(weight, config, network, type));
        tensors.push_back(m_impl->targets.back().tensor);
        if (m_impl->targets.back().scaledHead) tensors.push_back(*m_impl->targets.back().scaledHead);
    }
    m_impl->writer.emplace(path, metadata, std::move(tensors));
    if (!m_impl->frequencyFactors.empty()) {
        m_impl->writer->write("rope_freqs.weight", std::as_bytes(std::span(m_impl->frequencyFactors)));
    }
}

GgufModelWriter::~GgufModelWriter() = default;

void GgufModelWriter::write(std::string_view name, std::span<float> values) {
    const bool isExpected =
        m_impl->next < m_impl->targets.size() && m_impl->targets[m_impl->next].huggingFaceName == name;
    if (!isExpected) {
        throw Error{ErrorCode::InvalidArgument, fmt::format("weight '{}' is written where another belongs", name)};
    }
    const Target& target = m_impl->targets[m_impl->next++];
    if (target.scaledHead || target.scale == 1.0F) {
        const auto numRows = static_cast<size_t>(target.tensor.shape.front());
        const std::vector<size_t> rows = ggufRows(target.layout, numRows, target.heads, name);
        std::vector<float> stored = inGgufOrder<float>(values, rows);
        const float offset = target.layout == GgufLayout::PlusOne ? 1.0F : 0.0F;
        for (float& value : stored) value += offset;
        const std::vector<std::byte> bytes = narrowForGguf(target.tensor.type, stored, name);
        m_impl->writer->write(target.tensor.name, bytes);
        dequantiseGguf(target.tensor.type, bytes, stored, name);
        for (float& value : stored) value -= offset;
        std::ranges::copy(inMemoryOrder(stored, rows), values.begin());
        if (target.scaledHead) m_impl->writeScaledHead(target, values);
        return;
    }
    // A head of its own whose input the network scales: the scale goes into the file.
    std::vector<float> scaled(values.begin(), values.end());
    for (float& value : scaled) value *= target.scale;
    const std::vector<std::byte> bytes = narrowForGguf(target.tensor.type, scaled, name);
    m_impl->writer->write(target.tensor.name, bytes);
    dequantiseGguf(target.tensor.type, bytes, scaled, name);
    for (size_t i = 0; i < values.size(); ++i) values[i] = scaled[i] / target.scale;
}

WrittenFile GgufModelWriter::finish() {
    return m_impl->writer->finish();
}

}  // namespace wb::core
