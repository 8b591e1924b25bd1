// SPDX-License-Identifier: Apache-2.0
#include "kernels/runtime/allocator.h"

#include "kernels/base/error.h"

#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cstdint>
#include <cstdlib>
#include <utility>

namespace wb::kernels {
namespace {

// Blocks from here on ask for huge pages: weights are read from end to end, and each small page costs a walk through
// the page table (reading 512 MB: 33 instead of 26 GB/s).
constexpr size_t kHugePageGain = size_t{1} << 20;

class CpuMemorySource final : public MemorySource {
public:
    void* allocate(size_t bytes) override {
        void* block = std::aligned_alloc(Allocator::kGranule, bytes);
        if (block != nullptr && bytes >= kHugePageGain) preferHugePages(block, bytes);
        return block;
    }
    void release(void* pointer) override { std::free(pointer); }

private:
    // Whole pages only, so that neighbouring blocks join to ranges that hold huge pages. Advice: a refusal is no error.
    static void preferHugePages(void* block, size_t bytes) {
        const auto page = static_cast<uintptr_t>(::sysconf(_SC_PAGESIZE));
        const uintptr_t begin = reinterpret_cast<uintptr_t>(block) / page * page;
        const uintptr_t end = (reinterpret_cast<uintptr_t>(block) + bytes) / page * page;
        ::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_HUGEPAGE);
    }
};

class PlanMemorySource final : public MemorySource {
public:
    void* allocate(size_t /*bytes*/) override { return nullptr; }
    void release(void* /*pointer*/) override {}
    bool isPlan() const override { return true; }
};

size_t roundUp(size_t bytes, size_t granule) {
    return (bytes + granule - 1) / granule * granule;
}

}  // namespace

const char* memoryOwnerName(MemoryOwner owner) {
    static constexpr std::array<const char*, kNumMemoryOwners> kNames{"weights",     "gradients", "optimizer",
                                                                      "activations", "kv_cache",  "workspace"};
    return kNames[static_cast<size_t>(owner)];
}

std::unique_ptr<MemorySource> makeCpuMemorySource() {
    return std::make_unique<CpuMemorySource>();
}

std::unique_ptr<MemorySource> makePlanMemorySource() {
    return std::make_unique<PlanMemorySource>();
}

Buffer::~Buffer() {
    if (m_allocator != nullptr) m_allocator->giveBack(*this);
}

void Buffer::swap(Buffer& other) noexcept {
    std::swap(m_allocator, other.m_allocator);
    std::swap(m_data, other.m_data);
    std::swap(m_bytes, other.m_bytes);
    std::swap(m_granted, other.m_granted);
    std::swap(m_owner, other.m_owner);
}

Allocator::Allocator(std::unique_ptr<MemorySource> source, std::optional<int64_t> limitBytes)
    : m_source(std::move(source)), m_limitBytes(limitBytes) {}

Allocator::~Allocator() {
    trim();
}

void* Allocator::takeCached(size_t granted, size_t& actual) {
    // A cached block may be up to an eighth larger than asked: reuse beats an exact fit, waste stays bounded.
    const auto found = m_cached.lower_bound(granted);
    if (found == m_cached.end() || found->first > granted + granted / 8) return nullptr;
    actual = found->first;
    void* pointer = found->second;
    m_cached.erase(found);
    return pointer;
}

Buffer Allocator::allocate(size_t bytes, MemoryOwner owner) {
    ++m_stats.allocations;
    const size_t asked = roundUp(bytes == 0 ? 1 : bytes, kGranule);
    const bool isInjectedFault = m_callsUntilFailure > 0 && --m_callsUntilFailure == 0;
    const bool exceedsLimit = m_limitBytes && m_stats.liveBytes + static_cast<int64_t>(asked) > *m_limitBytes;

    size_t blockBytes = asked;
    void* pointer = nullptr;
    if (!isInjectedFault && !exceedsLimit && !m_source->isPlan()) {
        pointer = takeCached(asked, blockBytes);
        if (pointer == nullptr) {
            pointer = m_source->allocate(asked);
            if (pointer == nullptr) {
                trim();
                pointer = m_source->allocate(asked);
            }
            if (pointer != nullptr) m_stats.reservedBytes += static_cast<int64_t>(asked);
        }
    }
    if (pointer == nullptr && (isInjectedFault || exceedsLimit || !m_source->isPlan())) {
        throw Error{ErrorCode::OutOfMemory, fmt::format("out of memory: {} bytes wanted for {}, {} bytes in use{}",
                                                        bytes, memoryOwnerName(owner), m_stats.liveBytes,
                                                        m_limitBytes ? fmt::format(", limit {}", *m_limitBytes) : "")};
    }

    Buffer buffer;
    buffer.m_allocator = this;
    buffer.m_data = pointer;
    buffer.m_bytes = bytes;
    buffer.m_granted = blockBytes;
    buffer.m_owner = owner;

    // Live bytes count what was asked, not the slack of a reused block: only so do plan and run agree to the byte.
    const auto counted = static_cast<int64_t>(asked);
    m_stats.liveBytes += counted;
    m_stats.liveByOwner[static_cast<size_t>(owner)] += counted;
    if (m_stats.liveBytes > m_stats.peakBytes) {
        m_stats.peakBytes = m_stats.liveBytes;
        m_stats.peakByOwner = m_stats.liveByOwner;
    }
    return buffer;
}

void Allocator::giveBack(Buffer& buffer) noexcept {
    const auto counted = static_cast<int64_t>(roundUp(buffer.m_bytes == 0 ? 1 : buffer.m_bytes, kGranule));
    m_stats.liveBytes -= counted;
    m_stats.liveByOwner[static_cast<size_t>(buffer.m_owner)] -= counted;
    if (m_source->isPlan()) return;
    try {
        m_cached.emplace(buffer.m_granted, buffer.m_data);
    } catch (const std::bad_alloc&) {
        m_stats.reservedBytes -= static_cast<int64_t>(buffer.m_granted);
        m_source->release(buffer.m_data);
    }
}

void Allocator::resetPeak() {
    m_stats.peakBytes = m_stats.liveBytes;
    m_stats.peakByOwner = m_stats.liveByOwner;
}

void Allocator::trim() {
    for (const auto& [bytes, pointer] : m_cached) {
        m_source->release(pointer);
        m_stats.reservedBytes -= static_cast<int64_t>(bytes);
    }
    m_cached.clear();
}

}  // namespace wb::kernels
