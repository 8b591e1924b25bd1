// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/base/device.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>

namespace wb::kernels {

// Who a block of memory belongs to: the rows of the memory plan.
enum class MemoryOwner : uint8_t { Weights, Gradients, Optimizer, Activations, KvCache, Workspace };
inline constexpr size_t kNumMemoryOwners = 6;

// "weights", "gradients", "optimizer", "activations", "kv_cache", "workspace".
const char* memoryOwnerName(MemoryOwner owner);

using BytesByOwner = std::array<int64_t, kNumMemoryOwners>;

struct MemoryStats {
    int64_t liveBytes = 0;      // handed out now, rounded to allocation granules
    int64_t peakBytes = 0;      // highest liveBytes since the last resetPeak()
    int64_t reservedBytes = 0;  // live plus cached for reuse
    int64_t allocations = 0;    // calls of allocate() so far
    BytesByOwner liveByOwner{};
    BytesByOwner peakByOwner{};  // liveByOwner at the moment of the peak
};

// Where an allocator gets raw memory from. The CUDA plugin brings its own.
class MemorySource {
public:
    virtual ~MemorySource() = default;
    virtual void* allocate(size_t bytes) = 0;  // nullptr when out of memory
    virtual void release(void* pointer) = 0;
    virtual bool isPlan() const { return false; }  // pointers are null and must never be used
};

std::unique_ptr<MemorySource> makeCpuMemorySource();   // 64-byte aligned
std::unique_ptr<MemorySource> makePlanMemorySource();  // counts only

class Allocator;

// An owned block of device memory. Movable; returns itself to its allocator, which must outlive it.
class Buffer {
public:
    Buffer() = default;
    Buffer(Buffer&& other) noexcept { swap(other); }
    Buffer& operator=(Buffer&& other) noexcept {
        Buffer moved(std::move(other));
        swap(moved);
        return *this;
    }
    ~Buffer();

    void* data() const { return m_data; }
    size_t bytes() const { return m_bytes; }
    explicit operator bool() const { return m_allocator != nullptr; }

private:
    friend class Allocator;
    void swap(Buffer& other) noexcept;

    Allocator* m_allocator = nullptr;
    void* m_data = nullptr;
    size_t m_bytes = 0;    // as asked for
    size_t m_granted = 0;  // as counted, a multiple of the granule
    MemoryOwner m_owner = MemoryOwner::Workspace;
};

// Caching allocator: freed blocks are kept by size and reused, so a steady training step never reaches the system.
// The same bookkeeping runs on the plan device, which is why a planned peak equals a measured one. Engine thread only.
class Allocator {
public:
    static constexpr size_t kGranule = 64;  // a cache line; also the alignment SIMD kernels rely on

    explicit Allocator(std::unique_ptr<MemorySource> source, std::optional<int64_t> limitBytes = std::nullopt);
    ~Allocator();
    Allocator(const Allocator&) = delete;
    Allocator& operator=(const Allocator&) = delete;

    // `bytes` may be 0. Throws OutOfMemory with what was asked, what is live and the limit.
    Buffer allocate(size_t bytes, MemoryOwner owner);

    const MemoryStats& stats() const { return m_stats; }
    void resetPeak();
    // Gives cached blocks back to the system.
    void trim();
    // The n-th allocate() call from now throws OutOfMemory (fault injection in tests); 0 turns it off.
    void failAfter(int64_t calls) { m_callsUntilFailure = calls; }
    bool isPlan() const { return m_source->isPlan(); }

private:
    friend class Buffer;
    void giveBack(Buffer& buffer) noexcept;
    void* takeCached(size_t granted, size_t& actual);

    std::unique_ptr<MemorySource> m_source;
    std::optional<int64_t> m_limitBytes;
    std::multimap<size_t, void*> m_cached;
    MemoryStats m_stats;
    int64_t m_callsUntilFailure = 0;
};

}  // namespace wb::kernels
