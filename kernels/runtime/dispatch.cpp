// SPDX-License-Identifier: Apache-2.0
#include "kernels/runtime/dispatch.h"

namespace wb::kernels {

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

}  // namespace wb::kernels
