// SPDX-License-Identifier: Apache-2.0
#include "app/engine/bench_command.h"

#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "app/engine/bench_attention_command.h"
#include "app/engine/bench_cuda_command.h"
#include "app/engine/bench_gemm.h"
#include "app/engine/bench_model_command.h"
#include "app/engine/engine_runtime.h"
#include "app/engine/machine_peak_file.h"
#include "app/engine/measurement.h"
#include "app/engine/text_table.h"

namespace wb::app {
namespace {

DType computeDtype(std::string_view name) {
    if (name == "f32") return DType::F32;
    if (name == "bf16") return DType::BF16;
    throw UsageError(fmt::format("--dtype is '{}', expected f32 or bf16", name));
}

std::string peakText(const kernels::MachinePeak& peak) {
    std::string text = fmt::format("{}, {}, {} threads\n", peak.cpu, peak.isa, peak.threads);
    text += fmt::format("F32   {:8.1f} GFLOP/s ({:.1f} on one thread)\n", peak.f32Gflops, peak.f32GflopsOneThread);
    text += peak.bf16Gflops > 0 ? fmt::format("BF16  {:8.1f} GFLOP/s\n", peak.bf16Gflops)
                                : std::string("BF16  no arithmetic of its own: runs as F32\n");
    if (peak.int8Gops > 0) text += fmt::format("INT8  {:8.1f} GOP/s\n", peak.int8Gops);
    return text + fmt::format("read  {:8.1f} GB/s\n", peak.memoryGbPerSecond);
}

void runPeak(CommandContext& context) {
    const kernels::MachinePeak peak = measureAndKeepPeak(context.libraryFolder(), context.options().threads);
    context.print(peakText(peak));
    context.printJson(machinePeakJson(peak));
}

struct SweepOptions {
    std::string dtype;
    int repeats = 7;
};

void runGemm(CommandContext& context, const SweepOptions& options) {
    requireProcessor(context, "bench gemm");
    GemmSweep sweep{.repeats = options.repeats};
    if (!options.dtype.empty()) sweep.dtypes = {computeDtype(options.dtype)};
    const kernels::MachinePeak peak = measureAndKeepPeak(context.libraryFolder(), context.options().threads);
    const CpuTimes before = readCpuTimes();
    const auto timings = timeGemm(Device{}, context.options().threads, peak, sweep);
    TextTable table({"pass", "type", "tokens", "outputs", "inputs", "ms", "GFLOP/s", "% of peak", "GB/s"});
    for (const GemmTiming& t : timings) {
        table.add({t.pass, dtypeName(t.dtype), std::to_string(t.tokens), std::to_string(t.outputs),
                   std::to_string(t.inputs), fmt::format("{:.3f}", t.seconds * 1e3), fmt::format("{:.1f}", t.gflops),
                   fmt::format("{:.0f}", t.percentOfCeiling), fmt::format("{:.1f}", t.gbPerSecond)});
    }
    context.print(table.text());
    context.printJson({{"foreign_cpu", foreignCpuShare(before, readCpuTimes())},
                       {"peak", machinePeakJson(peak)},
                       {"gemm", gemmTimingsJson(timings)}});
}

void addSweepOptions(CLI::App& command, SweepOptions& options) {
    command.add_option("--dtype", options.dtype, "f32 or bf16");
    command.add_option("--repeats", options.repeats, "Runs per figure; the median counts")->check(CLI::Range(1, 1000));
}

}  // namespace

void defineBench(CLI::App& command, CommandContext& context) {
    command.require_subcommand(1);
    CLI::App& peak = *command.add_subcommand("peak", "Measure what this machine can do at best, and remember it");
    peak.callback([&context] { runPeak(context); });

    const auto gemmOptions = std::make_shared<SweepOptions>();
    CLI::App& gemm = *command.add_subcommand("gemm", "Time the matrix products of linear layers");
    addSweepOptions(gemm, *gemmOptions);
    gemm.callback([gemmOptions, &context] { runGemm(context, *gemmOptions); });

    defineAttentionBench(
        *command.add_subcommand("attention", "Time the attention backends over sequence lengths and head dimensions"),
        context);
    defineModelBenches(command, context);
    defineCudaBench(*command.add_subcommand("cuda", "Check and time the CUDA plugin on this machine's GPU"), context);
}

}  // namespace wb::app
