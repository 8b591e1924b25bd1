// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "training/setup.h"

#include "kernels/runtime/allocator.h"

#include <cstdint>

namespace wb::training {

struct MemoryPlan {
    int64_t peakBytes = 0;
    kernels::BytesByOwner byOwner{};  // at the moment of the peak
    int64_t availableBytes = 0;
    bool fits = true;
};

// Bytes the device can still give: free memory of the machine (MemAvailable) for the CPU.
int64_t availableMemory(Device device);

// Runs the training loop on the plan device: the same code allocates the same numbers, so the peak is exact. Covers the
// heaviest micro-batches of all epochs, the evaluation and the sample generations.
//   numThreads  of the run to be planned: workspaces depend on it.
MemoryPlan planMemory(const TrainingSetup& setup, Device device, int numThreads);

}  // namespace wb::training
