// SPDX-License-Identifier: Apache-2.0
#include "tests/emulated_cuda/include/emulated_runtime.h"

#include <sys/mman.h>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <utility>
#include <vector>

namespace emulated {

using Clock = std::chrono::steady_clock;

struct Graph {
    std::vector<std::function<void()>> nodes;
};

struct Event {
    bool isDone = true;
    Clock::time_point time;
    Stream* stream = nullptr;
};

struct Stream {
    std::vector<std::function<void()>> waiting;
    Graph* capture = nullptr;
};

namespace {

constexpr size_t kArenaBytes = size_t{32} << 30;  // of addresses
constexpr size_t kDeviceBytes = size_t{8} << 30;
constexpr size_t kAlignment = 256;
constexpr size_t kGuardBytes = 256;
constexpr unsigned char kGuard = 0xA5;
constexpr unsigned char kUnwritten = 0xFF;

[[noreturn]] void fail(const char* what) {
    std::fprintf(stderr, "emulated GPU: %s\n", what);
    std::abort();
}

// Device memory: out of reach but while a kernel or a copy runs.
class DeviceMemory {
public:
    DeviceMemory() {
        void* start = ::mmap(nullptr, kArenaBytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (start == MAP_FAILED) fail("no address space for device memory");
        m_start = static_cast<unsigned char*>(start);
    }

    void* allocate(size_t bytes) {
        if (m_used + bytes > kDeviceBytes) return nullptr;
        const size_t whole = (bytes + kGuardBytes + kAlignment - 1) / kAlignment * kAlignment;
        unsigned char* block = nullptr;
        if (const auto found = m_free.lower_bound(whole); found != m_free.end() && found->first <= 2 * whole) {
            block = found->second;
            m_wholes[block] = found->first;
            m_free.erase(found);
        } else {
            if (m_end + whole > kArenaBytes) fail("the addresses of device memory are used up");
            block = m_start + m_end;
            m_end += whole;
            m_wholes[block] = whole;
        }
        m_sizes[block] = bytes;
        m_used += bytes;
        const Access access(*this);
        std::memset(block, kUnwritten, bytes);
        std::memset(block + bytes, kGuard, kGuardBytes);
        return block;
    }

    bool release(void* pointer) {
        auto* block = static_cast<unsigned char*>(pointer);
        const auto size = m_sizes.find(block);
        if (size == m_sizes.end()) return false;
        const Access access(*this);
        for (size_t i = 0; i < kGuardBytes; ++i) {
            if (block[size->second + i] != kGuard) fail("a kernel wrote behind an allocation");
        }
        m_used -= size->second;
        m_free.emplace(m_wholes[block], block);
        m_sizes.erase(size);
        return true;
    }

    size_t used() const { return m_used; }

    // Opens the memory while it lives; nests.
    class Access {
    public:
        explicit Access(DeviceMemory& memory) : m_memory(memory) {
            if (m_memory.m_depth++ == 0) m_memory.protect(PROT_READ | PROT_WRITE);
        }
        ~Access() {
            if (--m_memory.m_depth == 0) m_memory.protect(PROT_NONE);
        }
        Access(const Access&) = delete;
        Access& operator=(const Access&) = delete;

    private:
        DeviceMemory& m_memory;
    };

private:
    void protect(int rights) {
        if (m_end > 0 && ::mprotect(m_start, (m_end + 4095) / 4096 * 4096, rights) != 0) fail("mprotect failed");
    }

    unsigned char* m_start = nullptr;
    size_t m_end = 0;
    size_t m_used = 0;
    int m_depth = 0;
    std::map<unsigned char*, size_t> m_sizes;   // of living blocks
    std::map<unsigned char*, size_t> m_wholes;  // of all blocks, with guard
    std::multimap<size_t, unsigned char*> m_free;
};

// Never destroyed: engines are torn down in any order.
DeviceMemory& memory() {
    static auto* instance = new DeviceMemory;
    return *instance;
}

std::vector<Stream*>& allStreams() {
    static auto* streams = new std::vector<Stream*>;
    return *streams;
}

void drain(Stream& stream) {
    std::vector<std::function<void()>> work;
    work.swap(stream.waiting);
    if (work.empty()) return;
    const DeviceMemory::Access access(memory());
    for (const auto& one : work) one();
}

int64_t g_waits = 0;

// The host waits for a stream.
void await(Stream& stream) {
    if (!stream.waiting.empty()) ++g_waits;
    drain(stream);
}

bool isAbsent() {
    return std::getenv("EMULATED_CUDA_NO_DEVICE") != nullptr;
}

int numberOr(const char* variable, int otherwise) {
    const char* text = std::getenv(variable);
    return text == nullptr ? otherwise : std::atoi(text);
}

// EMULATED_CUDA_DRIVER: 12040 for a driver of CUDA 12.4, 0 for none.
int driverVersion() {
    return numberOr("EMULATED_CUDA_DRIVER", CUDART_VERSION);
}

}  // namespace

cudaError_t enqueue(Stream* stream, std::function<void()> work) {
    if (stream == nullptr) fail("the default stream is not for engines");
    auto& list = stream->capture != nullptr ? stream->capture->nodes : stream->waiting;
    list.push_back(std::move(work));
    return cudaSuccess;
}

}  // namespace emulated

namespace {
constexpr int kBuiltCapability = __CUDA_ARCH_LIST__ / 10;
}

using namespace emulated;  // NOLINT: the file defines a C interface

// For tests: how often the host has waited for work that was not done.
extern "C" __attribute__((visibility("default"))) int64_t whetbenchEmulatedWaits() {
    return g_waits;
}

const char* cudaGetErrorString(cudaError_t error) {
    switch (error) {
        case cudaSuccess: return "no error";
        case cudaErrorInvalidValue: return "invalid argument";
        case cudaErrorMemoryAllocation: return "out of memory";
        case cudaErrorNoDevice: return "no CUDA-capable device is detected";
        case cudaErrorInvalidDevice: return "invalid device ordinal";
        case cudaErrorGraphExecUpdateFailure: return "the graph update was not performed";
        default: return "unknown error";
    }
}
const char* cudaGetErrorName(cudaError_t error) {
    return cudaGetErrorString(error);
}
cudaError_t cudaGetLastError() {
    return cudaSuccess;
}
cudaError_t cudaPeekAtLastError() {
    return cudaSuccess;
}
cudaError_t cudaDriverGetVersion(int* version) {
    *version = driverVersion();
    return cudaSuccess;
}
cudaError_t cudaRuntimeGetVersion(int* version) {
    *version = CUDART_VERSION;
    return cudaSuccess;
}
cudaError_t cudaGetDeviceCount(int* count) {
    *count = 0;
    if (driverVersion() < CUDART_VERSION) return cudaErrorInsufficientDriver;
    if (isAbsent()) return cudaErrorNoDevice;
    *count = 1;
    return cudaSuccess;
}
cudaError_t cudaSetDevice(int device) {
    return device == 0 ? cudaSuccess : cudaErrorInvalidDevice;
}
cudaError_t cudaGetDevice(int* device) {
    *device = 0;
    return cudaSuccess;
}
cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int device) {
    if (device != 0) return cudaErrorInvalidDevice;
    *properties = {};
    std::snprintf(properties->name, sizeof(properties->name), "Emulated GPU");
    properties->totalGlobalMem = kDeviceBytes;
    const int capability = numberOr("EMULATED_CUDA_CAPABILITY", kBuiltCapability);
    properties->major = capability / 10;
    properties->minor = capability % 10;
    properties->multiProcessorCount = 4;
    properties->sharedMemPerBlockOptin = 227 * 1024;
    properties->l2CacheSize = 1 << 20;
    return cudaSuccess;
}
cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int device) {
    cudaDeviceProp properties;
    if (cudaGetDeviceProperties(&properties, device) != cudaSuccess) return cudaErrorInvalidDevice;
    switch (attribute) {
        case cudaDevAttrMaxSharedMemoryPerBlockOptin:
            *value = static_cast<int>(properties.sharedMemPerBlockOptin);
            break;
        case cudaDevAttrMultiProcessorCount: *value = properties.multiProcessorCount; break;
        case cudaDevAttrL2CacheSize: *value = properties.l2CacheSize; break;
        case cudaDevAttrComputeCapabilityMajor: *value = properties.major; break;
        case cudaDevAttrComputeCapabilityMinor: *value = properties.minor; break;
    }
    return cudaSuccess;
}
cudaError_t cudaMemGetInfo(size_t* free, size_t* total) {
    *total = kDeviceBytes;
    *free = kDeviceBytes - memory().used();
    return cudaSuccess;
}
cudaError_t cudaDeviceSynchronize() {
    for (Stream* stream : allStreams()) await(*stream);
    return cudaSuccess;
}

