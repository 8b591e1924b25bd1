// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>

#include "kernels/runtime/machine_peak.h"

namespace wb::app {

// The measured ceilings of this machine lie in `machine.json` of the library folder, for programs that only show
// percentages. Fields: f32_gflops, f32_gflops_one_thread, bf16_gflops, int8_gops, memory_gb_per_s, threads, cpu,
// isa.
nlohmann::ordered_json machinePeakJson(const kernels::MachinePeak& peak);

// Creates the library folder if it does not exist. Throws Io.
void saveMachinePeak(const std::filesystem::path& libraryFolder, const kernels::MachinePeak& peak);

// Measures the ceilings and saves them: a command does so first, so that its percentages are of the same run.
kernels::MachinePeak measureAndKeepPeak(const std::filesystem::path& libraryFolder, int threads);

}  // namespace wb::app
