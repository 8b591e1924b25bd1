// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/runtime/context.h"

#include <optional>

namespace wb::kernels {

struct RuntimeOptions {
    Device device;
    int numThreads = 0;  // 0: as many as the affinity mask allows
    AttentionBackend attention = AttentionBackend::Auto;
    std::optional<int64_t> memoryLimitBytes;
    Device planFor{};  // on the plan device: the one whose run is planned
};

// Threads the affinity mask of this process allows.
int availableThreads();

// Owns stream, allocator and profiler of one device and hands out the context. Must outlive every tensor made with it.
// One per engine thread: it sets the size of the OpenMP team of the calling thread.
class Runtime {
public:
    // Throws Unsupported if the device cannot be used here, with the reason.
    explicit Runtime(const RuntimeOptions& options);
    ~Runtime();
    Runtime(const Runtime&) = delete;
    Runtime& operator=(const Runtime&) = delete;

    const Context& context() const { return m_context; }
    Allocator& allocator() { return m_allocator; }
    Profiler& profiler() { return m_profiler; }
    void setAttention(AttentionBackend backend) { m_context.attention = backend; }

private:
    Allocator m_allocator;
    Profiler m_profiler;
    Context m_context;
};

}  // namespace wb::kernels
