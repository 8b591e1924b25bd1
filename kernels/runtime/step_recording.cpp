// SPDX-License-Identifier: Apache-2.0
#include "kernels/runtime/step_recording.h"

#include "kernels/base/error.h"
#include "kernels/runtime/plugin_loader.h"

#include <map>

namespace wb::kernels {
namespace {

// Blocks of another allocator, which counts them.
class BorrowedMemory final : public MemorySource {
public:
    explicit BorrowedMemory(Allocator& lender) : m_lender(lender) {}
    void* allocate(size_t bytes) override {
        Buffer buffer = m_lender.allocate(bytes, MemoryOwner::Workspace);
        void* data = buffer.data();
        m_blocks.emplace(data, std::move(buffer));
        return data;
    }
    void release(void* pointer) override { m_blocks.erase(pointer); }

private:
    Allocator& m_lender;
    std::map<void*, Buffer> m_blocks;
};

}  // namespace

RecordedStep::RecordedStep(const Context& context, std::unique_ptr<StepRecording> recording)
    : m_allocator(std::make_unique<BorrowedMemory>(*context.allocator)),
      m_context(context),
      m_recording(std::move(recording)) {
    m_context.allocator = &m_allocator;
}

std::unique_ptr<RecordedStep> RecordedStep::make(const Context& context) {
    if (context.device.type != DeviceType::Cuda) return nullptr;
    if (context.profiler != nullptr && context.profiler->isEnabled()) return nullptr;
    std::unique_ptr<StepRecording> recording(cudaPlugin().plugin->makeRecording(context.stream));
    return std::unique_ptr<RecordedStep>(new RecordedStep(context, std::move(recording)));
}

bool RecordedStep::record(std::span<const HostArray> changing, const std::function<void(const Context&)>& body) {
    m_recording->begin(changing);
    try {
        body(m_context);
        m_recording->end();
        return true;
    } catch (const Error& error) {
        m_recording.reset();
        if (error.code() == ErrorCode::Device || error.code() == ErrorCode::Unsupported) return false;
        throw;
    }
}

}  // namespace wb::kernels
