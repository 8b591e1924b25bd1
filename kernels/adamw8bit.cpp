// SPDX-License-Identifier: Apache-2.0
#include "kernels/adamw8bit.h"

#include "kernels/base/dynamic_map.h"
#include "kernels/runtime/op_table.h"

namespace wb::kernels {

int64_t momentBlocks(const Shape& parameter) {
    return (parameter.count() + kMomentBlock - 1) / kMomentBlock;
}

void adamW8bit(const Context& context, const AdamW8bitArgs& args) {
    constexpr std::string_view kOp = "adamW8bit";
    requirePresent(kOp, "parameter", args.parameter);
    if (args.parameter.dtype == DType::F64) {
        throw Error{ErrorCode::Unsupported, "adamW8bit: an F64 parameter keeps F64 moments, take adamW"};
    }
    requireComputeDtype(context, kOp, "parameter", args.parameter);
    const Shape& shape = args.parameter.shape;
    const auto require = [kOp](const char* name, const ConstView& view, const Shape& expected, DType dtype) {
        requireShape(kOp, name, view, expected);
        requireDtype(kOp, name, view, dtype);
    };
    require("gradient", args.gradient, shape, DType::F32);
    require("m", args.m, shape, DType::I8);
    require("v", args.v, shape, DType::U8);
    require("mScales", args.mScales, Shape{momentBlocks(shape)}, DType::F32);
    require("vScales", args.vScales, Shape{momentBlocks(shape)}, DType::F32);
    const bool hasMaster = args.parameter.dtype != DType::F32;
    if (hasMaster) {
        require("master", args.master, shape, DType::F32);
    } else if (args.master.isPresent()) {
        throw Error{ErrorCode::InvalidArgument, "adamW8bit: only a parameter of 16 bits has a master copy"};
    }
    if (args.gradientScale.isPresent()) require("gradientScale", args.gradientScale, Shape{1}, DType::F32);
    if (args.step < 1) {
        throw Error{ErrorCode::InvalidArgument, fmt::format("adamW8bit: step is {}, the first step is 1", args.step)};
    }
    const auto count = static_cast<double>(shape.count());
    // Read gradient, w, both codes and scales; write w, codes, scales and the short copy.
    const double bytesPerValue = (hasMaster ? 18 : 16) + 16.0 / kMomentBlock;
    dispatch(context, context.ops->adamW8bit, args, {.flops = 60 * count, .bytes = bytesPerValue * count});
}

}  // namespace wb::kernels
