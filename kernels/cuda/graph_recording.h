// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/cuda/stream.h"
#include "kernels/runtime/step_recording.h"

#include <vector>

namespace wb::kernels::cuda {

// A step as a CUDA graph. Host arrays of the step pass through page-locked memory of its own: those that change are
// copied into it before each launch, once the launch before has read them.
class GraphRecording final : public StepRecording {
public:
    explicit GraphRecording(Stream& stream);
    ~GraphRecording() override;
    GraphRecording(const GraphRecording&) = delete;
    GraphRecording& operator=(const GraphRecording&) = delete;

    void begin(std::span<const HostArray> changing) override;
    void end() override;
    void run() override;

    // While recording. Where the values of a host array will be on the device in each run.
    const void* upload(const void* values, size_t bytes);
    // Copies a host array to `target` in each run.
    void copy(void* target, const void* source, size_t bytes);

private:
    static constexpr size_t kBytes = size_t{2} << 20;

    // A host array in the memory of the step.
    struct Slot {
        const void* source;
        size_t bytes;
        size_t offset;
        bool isChanging;
        bool isOnDevice;
    };

    void abandon() noexcept;
    bool isChanging(const void* values, size_t bytes) const;
    Slot& slotOf(const void* values, size_t bytes);

    Stream& m_stream;
    unsigned char* m_host = nullptr;
    unsigned char* m_device = nullptr;
    cudaEvent_t m_done = nullptr;
    cudaGraphExec_t m_graph = nullptr;
    std::vector<HostArray> m_changing;
    std::vector<Slot> m_slots;
    size_t m_used = 0;
};

}  // namespace wb::kernels::cuda
