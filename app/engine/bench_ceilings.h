// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>

#include "kernels/base/dtype.h"
#include "kernels/runtime/machine_peak.h"
#include "kernels/runtime/profiler.h"

namespace wb::app {

// What a timing is compared with, measured right before it by the same process.
struct BenchCeilings {
    kernels::MachinePeak peak;
    double readGbPerSecond = 0;   // reading a buffer of readBufferBytes again and again with all threads
    int64_t readBufferBytes = 0;  // as large as the weights, so that the caches help both alike
};

// About a second, and two more for a large buffer. Throws OutOfMemory.
BenchCeilings measureCeilings(int numThreads, int64_t bufferBytes);

// Matrix products, GFLOP/s; BF16 and Q8_0 run as F32 where the processor has no (fast) arithmetic for them.
double gemmCeiling(const kernels::MachinePeak& peak, DType dtype);

// Least seconds that the arithmetic (at the ceiling of `dtype`) and the memory traffic of an op can take.
double floorSeconds(const BenchCeilings& ceilings, DType dtype, double flops, double bytes);

// The fields of machinePeakJson, "read_gb_per_s", "read_buffer_bytes".
nlohmann::ordered_json ceilingsJson(const BenchCeilings& ceilings);

}  // namespace wb::app
