// SPDX-License-Identifier: Apache-2.0
#include "kernels/rows.h"

#include "kernels/runtime/op_table.h"

namespace wb::kernels {
namespace {

void checkIndices(const Context& context, std::string_view op, std::string_view name, const ConstView& indices,
                  int64_t limit) {
    requireDtype(op, name, indices, DType::I32);
    if (context.device.type != DeviceType::Cpu) return;  // elsewhere they are out of reach
    for (int64_t i = 0; i < indices.shape.count(); ++i) {
        const int32_t index = indices.as<int32_t>()[i];
        if (index >= 0 && index < limit) continue;
        throw Error{ErrorCode::InvalidArgument,
                    fmt::format("{}: entry {} of {} is {}, expected [0, {})", op, i, name, index, limit)};
    }
}

void checkWeights(std::string_view op, std::string_view name, const ConstView& weights, const Shape& shape,
                  DType rows) {
    requireShape(op, name, weights, shape);
    if (weights.dtype != rows) requireDtype(op, name, weights, accumulatorDtype(rows));
}

// rows [P, C] and slots [T, k] against a matrix [T, C]; k.
int64_t checkSlots(const Context& context, std::string_view op, const ConstView& rows, const ConstView& slots,
                   std::string_view matrixName, const ConstView& matrix) {
    requireRank(op, "rows", rows, 2);
    requireComputeDtype(context, op, "rows", rows);
    requireRank(op, matrixName, matrix, 2);
    const int64_t count = slots.isPresent() ? matrix.shape[0] : rows.shape[0];
    requireShape(op, matrixName, matrix, Shape{count, rows.shape[1]});
    requireDtype(op, matrixName, matrix, rows.dtype);
    if (!slots.isPresent()) return 1;
    requireRank(op, "slots", slots, 2);
    requireShape(op, "slots", slots, Shape{count, slots.shape[1]});
    checkIndices(context, op, "slots", slots, rows.shape[0]);
    return slots.shape[1];
}

}  // namespace

void gatherRows(const Context& context, const GatherRowsArgs& args) {
    constexpr std::string_view kOp = "gatherRows";
    requireRank(kOp, "x", args.x, 2);
    requireComputeDtype(context, kOp, "x", args.x);
    GatherRowsArgs call = args;
    if (args.weights.isPresent()) {
        requireRank(kOp, "weights", args.weights, 2);
        call.rowsPerSource = args.weights.shape[1];
        checkWeights(kOp, "weights", args.weights, Shape{args.x.shape[0], call.rowsPerSource}, args.x.dtype);
    }
    if (call.rowsPerSource < 1 || (!args.assignments.isPresent() && call.rowsPerSource != 1)) {
        throw Error{ErrorCode::InvalidArgument,
                    fmt::format("{}: {} rows per source {} assignments", kOp, call.rowsPerSource,
                                args.assignments.isPresent() ? "with" : "without")};
    }
    if (args.assignments.isPresent()) {
        requireRank(kOp, "assignments", args.assignments, 1);
        checkIndices(context, kOp, "assignments", args.assignments, args.x.shape[0] * call.rowsPerSource);
    }
    const int64_t count = args.assignments.isPresent() ? args.assignments.shape[0] : args.x.shape[0];
    requireShape(kOp, "out", args.out, Shape{count, args.x.shape[1]});
    requireDtype(kOp, "out", args.out, args.x.dtype);
    dispatch(
        context, context.ops->gatherRows, call,
        {.flops = static_cast<double>(args.out.shape.count()), .bytes = 2 * static_cast<double>(args.out.bytes())});
}

void combineRows(const Context& context, const CombineRowsArgs& args) {
    constexpr std::string_view kOp = "combineRows";
    requirePresent(kOp, "slots", args.slots);
    const int64_t slotsPerRow = checkSlots(context, kOp, args.rows, args.slots, "out", args.out);
    if (args.weights.isPresent()) {
        checkWeights(kOp, "weights", args.weights, Shape{args.out.shape[0], slotsPerRow}, args.rows.dtype);
    }
    dispatch(context, context.ops->combineRows, args,
             {.flops = 2 * static_cast<double>(args.rows.shape.count()),
              .bytes = static_cast<double>(args.rows.bytes() + args.out.bytes())});
}

void combineRowsBackwardWeights(const Context& context, const CombineRowsBackwardWeightsArgs& args) {
    constexpr std::string_view kOp = "combineRowsBackwardWeights";
    const int64_t slotsPerRow = checkSlots(context, kOp, args.rows, args.slots, "dOut", args.dOut);
    checkWeights(kOp, "dWeights", args.dWeights, Shape{args.dOut.shape[0], slotsPerRow}, args.rows.dtype);
    dispatch(context, context.ops->combineRowsBackwardWeights, args,
             {.flops = 2 * static_cast<double>(args.rows.shape.count()),
              .bytes = static_cast<double>(args.rows.bytes() + args.dOut.bytes())});
}

}  // namespace wb::kernels
