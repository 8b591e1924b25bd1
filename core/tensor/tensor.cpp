// SPDX-License-Identifier: Apache-2.0
#include "core/tensor/tensor.h"

#include "kernels/base/error.h"
#include "kernels/base/float_formats.h"
#include "kernels/base/quantized_tiles.h"
#include "kernels/elementwise.h"
#include "kernels/quantize.h"
#include "kernels/runtime/op_table.h"

#include <fmt/format.h>
#include <cmath>
#include <cstring>

namespace wb::core {

using kernels::Context;

Tensor Tensor::empty(const Context& context, DType dtype, const Shape& shape, kernels::MemoryOwner owner) {
    Tensor tensor;
    const size_t bytes = arrayBytes(dtype, shape);
    tensor.m_storage = std::make_shared<kernels::Buffer>(context.allocator->allocate(bytes, owner));
    tensor.m_dtype = dtype;
    tensor.m_shape = shape;
    return tensor;
}

Tensor Tensor::zeros(const Context& context, DType dtype, const Shape& shape, kernels::MemoryOwner owner) {
    Tensor tensor = empty(context, dtype, shape, owner);
    kernels::fill(context, {.out = tensor.view(), .value = 0.0F});
    return tensor;
}

Tensor Tensor::fromInts(const Context& context, std::span<const int32_t> values, kernels::MemoryOwner owner) {
    Tensor tensor = empty(context, DType::I32, Shape{static_cast<int64_t>(values.size())}, owner);
    copyFromHost(context, values.data(), values.size_bytes(), tensor);
    return tensor;
}

void* Tensor::data() const {
    if (!m_storage || m_storage->data() == nullptr) return nullptr;
    return static_cast<std::byte*>(m_storage->data()) + m_offset;
}

Tensor Tensor::reshaped(const Shape& shape) const {
    if (shape.count() != count()) {
        throw Error{ErrorCode::InvalidArgument, fmt::format("cannot view {} as {}", m_shape.text(), shape.text())};
    }
    Tensor tensor = *this;
    tensor.m_shape = shape;
    return tensor;
}

Tensor Tensor::rows(int64_t begin, int64_t end) const {
    WB_CHECK(isPresent() && begin >= 0 && begin <= end && end <= m_shape[0], "rows lie inside the tensor");
    const auto rowCount = static_cast<size_t>(m_shape[0]);
    Tensor tensor = *this;
    if (isTiled(m_dtype)) {
        WB_CHECK(begin % kTileRows == 0, "rows of tiles begin with a tile");
        tensor.m_offset += arrayBytes(m_dtype, {begin, m_shape[1]});
    } else {
        tensor.m_offset += (rowCount == 0 ? 0 : bytes() / rowCount) * static_cast<size_t>(begin);
    }
    switch (m_shape.rank()) {
        case 1: tensor.m_shape = Shape{end - begin}; break;
        case 2: tensor.m_shape = Shape{end - begin, m_shape[1]}; break;
        case 3: tensor.m_shape = Shape{end - begin, m_shape[1], m_shape[2]}; break;
        default: tensor.m_shape = Shape{end - begin, m_shape[1], m_shape[2], m_shape[3]}; break;
    }
    return tensor;
}

void copyFromHost(const Context& context, const void* source, size_t bytes, const Tensor& target) {
    WB_CHECK(bytes == target.bytes(), "host and device sizes agree");
    if (context.device.type == DeviceType::Plan || bytes == 0) return;
    context.ops->copyFromHost(context, target.data(), source, bytes);
}

void copyToHost(const Context& context, const Tensor& source, void* target, size_t bytes) {
    WB_CHECK(bytes == source.bytes(), "host and device sizes agree");
    if (bytes == 0) return;
    if (context.device.type == DeviceType::Plan) {
        std::memset(target, 0, bytes);
        return;
    }
    context.ops->copyToHost(context, target, source.data(), bytes);
}

namespace {

std::vector<float> copied(const Context& context, const Tensor& tensor) {
    std::vector<float> values(static_cast<size_t>(tensor.count()));
    copyToHost(context, tensor, values.data(), values.size() * sizeof(float));
    return values;
}

template <class Stored>
std::vector<float> widened(const Context& context, const Tensor& tensor) {
    std::vector<Stored> stored(static_cast<size_t>(tensor.count()));
    copyToHost(context, tensor, stored.data(), stored.size() * sizeof(Stored));
    std::vector<float> values(stored.size());
    for (size_t i = 0; i < stored.size(); ++i) values[i] = static_cast<float>(stored[i]);
    return values;
}

template <class Stored>
void assignNarrowed(const Context& context, const Tensor& tensor, std::span<const float> values) {
    std::vector<Stored> stored(values.size());
    for (size_t i = 0; i < stored.size(); ++i) stored[i] = static_cast<Stored>(values[i]);
    copyFromHost(context, stored.data(), stored.size() * sizeof(Stored), tensor);
}

std::vector<float> dequantised(const Context& context, const Tensor& tensor) {
    const Tensor values = Tensor::empty(context, DType::F32, tensor.shape(), kernels::MemoryOwner::Workspace);
    kernels::dequantize(context, {.quantized = tensor.view(), .out = values.view()});
    return copied(context, values);
}

void assignQuantised(const Context& context, const Tensor& tensor, std::span<const float> values) {
    for (size_t i = 0; i < values.size(); ++i) {
        if (std::isfinite(values[i])) continue;
        throw Error{ErrorCode::InvalidArgument,
                    fmt::format("element {} is {}, which {} cannot hold", i, values[i], dtypeName(tensor.dtype()))};
    }
    const Tensor wide = Tensor::empty(context, DType::F32, tensor.shape(), kernels::MemoryOwner::Workspace);
    copyFromHost(context, values.data(), values.size_bytes(), wide);
    kernels::quantize(context, {.x = wide.view(), .out = tensor.view()});
}

[[noreturn]] void refuseDtype(const Tensor& tensor) {
    throw Error{ErrorCode::InvalidArgument,
                fmt::format("a tensor of {} does not hold floats", dtypeName(tensor.dtype()))};
}

}  // namespace

std::vector<float> toFloats(const Context& context, const Tensor& tensor) {
    switch (tensor.dtype()) {
        case DType::F32: return copied(context, tensor);
        case DType::F64: return widened<double>(context, tensor);
        case DType::BF16: return widened<BFloat16>(context, tensor);
        case DType::F16: return widened<Float16>(context, tensor);
        case DType::Q8_0x16:
        case DType::Q4_0x16:
        case DType::NF4x16: return dequantised(context, tensor);
        default: refuseDtype(tensor);
    }
}

void assignFloats(const Context& context, const Tensor& tensor, std::span<const float> values) {
    if (static_cast<int64_t>(values.size()) != tensor.count()) {
        throw Error{ErrorCode::InvalidArgument,
                    fmt::format("{} values for a tensor of {}", values.size(), tensor.count())};
    }
    switch (tensor.dtype()) {
        case DType::F32: return copyFromHost(context, values.data(), values.size_bytes(), tensor);
        case DType::F64: return assignNarrowed<double>(context, tensor, values);
        case DType::BF16: return assignNarrowed<BFloat16>(context, tensor, values);
        case DType::F16: return assignNarrowed<Float16>(context, tensor, values);
        case DType::Q8_0x16:
        case DType::Q4_0x16:
        case DType::NF4x16: return assignQuantised(context, tensor, values);
        default: refuseDtype(tensor);
    }
}

void fillZeros(const Context& context, const Tensor& tensor) {
    if (!isTiled(tensor.dtype())) return kernels::fill(context, {.out = tensor.view()});
    assignFloats(context, tensor, std::vector<float>(static_cast<size_t>(tensor.count())));
}

void copyWeight(const Context& context, const Tensor& from, const Tensor& to) {
    if (isTiled(from.dtype())) {
        kernels::dequantize(context, {.quantized = from.view(), .out = to.view()});
    } else {
        kernels::scale(context, {.x = from.view(), .out = to.view()});
    }
}

}  // namespace wb::core
