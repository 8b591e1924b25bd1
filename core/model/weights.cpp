// SPDX-License-Identifier: Apache-2.0
#include "core/model/weights.h"

#include "core/format/safetensors.h"
#include "core/format/weight_hash.h"
#include "kernels/base/error.h"
#include "kernels/base/philox.h"
#include "kernels/cpu/parallel.h"
#include "kernels/elementwise.h"
#include "kernels/quantize.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <numbers>
#include <span>
#include <utility>

namespace wb::core {
namespace {

// As files hold it.
std::vector<int64_t> extentsOf(const NamedTensor& named) {
    const Shape& shape = named.tensor.shape();
    std::vector<int64_t> extents;
    for (int axis = 0; axis < shape.rank(); ++axis) extents.push_back(shape[axis]);
    if (named.isTransposed) std::swap(extents[0], extents[1]);
    return extents;
}

// Rows become columns, for elements of any size.
std::vector<std::byte> transposed(std::span<const std::byte> bytes, int64_t rows, int64_t columns) {
    const size_t element = bytes.size() / static_cast<size_t>(rows * columns);
    std::vector<std::byte> result(bytes.size());
    for (size_t row = 0; row < static_cast<size_t>(rows); ++row) {
        for (size_t column = 0; column < static_cast<size_t>(columns); ++column) {
            const auto source = bytes.subspan((row * static_cast<size_t>(columns) + column) * element, element);
            std::ranges::copy(source, result.begin() + static_cast<std::ptrdiff_t>(
                                                           (column * static_cast<size_t>(rows) + row) * element));
        }
    }
    return result;
}

// What files hold in place of tiles.
DType fileDtype(const NamedTensor& named) {
    const DType dtype = named.tensor.dtype();
    return isTiled(dtype) ? rowsOfTiles(dtype) : dtype;
}

// Room on the device for the blocks of a tensor in tiles as files have them.
Tensor blockRows(const kernels::Context& context, const NamedTensor& named) {
    return Tensor::empty(context, fileDtype(named), named.tensor.shape(), kernels::MemoryOwner::Workspace);
}

// Elements in the order of files. Blocks keep the order of memory: a turned matrix has other ones.
std::vector<std::byte> fileBytes(const kernels::Context& context, const NamedTensor& named) {
    if (isTiled(named.tensor.dtype())) {
        const Tensor rows = blockRows(context, named);
        kernels::retile(context, {.in = named.tensor.view(), .out = rows.view()});
        std::vector<std::byte> blocks(rows.bytes());
        copyToHost(context, rows, blocks.data(), blocks.size());
        return blocks;
    }
    std::vector<std::byte> bytes(named.tensor.bytes());
    copyToHost(context, named.tensor, bytes.data(), bytes.size());
    if (!named.isTransposed) return bytes;
    return transposed(bytes, named.tensor.shape()[0], named.tensor.shape()[1]);
}

void assignFileBytes(const kernels::Context& context, const NamedTensor& target, std::span<const std::byte> bytes) {
    if (!target.isTransposed) return copyFromHost(context, bytes.data(), bytes.size(), target.tensor);
    const std::vector<std::byte> turned = transposed(bytes, target.tensor.shape()[1], target.tensor.shape()[0]);
    copyFromHost(context, turned.data(), turned.size(), target.tensor);
}

// Box-Muller on two Philox words: draw i of the stream of one weight.
float normalDraw(uint64_t seed, uint64_t index, uint64_t stream) {
    const PhiloxBlock words = philoxBlock(seed, index, stream);
    const double u = (static_cast<double>(words[0]) + 1.0) * 0x1p-32;  // (0, 1]
    const double v = static_cast<double>(words[1]) * 0x1p-32;
    return static_cast<float>(std::sqrt(-2.0 * std::log(u)) * std::cos(2.0 * std::numbers::pi * v));
}

// What a sub-layer adds to the residual stream, under the names of all families.
bool isOutputProjection(const std::string& name) {
    constexpr std::array kEndings{".o_proj.weight", ".down_proj.weight", ".c_proj.weight", ".out_proj.weight",
                                  ".dense.weight",  ".fc2.weight",       ".fc_out.weight", ".dense_4h_to_h.weight",
                                  ".o.weight",      ".wo.weight",        ".w2.weight"};
    return std::ranges::any_of(kEndings, [&](const char* ending) { return name.ends_with(ending); });
}

}  // namespace

std::vector<NamedTensor> storedWeights(LanguageModel& model) {
    std::vector<NamedTensor> tensors;
    model.visitParameters([&](Parameter& parameter) {
        tensors.push_back({parameter.name, model.storedValue(parameter), parameter.isTransposedInFile});
    });
    return tensors;
}

void loadWeights(const kernels::Context& context, LanguageModel& model, const ModelSource& source) {
    if (context.device.type == DeviceType::Plan) return;
    std::vector<float> widened;
    for (const NamedTensor& target : storedWeights(model)) {
        if (!source.has(target.name)) {  // an optional one: opening the source would have failed otherwise
            fillZeros(context, target.tensor);
            continue;
        }
        const ModelTensor& stored = source.tensor(target.name);
        if (isTiled(target.tensor.dtype()) && stored.dtype == fileDtype(target) && !target.isTransposed) {
            const RawTensor raw = source.readTensor(target.name);
            const Tensor rows = blockRows(context, target);
            copyFromHost(context, raw.bytes.data(), raw.bytes.size(), rows);
            kernels::retile(context, {.in = rows.view(), .out = target.tensor.view()});
            continue;
        }
        if (stored.dtype == target.tensor.dtype()) {
            assignFileBytes(context, target, source.readTensor(target.name).bytes);
            continue;
        }
        widened.resize(static_cast<size_t>(stored.count()));
        source.readTensorAsFloat(target.name, widened);
        if (target.isTransposed) {
            const auto turned = transposed(std::as_bytes(std::span(widened)), stored.shape[0], stored.shape[1]);
            std::memcpy(widened.data(), turned.data(), turned.size());
        }
        assignFloats(context, target.tensor, widened);
    }
}

void initialiseWeights(const kernels::Context& context, LanguageModel& model, uint64_t seed) {
    if (context.device.type == DeviceType::Plan) return;
    const auto range = static_cast<float>(model.config().initializerRange);
    const float outputScale = 1.0F / std::sqrt(2.0F * static_cast<float>(model.config().numLayers));
    uint64_t stream = 0;
    for (const NamedTensor& weight : storedWeights(model)) {
        std::vector<float> values(static_cast<size_t>(weight.tensor.count()));
        const bool isBias = weight.name.ends_with("bias");
        if (weight.tensor.shape().rank() == 1 || isBias) {
            std::ranges::fill(values, isBias ? 0.0F : 1.0F);
        } else {
            const float scale = isOutputProjection(weight.name) ? range * outputScale : range;
            // Each value has a draw of its own, so the number of threads does not matter.
            kernels::cpu::parallelFor(context, weight.tensor.count(), 1, [&](int64_t begin, int64_t end) {
                for (auto i = static_cast<size_t>(begin); i < static_cast<size_t>(end); ++i)
                    values[i] = scale * normalDraw(seed, i, stream);
            });
        }
        assignFloats(context, weight.tensor, values);
        ++stream;
    }
}

void writeTensorFile(const kernels::Context& context, const std::filesystem::path& file,
                     const std::vector<NamedTensor>& tensors, const std::map<std::string, std::string>& metadata) {
    std::vector<TensorDeclaration> declarations;
    for (const NamedTensor& named : tensors) {
        declarations.push_back({named.name, fileDtype(named), extentsOf(named)});
    }
    SafetensorsWriter writer(file, std::move(declarations), metadata);
    for (const NamedTensor& named : tensors) writer.write(named.name, fileBytes(context, named));
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
        const std::vector<int64_t> expected = extentsOf(target);
        if (entry->dtype != target.tensor.dtype() || entry->shape != expected) {
            throw Error{ErrorCode::CorruptFile,
                        fmt::format("{}: tensor '{}' is {} [{}], expected {} [{}]", file.string(), target.name,
                                    entry->dtypeText, fmt::join(entry->shape, ", "), dtypeName(target.tensor.dtype()),
                                    fmt::join(expected, ", "))};
        }
        assignFileBytes(context, target, stored.bytes(*entry));
    }
}

std::string hashTensors(const kernels::Context& context, std::vector<NamedTensor> tensors) {
    std::ranges::sort(tensors, {}, &NamedTensor::name);
    WeightHash hash;
    for (const NamedTensor& named : tensors) {
        const std::vector<int64_t> extents = extentsOf(named);
        hash.begin(named.name, fileDtype(named), extents);
        hash.update(fileBytes(context, named));
    }
    return hash.finish();
}

}  // namespace wb::core
