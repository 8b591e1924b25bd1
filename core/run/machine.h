// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace wb::core {

// The computer as the operating system describes it.
struct MachineInfo {
    std::string host;
    std::string cpuModel;               // "AMD EPYC 7R13 Processor"
    std::vector<std::string> cpuFlags;  // those that matter to the kernels, best last: "avx2", "avx512f", "amx_bf16"
    int cores = 0;                      // this process may use
    int64_t memoryTotal = 0;            // bytes; the limit of the container if that is lower
    int64_t memoryAvailable = 0;        // bytes that can be had without swapping
    std::string system;                 // "Debian GNU/Linux 12 (bookworm), Linux 6.1.0"
};

// Never throws: what cannot be found out stays empty or 0.
MachineInfo probeMachine();

struct GpuInfo {
    std::string name;
    int64_t memoryTotal = 0;
    int computeMajor = 0;
    int computeMinor = 0;
    std::string pciAddress;  // "0000:18:00.0"
};

struct GpuProbe {
    std::vector<GpuInfo> gpus;
    std::string driver;  // "CUDA 12.2", empty without a driver
    std::string reason;  // why there is none; empty if there is one
};

// Asks the graphics driver, which is loaded for it; takes up to a second where there is one. Never throws.
GpuProbe probeGpus();

}  // namespace wb::core
