// SPDX-License-Identifier: Apache-2.0
#include "app/engine/bench_ceilings.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "app/engine/machine_peak_file.h"

namespace wb::app {

BenchCeilings measureCeilings(int numThreads, int64_t bufferBytes) {
    BenchCeilings ceilings{.peak = kernels::measureMachinePeak(numThreads), .readBufferBytes = bufferBytes};
    ceilings.readGbPerSecond = 1e-9 * kernels::measureReadRate(ceilings.peak.threads, static_cast<size_t>(bufferBytes));
    return ceilings;
}

double gemmCeiling(const kernels::MachinePeak& peak, DType dtype) {
    if (dtype == DType::BF16 && peak.bf16Gflops > 0) return peak.bf16Gflops;
    if (isBlocked(dtype) && peak.int8Gops > 0) return peak.int8Gops;
    return peak.f32Gflops;
}

double floorSeconds(const BenchCeilings& ceilings, DType dtype, double flops, double bytes) {
    return 1e-9 * std::max(flops / gemmCeiling(ceilings.peak, dtype), bytes / ceilings.readGbPerSecond);
}

nlohmann::ordered_json ceilingsJson(const BenchCeilings& ceilings) {
    nlohmann::ordered_json json = machinePeakJson(ceilings.peak);
    json["read_gb_per_s"] = ceilings.readGbPerSecond;
    json["read_buffer_bytes"] = ceilings.readBufferBytes;
    return json;
}

}  // namespace wb::app
