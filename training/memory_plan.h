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

// Bytes the device can still give: free memory of the machine (MemAvailable) for the CPU; for a GPU free memory without
// what the engine needs there besides tensors.
int64_t availableMemory(Device device);

// Runs the training loop on the plan device: the same code allocates the same numbers, so the peak is exact. Covers the
// heaviest micro-batches of all epochs, the evaluation and the sample generations. Not in it, on a GPU: the driver's
// context (it exists when free memory is asked for) and the code of kernels that the driver loads at their first use.
//   numThreads  of the run to be planned: workspaces depend on it
//   heldBytes   memory that the run has taken already on a GPU (kernels::heldDeviceMemory)
MemoryPlan planMemory(const TrainingSetup& setup, Device device, int numThreads, int64_t heldBytes = 0);

}  // namespace wb::training
