// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "app/engine/bench_cuda_rows.h"
#include "kernels/base/device.h"

namespace wb::app {

// What the device can do at best, measured in the same run.
struct CudaCeilings {
    double bf16Tflops = 0;       // the largest matrix product of the rows
    double readGbPerSecond = 0;  // the global norm of a buffer far larger than the caches: it only reads
    int64_t readBytes = 0;
};

struct CudaTiming {
    CudaBenchRow row;
    double seconds = 0;  // median; 0 if it could not run
    double flops = 0;
    double bytes = 0;           // decoding: weights read
    double floorSeconds = 0;    // arithmetic at the ceiling, or bytes at the reading rate; 0: there is none
    int64_t peakBytes = 0;      // of the engine's allocator
    int64_t tokens = 0;         // of a model row
    std::optional<float> loss;  // of the first step
    std::string why;            // why it could not run
};

struct CudaBenchOptions {
    Device device{.type = DeviceType::Cuda};
    CudaBenchSizes sizes = CudaBenchSizes::Full;
    int threads = 0;
    std::vector<std::string> only;  // rows whose names hold one of these; empty: all
};

// 0 where the device lacks the op. Throws what the device throws when it cannot be used at all.
CudaCeilings measureCudaCeilings(const CudaBenchOptions& options);

// Runs the rows one after the other, each with a runtime of its own; a row that cannot run says why.
std::vector<CudaTiming> timeCudaRows(const CudaBenchOptions& options, const CudaCeilings& ceilings,
                                     const std::function<void(const CudaTiming&)>& onTiming = {});

// The first optimiser step of a model row, waited for: what a process does whose cold start is measured.
void takeFirstStep(const CudaBenchOptions& options, const std::string& config, int64_t sequences, int64_t tokens);

// The fields of cudaBenchRowJson, "ms", "tflops", "gb_per_s", "floor_ms", "share_of_floor", "peak_bytes", for models
// "tokens_per_second" and "loss", and "why".
nlohmann::ordered_json cudaTimingJson(const CudaTiming& timing);

}  // namespace wb::app
