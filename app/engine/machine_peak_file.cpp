// SPDX-License-Identifier: Apache-2.0
#include "app/engine/machine_peak_file.h"

#include <nlohmann/json.hpp>

#include "core/run/atomic_file.h"

namespace wb::app {
namespace {

constexpr const char* kFileName = "machine.json";

}  // namespace

nlohmann::ordered_json machinePeakJson(const kernels::MachinePeak& peak) {
    return {{"f32_gflops", peak.f32Gflops},
            {"f32_gflops_one_thread", peak.f32GflopsOneThread},
            {"bf16_gflops", peak.bf16Gflops},
            {"int8_gops", peak.int8Gops},
            {"memory_gb_per_s", peak.memoryGbPerSecond},
            {"threads", peak.threads},
            {"cpu", peak.cpu},
            {"isa", peak.isa}};
}

void saveMachinePeak(const std::filesystem::path& libraryFolder, const kernels::MachinePeak& peak) {
    std::error_code error;
    std::filesystem::create_directories(libraryFolder, error);
    core::writeFileAtomically(libraryFolder / kFileName, machinePeakJson(peak).dump(2) + "\n");
}

kernels::MachinePeak measureAndKeepPeak(const std::filesystem::path& libraryFolder, int threads) {
    const kernels::MachinePeak peak = kernels::measureMachinePeak(threads);
    saveMachinePeak(libraryFolder, peak);
    return peak;
}

}  // namespace wb::app
