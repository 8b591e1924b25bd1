// SPDX-License-Identifier: Apache-2.0
#include "core/format/gguf_weights.h"

#include "core/format/gguf_architectures.h"
#include "core/format/gguf_dequantise.h"
#include "core/model/architectures/architectures.h"

#include <algorithm>
#include <cstring>
#include <set>

namespace wb::core {
namespace {

size_t elementCount(const std::vector<int64_t>& shape) {
    size_t count = 1;
    for (const int64_t extent : shape) count *= static_cast<size_t>(extent);
    return count;
}

std::vector<std::byte> widened(const GgufTensor& tensor, float added) {
    std::vector<float> values(elementCount(tensor.shape));
    dequantiseGguf(tensor.type, tensor.bytes, values, tensor.name);
    for (float& value : values) value += added;
    std::vector<std::byte> bytes(values.size() * sizeof(float));
    std::memcpy(bytes.data(), values.data(), bytes.size());
    return bytes;
}

// Whether elements have to become F32 before they can be put into order.
bool needsWidening(const GgufTensor& tensor, GgufLayout layout) {
    const bool isPlain = tensor.type == GgufType::F32 || tensor.type == GgufType::F16 || tensor.type == GgufType::BF16;
    if (layout == GgufLayout::PlusOne) return true;
    if (layout == GgufLayout::Transposed) return !isPlain;
    return !isPlain && tensor.type != GgufType::Q8_0 && tensor.type != GgufType::Q4_0;
}

struct Conversion {
    GgufTensor tensor;
    GgufLayout layout = GgufLayout::Same;
    HeadRows heads;

    std::vector<std::byte> operator()() const {
        const auto numRows = static_cast<size_t>(tensor.shape.front());
        const bool isWidened = needsWidening(tensor, layout);
        std::vector<std::byte> owned;
        std::span<const std::byte> bytes = tensor.bytes;
        if (isWidened) bytes = owned = widened(tensor, layout == GgufLayout::PlusOne ? -1.0F : 0.0F);
        if (layout == GgufLayout::Transposed) {
            const size_t elementBytes = bytes.size() / elementCount(tensor.shape);
            return transposed(bytes, numRows, static_cast<size_t>(tensor.shape.back()), elementBytes);
        }
        if (layout == GgufLayout::RotaryPairs || layout == GgufLayout::GroupedHeads) {
            return gatherRows(bytes, ggufRows(layout, numRows, heads, tensor.name));
        }
        return owned;
    }
};

StoredTensor storedTensor(const GgufTensor& tensor, std::string name, GgufLayout layout, const ModelConfig& config) {
    StoredTensor stored{
        std::move(name), ggufTypeName(tensor.type), dtypeOfGguf(tensor.type), tensor.shape, tensor.bytes, {}};
    if (!stored.dtype) return stored;
    // A vector has no columns to swap.
    if (layout == GgufLayout::Transposed && tensor.shape.size() != 2) layout = GgufLayout::Same;
    const bool isWidened = needsWidening(tensor, layout);
    if (isWidened) stored.dtype = DType::F32;
    if (isWidened || layout != GgufLayout::Same) {
        stored.convert = Conversion{tensor, layout, headRowsOf(config, stored.name)};
    }
    if (layout == GgufLayout::Transposed) std::ranges::reverse(stored.shape);
    return stored;
}

}  // namespace

WeightFiles openGgufWeights(GgufFile opened, const ModelConfig& config) {
    WeightFiles files;
    files.gguf = std::move(opened);
    const GgufFile& file = *files.gguf;
    const GgufArchitecture& architecture =
        ggufArchitectureNamed(file.text("general.architecture").value_or(""), file.path().string());
    std::set<std::string> taken{"rope_freqs.weight"};
    for (const ExpectedTensor& expected : expectedTensors(networkConfigOf(config))) {
        const GgufPlace place = ggufPlaceOf(architecture, expected.name);
        const GgufTensor* tensor = file.find(place.name);
        if (tensor == nullptr) continue;
        files.tensors.push_back(storedTensor(*tensor, expected.name, place.layout, config));
        taken.insert(place.name);
    }
    for (const GgufTensor& tensor : file.tensors()) {
        // A table that T5 converters write and no implementation reads.
        const bool isUnread = tensor.name.find(".cross_attn_rel_b.") != std::string::npos;
        if (!isUnread && !taken.contains(tensor.name))
            files.tensors.push_back(storedTensor(tensor, tensor.name, GgufLayout::Same, config));
    }
    return files;
}

}  // namespace wb::core
