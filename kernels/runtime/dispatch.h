// SPDX-License-Identifier: Apache-2.0
// How the public function of an op, after checking its arguments, reaches the implementation of the device.
#pragma once

#include "kernels/base/error.h"
#include "kernels/runtime/context.h"
#include "kernels/runtime/view.h"

#include <fmt/format.h>
#include <string>
#include <string_view>

namespace wb::kernels {

// What the profiler calls an op that has one implementation: the device type whose table serves, "cpu" or "cuda".
std::string_view backendName(const Context& context);

// A slot of the op table: the implementation for one device type, or null.
template <class Args>
struct OpEntry {
    const char* name;
    void (*run)(const Context&, const Args&) = nullptr;
    // Bytes of scratch that `run` finds in args.workspace; null: none. Follows from shapes, host data and the context
    // alone, so that the plan device counts what a run will use.
    size_t (*workspaceBytes)(const Context&, const Args&) = nullptr;
};

[[noreturn]] void failMissingOp(const Context& context, std::string_view op);

// Scratch for one call, described by `workspace`; it lives as long as the buffer.
Buffer takeWorkspace(const Context& context, size_t bytes, View& workspace);

// Runs the entry, timed if the profiler is on. On the plan device nothing runs.
template <class Args>
void dispatchReady(const Context& context, const OpEntry<Args>& entry, const Args& args, OpCost cost,
                   std::string_view backend, std::string_view reason) {
    if (context.device.type == DeviceType::Plan) return;
    if (context.profiler == nullptr || !context.profiler->isEnabled()) {
        entry.run(context, args);
        return;
    }
    const Profiler::Start start = context.profiler->begin();
    entry.run(context, args);
    context.profiler->end(start, entry.name, backend, reason, cost);
}

// As dispatchReady, with the scratch that the entry asks for.
template <class Args>
void dispatch(const Context& context, const OpEntry<Args>& entry, const Args& args, OpCost cost,
              std::string_view backend = {}, std::string_view reason = {}) {
    if (entry.run == nullptr) failMissingOp(context, entry.name);
    const std::string_view shown = backend.empty() ? backendName(context) : backend;
    if constexpr (requires { args.workspace; }) {
        Args call = args;
        const size_t bytes = entry.workspaceBytes == nullptr ? 0 : entry.workspaceBytes(context, args);
        const Buffer workspace = takeWorkspace(context, bytes, call.workspace);
        dispatchReady(context, entry, call, cost, shown, reason);
    } else {
        dispatchReady(context, entry, args, cost, shown, reason);
    }
}

// Argument checks shared by all ops: InvalidArgument "<op>: <name> has shape [..], expected [..]".
void requireShape(std::string_view op, std::string_view name, const ConstView& view, const Shape& expected);
void requireDtype(std::string_view op, std::string_view name, const ConstView& view, DType expected);
void requirePresent(std::string_view op, std::string_view name, const ConstView& view);
// Computation types: F32, BF16, and F64 on the CPU (the oracle of the tests), F16 on CUDA. Where the contract of an op
// says F32/BF16/F64, it means these.
void requireComputeDtype(const Context& context, std::string_view op, std::string_view name, const ConstView& view);
void requireRank(std::string_view op, std::string_view name, const ConstView& view, int rank);

// Type of sums, losses and gradients of weights for a computation type: F64 for F64, else F32.
inline DType accumulatorDtype(DType dtype) {
    return dtype == DType::F64 ? DType::F64 : DType::F32;
}

}  // namespace wb::kernels
