// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>

namespace wb::kernels {

// What the processor can do at best: the ceilings that kernel times are compared with.
struct MachinePeak {
    double f32Gflops = 0;           // multiply-adds in registers, all threads
    double f32GflopsOneThread = 0;  // the same on one
    double bf16Gflops = 0;          // best matrix product; 0 where the processor has no bf16 arithmetic
    double int8Gops = 0;            // byte dot products in registers (VNNI), all threads; 0 where there are none
    double memoryGbPerSecond = 0;   // reading a buffer far larger than the caches
    int threads = 0;
    std::string cpu;
    std::string isa;  // instruction set that the kernels use
};

// Measures for about a second. Other programs on the machine lower the result: every figure is the best of many short
// windows. numThreads 0: as many as the affinity mask allows. Throws OutOfMemory if 128 MiB cannot be had.
MachinePeak measureMachinePeak(int numThreads = 0);

// Bytes a second that `numThreads` threads read from a buffer of this size, best of some passes: what a matrix-vector
// product over weights of this size can reach at most. Throws OutOfMemory if the buffer cannot be had.
double measureReadRate(int numThreads, size_t bytes);

}  // namespace wb::kernels
