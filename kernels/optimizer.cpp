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

namespace {

constexpr std::string_view kAdamW = "adamW";

bool hasMaster(const AdamWTensor& tensor) {
    return tensor.parameter.dtype == DType::BF16 || tensor.parameter.dtype == DType::F16;
}

void checkTensor(const Context& context, const AdamWTensor& tensor, DType sums) {
    requirePresent(kAdamW, "parameter", tensor.parameter);
    requireComputeDtype(context, kAdamW, "parameter", tensor.parameter);
    if (accumulatorDtype(tensor.parameter.dtype) != sums) {
        throw Error{ErrorCode::InvalidArgument, "adamW: F64 parameters are updated by a call of their own"};
    }
    const Shape shape = tensor.parameter.shape;
    for (const auto& [name, view] :
         {std::pair<const char*, ConstView>{"gradient", tensor.gradient}, {"m", tensor.m}, {"v", tensor.v}}) {
        requireShape(kAdamW, name, view, shape);
        requireDtype(kAdamW, name, view, sums);
    }
    if (hasMaster(tensor)) {
        requireShape(kAdamW, "master", tensor.master, shape);
        requireDtype(kAdamW, "master", tensor.master, DType::F32);
    } else if (tensor.master.isPresent()) {
        throw Error{ErrorCode::InvalidArgument, "adamW: only a parameter of 16 bits has a master copy"};
    }
}

// Read gradient, m, v, w; write m, v, w and the short copy.
double bytesPerValue(const AdamWTensor& tensor) {
    if (tensor.parameter.dtype == DType::F64) return 56;
    return hasMaster(tensor) ? 30 : 28;
}

}  // namespace

void adamW(const Context& context, const AdamWArgs& args) {
    OpCost cost;
    for (const AdamWTensor& tensor : args.tensors) {
        checkTensor(context, tensor, accumulatorDtype(args.tensors.front().parameter.dtype));
        const auto count = static_cast<double>(tensor.parameter.shape.count());
        cost.flops += 15 * count;
        cost.bytes += bytesPerValue(tensor) * count;
    }
    if (args.gradientScale.isPresent()) {
        requireShape(kAdamW, "gradientScale", args.gradientScale, Shape{1});
        requireDtype(kAdamW, "gradientScale", args.gradientScale, DType::F32);
    }
    if (args.step < 1) {
        throw Error{ErrorCode::InvalidArgument, fmt::format("adamW: step is {}, the first step is 1", args.step)};
    }
    dispatch(context, context.ops->adamW, args, cost);
}

}  // namespace wb::kernels
