// SPDX-License-Identifier: Apache-2.0
#include "kernels/runtime/runtime.h"

#include "kernels/base/error.h"
#include "kernels/runtime/op_table.h"
#include "kernels/runtime/plugin_loader.h"

#include <fmt/format.h>
#include <omp.h>
#include <sched.h>

namespace wb::kernels {
namespace {

std::unique_ptr<MemorySource> memorySourceOf(Device device) {
    switch (device.type) {
        case DeviceType::Cpu: return makeCpuMemorySource();
        case DeviceType::Plan: return makePlanMemorySource();
        case DeviceType::Cuda:
            return std::unique_ptr<MemorySource>(requirePlugin(device).makeMemorySource(device.index));
    }
    return makeCpuMemorySource();
}

const OpTable* opsOf(Device device) {
    return device.type == DeviceType::Cuda ? requirePlugin(device).ops() : &cpuOpTable();
}

}  // namespace

int availableThreads() {
    cpu_set_t mask;
    CPU_ZERO(&mask);
    if (sched_getaffinity(0, sizeof(mask), &mask) != 0) return 1;
    const int count = CPU_COUNT(&mask);
    return count > 0 ? count : 1;
}

Runtime::Runtime(const RuntimeOptions& options)
    : m_allocator(memorySourceOf(options.device), options.memoryLimitBytes) {
    m_context.device = options.device;
    m_context.allocator = &m_allocator;
    m_context.profiler = &m_profiler;
    m_context.numThreads = options.numThreads > 0 ? options.numThreads : availableThreads();
    m_context.attention = options.attention;
    m_context.ops = opsOf(options.device.type == DeviceType::Plan ? options.planFor : options.device);
    if (options.device.type == DeviceType::Cuda) {
        const PluginInterface& plugin = requirePlugin(options.device);
        m_context.stream = plugin.makeStream(options.device.index);
        m_profiler.setDeviceTimer(std::unique_ptr<DeviceTimer>(plugin.makeTimer(m_context.stream)));
    }
    // oneDNN and our kernels share this one team.
    omp_set_num_threads(m_context.numThreads);
}

Runtime::~Runtime() {
    if (m_context.stream == nullptr) return;
    m_profiler.setDeviceTimer(nullptr);
    requirePlugin(m_context.device).destroyStream(m_context.stream);
}

}  // namespace wb::kernels
