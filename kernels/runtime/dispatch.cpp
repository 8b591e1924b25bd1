// SPDX-License-Identifier: Apache-2.0
#include "kernels/runtime/dispatch.h"

#include "kernels/runtime/op_table.h"

namespace wb::kernels {

std::string_view backendName(const Context& context) {
    return context.ops->device == DeviceType::Cuda ? "cuda" : "cpu";
}

void failMissingOp(const Context& context, std::string_view op) {
    throw Error{ErrorCode::Unsupported, fmt::format("op '{}' does not exist on device {}", op,
                                                    deviceName({context.ops->device, context.device.index}))};
}

Buffer takeWorkspace(const Context& context, size_t bytes, View& workspace) {
    if (bytes == 0) return {};
    Buffer buffer = context.allocator->allocate(bytes, MemoryOwner::Workspace);
    workspace = {buffer.data(), DType::U8, Shape{static_cast<int64_t>(bytes)}};
    return buffer;
}

void requirePresent(std::string_view op, std::string_view name, const ConstView& view) {
    if (!view.isPresent()) throw Error{ErrorCode::InvalidArgument, fmt::format("{}: {} is missing", op, name)};
}

void requireShape(std::string_view op, std::string_view name, const ConstView& view, const Shape& expected) {
    if (view.shape != expected) {
        throw Error{ErrorCode::InvalidArgument,
                    fmt::format("{}: {} has shape {}, expected {}", op, name, view.shape.text(), expected.text())};
    }
}

void requireDtype(std::string_view op, std::string_view name, const ConstView& view, DType expected) {
    if (view.dtype != expected) {
        throw Error{ErrorCode::InvalidArgument,
                    fmt::format("{}: {} is {}, expected {}", op, name, dtypeName(view.dtype), dtypeName(expected))};
    }
}

void requireComputeDtype(const Context& context, std::string_view op, std::string_view name, const ConstView& view) {
    const bool isOnCuda = context.ops->device == DeviceType::Cuda;
    const DType third = isOnCuda ? DType::F16 : DType::F64;
    if (view.dtype == DType::F32 || view.dtype == DType::BF16 || view.dtype == third) return;
    throw Error{ErrorCode::InvalidArgument,
                fmt::format("{}: {} is {}, expected F32, BF16 or {} on {}", op, name, dtypeName(view.dtype),
                            dtypeName(third), isOnCuda ? "CUDA" : "the CPU")};
}

void requireRank(std::string_view op, std::string_view name, const ConstView& view, int rank) {
    if (view.shape.rank() != rank) {
        throw Error{ErrorCode::InvalidArgument,
                    fmt::format("{}: {} has shape {}, expected {} axes", op, name, view.shape.text(), rank)};
    }
}

}  // namespace wb::kernels
