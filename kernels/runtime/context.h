// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/base/device.h"
#include "kernels/runtime/allocator.h"
#include "kernels/runtime/profiler.h"

namespace wb::kernels {

struct OpTable;

// Which attention implementation the user asked for; Auto lets the picker decide.
enum class AttentionBackend { Auto, Math, MemoryEfficient, Flash, Decode };

// Everything an op needs besides its arguments. Borrowed from a Runtime, passed by reference, never stored.
struct Context {
    Device device;
    Allocator* allocator = nullptr;
    const OpTable* ops = nullptr;  // of the device type; on the plan device, where nothing runs, of the planned one
    Profiler* profiler = nullptr;
    void* stream = nullptr;  // the plugin's stream on CUDA, null elsewhere
    int numThreads = 1;      // size of the one OpenMP team
    AttentionBackend attention = AttentionBackend::Auto;
};

}  // namespace wb::kernels
