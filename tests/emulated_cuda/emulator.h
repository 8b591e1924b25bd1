// SPDX-License-Identifier: Apache-2.0
// A GPU made of fibers: runs the threads of a block on one processor, so that the kernels of kernels/cuda are tested
// where there is no device. Its headers in include/ take the place of CUDA's.
//
// What it checks: results; that every thread of a block reaches the same barrier; that shared memory is written before
// it is read (it starts as NaN, and copies by cp.async arrive at their wait and not before); that nothing depends on
// the order of threads between two barriers or of blocks (both are shuffled); that the host leaves device memory alone
// (it is inaccessible outside kernels) and waits before it reads results (work runs at the wait, not at the call); and
// writes just behind an allocation.
// What it cannot check: the meaning of PTX beyond its own reading of it, speed, races within one instruction.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

namespace emulated {

struct Index {
    unsigned x = 0;
    unsigned y = 0;
    unsigned z = 0;
};

// What one lane shows the others of its warp in a collective operation.
struct Payload {
    alignas(16) unsigned char bytes[64];
};

// Places of the running thread; valid inside a kernel only.
const Index& threadIndex();
const Index& blockIndex();
const Index& blockSize();
const Index& gridSize();
int laneIndex();
void* dynamicSharedMemory();

// Waits until `count` threads of the block (0: all that have not returned) wait at barrier `id`.
void waitAtBarrier(int id, int count);
// Waits until all lanes of `mask` are here and returns the payloads of all lanes of the warp; the caller must be one of
// them. Valid until the next collective operation of the caller.
const Payload* exchange(unsigned mask, const void* mine, size_t bytes);

// cp.async: the copy takes place in waitForCopies(), not before. Bytes behind `present` are zero-filled.
void copyLater(void* target, const void* source, size_t bytes, size_t present);
void commitCopies();
void waitForCopies(int groupsInFlight);

struct Shape {
    Index grid;
    Index block;
    size_t sharedBytes = 0;
};
// Runs all blocks to the end. Prints and aborts on a deadlock, a divergent barrier or a write behind shared memory.
void runGrid(const Shape& shape, const std::function<void()>& kernel);

}  // namespace emulated
