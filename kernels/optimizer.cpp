// SPDX-License-Identifier: Apache-2.0
#include "kernels/optimizer.h"

#include "kernels/runtime/op_table.h"

namespace wb::kernels {

void globalNorm(const Context& context, const GlobalNormArgs& args) {
    constexpr std::string_view kOp = "globalNorm";
    requireShape(kOp, "out", args.out, Shape{1});
    if (args.out.dtype != DType::F64) requireDtype(kOp, "out", args.out, DType::F32);
    double count = 0;
    for (const ConstView& tensor : args.tensors) {
        requireDtype(kOp, "tensor", tensor, args.out.dtype);
        count += static_cast<double>(tensor.shape.count());
    }
    dispatch(context, context.ops->globalNorm, args,
             {.flops = 2 * count, .bytes = count * (args.out.dtype == DType::F64 ? 8 : 4)});
}

void adamW(const Context& context, const AdamWArgs& args) {
    constexpr std::string_view kOp = "adamW";
    requirePresent(kOp, "parameter", args.parameter);
    requireComputeDtype(context, kOp, "parameter", args.parameter);
    const Shape shape = args.parameter.shape;
    const DType sums = accumulatorDtype(args.parameter.dtype);
    for (const auto& [name, view] :
         {std::pair<const char*, ConstView>{"gradient", args.gradient}, {"m", args.m}, {"v", args.v}}) {
        requireShape(kOp, name, view, shape);
        requireDtype(kOp, name, view, sums);
    }
    const bool hasMaster = args.parameter.dtype == DType::BF16 || args.parameter.dtype == DType::F16;
    if (hasMaster) {
        requireShape(kOp, "master", args.master, shape);
        requireDtype(kOp, "master", args.master, DType::F32);
    } else if (args.master.isPresent()) {
        throw Error{ErrorCode::InvalidArgument, "adamW: only a parameter of 16 bits has a master copy"};
    }
    if (args.gradientScale.isPresent()) {
        requireShape(kOp, "gradientScale", args.gradientScale, Shape{1});
        requireDtype(kOp, "gradientScale", args.gradientScale, DType::F32);
    }
    if (args.step < 1) {
        throw Error{ErrorCode::InvalidArgument, fmt::format("adamW: step is {}, the first step is 1", args.step)};
    }
    const auto count = static_cast<double>(shape.count());
    const double bytesPerValue = hasMaster ? 30 : 28;  // read gradient, m, v, w; write m, v, w and the short copy
    dispatch(context, context.ops->adamW, args,
             {.flops = 15 * count, .bytes = count * (sums == DType::F64 ? 56 : bytesPerValue)});
}

}  // namespace wb::kernels
