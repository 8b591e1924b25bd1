// SPDX-License-Identifier: Apache-2.0
#include "app/engine/machine_peak_file.h"

#include <nlohmann/json.hpp>

#include "core/run/atomic_file.h"
#include "kernels/base/error.h"
#include "kernels/cpu/cpu_features.h"

namespace wb::app {
namespace {

constexpr const char* kFileName = "machine.json";
constexpr size_t kMaxFileBytes = 64 << 10;

}  // namespace

nlohmann::ordered_json machinePeakJson(const kernels::MachinePeak& peak) {
    return {{"f32_gflops", peak.f32Gflops},
            {"f32_gflops_one_thread", peak.f32GflopsOneThread},
            {"bf16_gflops", peak.bf16Gflops},
            {"memory_gb_per_s", peak.memoryGbPerSecond},
            {"threads", peak.threads},
            {"cpu", peak.cpu},
            {"isa", peak.isa}};
}

std::optional<kernels::MachinePeak> loadMachinePeak(const std::filesystem::path& libraryFolder) {
    try {
        const auto json = nlohmann::json::parse(core::readWholeFile(libraryFolder / kFileName, kMaxFileBytes));
        kernels::MachinePeak peak;
        peak.f32Gflops = json.at("f32_gflops").get<double>();
        peak.f32GflopsOneThread = json.at("f32_gflops_one_thread").get<double>();
        peak.bf16Gflops = json.at("bf16_gflops").get<double>();
        peak.memoryGbPerSecond = json.at("memory_gb_per_s").get<double>();
        peak.threads = json.at("threads").get<int>();
        peak.cpu = json.at("cpu").get<std::string>();
        peak.isa = json.at("isa").get<std::string>();
        const kernels::cpu::CpuFeatures& here = kernels::cpu::cpuFeatures();
        if (peak.cpu != here.model || peak.isa != here.isa) return std::nullopt;
        return peak;
    } catch (const Error&) {
        return std::nullopt;  // no such file yet
    } catch (const nlohmann::json::exception&) {
        return std::nullopt;  // damaged: measured anew like a missing one
    }
}

void saveMachinePeak(const std::filesystem::path& libraryFolder, const kernels::MachinePeak& peak) {
    std::error_code error;
    std::filesystem::create_directories(libraryFolder, error);
    core::writeFileAtomically(libraryFolder / kFileName, machinePeakJson(peak).dump(2) + "\n");
}

}  // namespace wb::app
