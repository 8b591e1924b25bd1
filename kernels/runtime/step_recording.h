// SPDX-License-Identifier: Apache-2.0
// A step that runs again and again with the same shapes, recorded once and then started as a whole (CUDA graphs): the
// host no longer starts every kernel.
#pragma once

#include "kernels/runtime/context.h"

#include <cstddef>
#include <functional>
#include <memory>
#include <span>

namespace wb::kernels {

// Host memory that is read anew in each run; it must keep its address.
struct HostArray {
    const void* data = nullptr;
    size_t bytes = 0;
};

// What a plugin brings: from begin() to end() ops, uploads and copies to the device are recorded and do not run.
// Destroying an unfinished recording abandons it.
class StepRecording {
public:
    virtual ~StepRecording() = default;
    virtual void begin(std::span<const HostArray> changing) = 0;
    // Throws Device if something of the step cannot be recorded.
    virtual void end() = 0;
    // Reads the changing arrays and starts the step; they may change after the call.
    virtual void run() = 0;
};

// A recorded step with the memory that its ops use, which comes from the context's allocator and stays while the step
// lives. Tensors made by the body must not outlive it. Engine thread only.
class RecordedStep {
public:
    // Null if the device records nothing, or ops are being timed.
    static std::unique_ptr<RecordedStep> make(const Context& context);

    // Records what `body` does with the context it gets; nothing runs. Host arrays that are not in `changing` are taken
    // as they are now. False if the body does what cannot be recorded, such as waiting for the device. Once only.
    bool record(std::span<const HostArray> changing, const std::function<void(const Context&)>& body);
    void run() { m_recording->run(); }

private:
    RecordedStep(const Context& context, std::unique_ptr<StepRecording> recording);

    Allocator m_allocator;
    Context m_context;
    std::unique_ptr<StepRecording> m_recording;
};

}  // namespace wb::kernels