cudaError_t cudaMalloc(void** pointer, size_t bytes) {
    *pointer = memory().allocate(bytes);
    return *pointer != nullptr ? cudaSuccess : cudaErrorMemoryAllocation;
}
cudaError_t cudaFree(void* pointer) {
    if (pointer == nullptr) return cudaSuccess;
    cudaDeviceSynchronize();
    return memory().release(pointer) ? cudaSuccess : cudaErrorInvalidValue;
}
cudaError_t cudaHostAlloc(void** pointer, size_t bytes, unsigned /*flags*/) {
    *pointer = std::aligned_alloc(4096, (bytes + 4095) / 4096 * 4096);
    return *pointer != nullptr ? cudaSuccess : cudaErrorMemoryAllocation;
}
cudaError_t cudaFreeHost(void* pointer) {
    std::free(pointer);
    return cudaSuccess;
}
cudaError_t cudaMemcpyAsync(void* target, const void* source, size_t bytes, cudaMemcpyKind /*kind*/,
                            cudaStream_t stream) {
    return enqueue(stream, [=] { std::memmove(target, source, bytes); });
}
cudaError_t cudaMemsetAsync(void* target, int value, size_t bytes, cudaStream_t stream) {
    return enqueue(stream, [=] { std::memset(target, value, bytes); });
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned /*flags*/) {
    *stream = new Stream;
    allStreams().push_back(*stream);
    return cudaSuccess;
}
cudaError_t cudaStreamDestroy(cudaStream_t stream) {
    drain(*stream);
    std::erase(allStreams(), stream);
    delete stream;
    return cudaSuccess;
}
cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
    if (stream->capture != nullptr) return cudaErrorStreamCaptureUnsupported;
    await(*stream);
    return cudaSuccess;
}
cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned /*flags*/) {
    return enqueue(stream, [event] {
        if (!event->isDone && event->stream != nullptr) drain(*event->stream);
    });
}

