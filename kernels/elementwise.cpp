// SPDX-License-Identifier: Apache-2.0
#include "kernels/elementwise.h"

#include "kernels/runtime/op_table.h"

namespace wb::kernels {
namespace {

double countOf(const ConstView& view) {
    return static_cast<double>(view.shape.count());
}
double bytesOf(const ConstView& view) {
    return static_cast<double>(view.bytes());
}

}  // namespace

void add(const Context& context, const AddArgs& args) {
    requirePresent("add", "a", args.a);
    requireComputeDtype(context, "add", "a", args.a);
    requireShape("add", "b", args.b, args.a.shape);
    requireDtype("add", "b", args.b, args.a.dtype);
    requireShape("add", "out", args.out, args.a.shape);
    requireDtype("add", "out", args.out, args.a.dtype);
    dispatch(context, context.ops->add, args, {.flops = countOf(args.a), .bytes = 3 * bytesOf(args.a)});
}

void scale(const Context& context, const ScaleArgs& args) {
    requirePresent("scale", "x", args.x);
    requireComputeDtype(context, "scale", "x", args.x);
    requireShape("scale", "out", args.out, args.x.shape);
    if (args.out.dtype != DType::F32 || args.x.dtype == DType::F64) {
        requireDtype("scale", "out", args.out, args.x.dtype);
    }
    const double writes = args.accumulates ? 2 : 1;
    dispatch(context, context.ops->scale, args,
             {.flops = writes * countOf(args.x), .bytes = bytesOf(args.x) + writes * bytesOf(args.out)});
}

void softCap(const Context& context, const SoftCapArgs& args) {
    requirePresent("softCap", "x", args.x);
    requireComputeDtype(context, "softCap", "x", args.x);
    requireShape("softCap", "out", args.out, args.x.shape);
    requireDtype("softCap", "out", args.out, args.x.dtype);
    if (!(args.cap > 0.0F)) {
        throw Error{ErrorCode::InvalidArgument, fmt::format("softCap: cap is {}, expected more than 0", args.cap)};
    }
    dispatch(context, context.ops->softCap, args, {.flops = 10 * countOf(args.x), .bytes = 2 * bytesOf(args.x)});
}

void fill(const Context& context, const FillArgs& args) {
    requirePresent("fill", "out", args.out);
    const bool isInteger = args.out.dtype == DType::I32 || args.out.dtype == DType::I8 || args.out.dtype == DType::U8;
    if (!isInteger) requireComputeDtype(context, "fill", "out", args.out);
    dispatch(context, context.ops->fill, args, {.flops = 0, .bytes = bytesOf(args.out)});
}

void cast(const Context& context, const CastArgs& args) {
    requirePresent("cast", "x", args.x);
    requireShape("cast", "out", args.out, args.x.shape);
    for (const ConstView& view : {args.x, ConstView(args.out)}) {
        if (!isFloatingPoint(view.dtype)) {
            throw Error{ErrorCode::InvalidArgument,
                        fmt::format("cast: {} is not one of F32, BF16, F16, F64", dtypeName(view.dtype))};
        }
    }
    dispatch(context, context.ops->cast, args, {.flops = 0, .bytes = bytesOf(args.x) + bytesOf(args.out)});
}

void dropout(const Context& context, const DropoutArgs& args) {
    requirePresent("dropout", "x", args.x);
    requireComputeDtype(context, "dropout", "x", args.x);
    requireShape("dropout", "out", args.out, args.x.shape);
    requireDtype("dropout", "out", args.out, args.x.dtype);
    if (!(args.p >= 0.0F && args.p < 1.0F)) {
        throw Error{ErrorCode::InvalidArgument, fmt::format("dropout: p is {}, expected 0 <= p < 1", args.p)};
    }
    dispatch(context, context.ops->dropout, args, {.flops = countOf(args.x), .bytes = 2 * bytesOf(args.x)});
}

}  // namespace wb::kernels
