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

// A slot of the op table: the implementation for one device type, or null.
template <class Args>
struct OpEntry {
    const char* name;
    void (*run)(const Context&, const Args&) = nullptr;
};

// Runs the entry, timed if the profiler is on. On the plan device nothing runs.
template <class Args>
void dispatch(const Context& context, const OpEntry<Args>& entry, const Args& args, OpCost cost,
              std::string_view backend = "cpu", std::string_view reason = {}) {
    if (context.device.type == DeviceType::Plan) return;
    if (entry.run == nullptr) {
        throw Error{ErrorCode::Unsupported,
                    fmt::format("op '{}' does not exist on device {}", entry.name, deviceName(context.device))};
    }
    if (context.profiler == nullptr || !context.profiler->isEnabled()) {
        entry.run(context, args);
        return;
    }
    const auto start = Profiler::Clock::now();
    entry.run(context, args);
    context.profiler->record(entry.name, backend, reason, start, Profiler::Clock::now(), cost);
}

// Argument checks shared by all ops: InvalidArgument "<op>: <name> has shape [..], expected [..]".
void requireShape(std::string_view op, std::string_view name, const ConstView& view, const Shape& expected);
void requireDtype(std::string_view op, std::string_view name, const ConstView& view, DType expected);
void requirePresent(std::string_view op, std::string_view name, const ConstView& view);
// Computation types: F32, BF16, F64.
void requireComputeDtype(std::string_view op, std::string_view name, const ConstView& view);
void requireRank(std::string_view op, std::string_view name, const ConstView& view, int rank);

// Type of sums, losses and gradients of weights for a computation type: F64 for F64, else F32.
inline DType accumulatorDtype(DType dtype) {
    return dtype == DType::F64 ? DType::F64 : DType::F32;
}

}  // namespace wb::kernels