cudaError_t cudaEventCreate(cudaEvent_t* event) {
    *event = new Event;
    return cudaSuccess;
}
cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned /*flags*/) {
    return cudaEventCreate(event);
}
cudaError_t cudaEventDestroy(cudaEvent_t event) {
    if (!event->isDone) drain(*event->stream);
    delete event;
    return cudaSuccess;
}
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
    event->isDone = false;
    event->stream = stream;
    return enqueue(stream, [event] {
        event->isDone = true;
        event->time = Clock::now();
    });
}
cudaError_t cudaEventSynchronize(cudaEvent_t event) {
    if (!event->isDone) await(*event->stream);
    return cudaSuccess;
}
cudaError_t cudaEventQuery(cudaEvent_t event) {
    return event->isDone ? cudaSuccess : cudaErrorNotReady;
}
cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t start, cudaEvent_t end) {
    if (!start->isDone || !end->isDone) return cudaErrorNotReady;
    *milliseconds = std::chrono::duration<float, std::milli>(end->time - start->time).count();
    return cudaSuccess;
}

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode /*mode*/) {
    if (stream->capture != nullptr) return cudaErrorInvalidValue;
    stream->capture = new Graph;
    return cudaSuccess;
}
cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph) {
    if (stream->capture == nullptr) return cudaErrorInvalidValue;
    *graph = std::exchange(stream->capture, nullptr);
    return cudaSuccess;
}
cudaError_t cudaGraphInstantiate(cudaGraphExec_t* exec, cudaGraph_t graph, unsigned long long /*flags*/) {
    *exec = new Graph(*graph);
    return cudaSuccess;
}
cudaError_t cudaGraphExecUpdate(cudaGraphExec_t exec, cudaGraph_t graph, cudaGraphExecUpdateResultInfo* result) {
    const bool isSame = exec->nodes.size() == graph->nodes.size();
    if (result != nullptr) result->result = isSame ? 0 : 1;
    if (!isSame) return cudaErrorGraphExecUpdateFailure;
    exec->nodes = graph->nodes;
    return cudaSuccess;
}
cudaError_t cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t stream) {
    for (const auto& node : exec->nodes) enqueue(stream, node);
    return cudaSuccess;
}
cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
    delete graph;
    return cudaSuccess;
}
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t exec) {
    delete exec;
    return cudaSuccess;
}
