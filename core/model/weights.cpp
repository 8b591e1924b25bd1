// SPDX-License-Identifier: Apache-2.0
#include "core/model/weights.h"

#include "core/format/safetensors.h"
#include "core/format/weight_hash.h"
#include "kernels/base/error.h"
#include "kernels/base/philox.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <algorithm>
#include <cmath>
#include <numbers>

namespace wb::core {
namespace {

std::vector<int64_t> extentsOf(const Tensor& tensor) {
    std::vector<int64_t> extents;
    for (int axis = 0; axis < tensor.shape().rank(); ++axis) extents.push_back(tensor.shape()[axis]);
    return extents;
}

std::vector<std::byte> hostBytes(const kernels::Context& context, const Tensor& tensor) {
    std::vector<std::byte> bytes(tensor.bytes());
    copyToHost(context, tensor, bytes.data(), bytes.size());
    return bytes;
}

// Box-Muller on two Philox words: draw i of the stream of one weight.
float normalDraw(uint64_t seed, uint64_t index, uint64_t stream) {
    const PhiloxBlock words = philoxBlock(seed, index, stream);
    const double u = (static_cast<double>(words[0]) + 1.0) * 0x1p-32;  // (0, 1]
    const double v = static_cast<double>(words[1]) * 0x1p-32;
    return static_cast<float>(std::sqrt(-2.0 * std::log(u)) * std::cos(2.0 * std::numbers::pi * v));
}

bool isOutputProjection(const std::string& name) {
    return name.ends_with(".o_proj.weight") || name.ends_with(".down_proj.weight");
}

}  // namespace

std::vector<NamedTensor> storedWeights(CausalLm& model) {
    std::vector<NamedTensor> tensors;
    model.visitParameters([&](Parameter& parameter) {
        tensors.push_back({parameter.name, model.storedValue(parameter)});
    });
    return tensors;
}

void loadWeights(const kernels::Context& context, CausalLm& model, const ModelSource& source) {
    if (context.device.type == DeviceType::Plan) return;
    std::vector<float> widened;
    for (const NamedTensor& target : storedWeights(model)) {
        const ModelTensor& stored = source.tensor(target.name);
        if (stored.dtype == target.tensor.dtype()) {
            const RawTensor raw = source.readTensor(target.name);
            copyFromHost(context, raw.bytes.data(), raw.bytes.size(), target.tensor);
            continue;
        }
        widened.resize(static_cast<size_t>(stored.count()));
        source.readTensorAsFloat(target.name, widened);
        assignFloats(context, target.tensor, widened);
    }
}

void initialiseWeights(const kernels::Context& context, CausalLm& model, uint64_t seed) {
    if (context.device.type == DeviceType::Plan) return;
    const auto range = static_cast<float>(model.config().initializerRange);
    const float outputScale = 1.0F / std::sqrt(2.0F * static_cast<float>(model.config().numLayers));
    uint64_t stream = 0;
    for (const NamedTensor& weight : storedWeights(model)) {
        std::vector<float> values(static_cast<size_t>(weight.tensor.count()));
        if (weight.tensor.shape().rank() == 1) {
            std::ranges::fill(values, weight.name.ends_with(".bias") ? 0.0F : 1.0F);
        } else {
            const float scale = isOutputProjection(weight.name) ? range * outputScale : range;
            for (size_t i = 0; i < values.size(); ++i) values[i] = scale * normalDraw(seed, i, stream);
        }
        assignFloats(context, weight.tensor, values);
        ++stream;
    }
}

void writeTensorFile(const kernels::Context& context, const std::filesystem::path& file,
                     const std::vector<NamedTensor>& tensors, const std::map<std::string, std::string>& metadata) {
    std::vector<TensorDeclaration> declarations;
    for (const NamedTensor& named : tensors) {
        declarations.push_back({named.name, named.tensor.dtype(), extentsOf(named.tensor)});
    }
    SafetensorsWriter writer(file, std::move(declarations), metadata);
    for (const NamedTensor& named : tensors) writer.write(named.name, hostBytes(context, named.tensor));
    writer.finish();
}

void readTensorFile(const kernels::Context& context, const std::filesystem::path& file,
                    const std::vector<NamedTensor>& tensors) {
    const SafetensorsFile stored = SafetensorsFile::open(file);
    if (stored.tensors().size() != tensors.size()) {
        throw Error{ErrorCode::CorruptFile, fmt::format("{}: holds {} tensors, expected {}", file.string(),
                                                        stored.tensors().size(), tensors.size())};
    }
    for (const NamedTensor& target : tensors) {
        const TensorEntry* entry = stored.find(target.name);
        if (entry == nullptr) {
            throw Error{ErrorCode::CorruptFile, fmt::format("{}: tensor '{}' is missing", file.string(), target.name)};
        }
        const std::vector<int64_t> expected = extentsOf(target.tensor);
        if (entry->dtype != target.tensor.dtype() || entry->shape != expected) {
            throw Error{ErrorCode::CorruptFile,
                        fmt::format("{}: tensor '{}' is {} [{}], expected {} [{}]", file.string(), target.name,
                                    entry->dtypeText, fmt::join(entry->shape, ", "), dtypeName(target.tensor.dtype()),
                                    fmt::join(expected, ", "))};
        }
        const auto bytes = stored.bytes(*entry);
        copyFromHost(context, bytes.data(), bytes.size(), target.tensor);
    }
}

std::string hashTensors(const kernels::Context& context, std::vector<NamedTensor> tensors) {
    std::ranges::sort(tensors, {}, &NamedTensor::name);
    WeightHash hash;
    for (const NamedTensor& named : tensors) {
        const std::vector<int64_t> extents = extentsOf(named.tensor);
        hash.begin(named.name, named.tensor.dtype(), extents);
        hash.update(hostBytes(context, named.tensor));
    }
    return hash.finish();
}

}  // namespace wb::core
