// SPDX-License-Identifier: Apache-2.0
#include "app/engine/bench_attention_command.h"

#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "app/engine/bench_attention.h"
#include "app/engine/engine_runtime.h"
#include "app/engine/machine_peak_file.h"
#include "app/engine/measurement.h"
#include "app/engine/text_table.h"

namespace wb::app {
namespace {

using Json = nlohmann::ordered_json;

// As the command line has it; empty and 0 mean "not given".
struct AttentionFlags {
    std::string dtype = "f32";
    std::vector<int64_t> headDims;
    std::vector<int64_t> lengths;
    std::vector<std::string> backends;
    int64_t heads = 0;
    int64_t keyValueHeads = 0;
    bool isCausal = true;
    bool hasForward = false;
    bool hasBackward = false;
    bool showsProgress = false;
    int repeats = 5;
};

std::vector<AttentionPass> passesOf(const AttentionFlags& flags, bool isPoint) {
    std::vector<AttentionPass> passes;
    const bool isUnsaid = !flags.hasForward && !flags.hasBackward;
    if (flags.hasForward || isUnsaid) passes.push_back(AttentionPass::Forward);
    if (flags.hasBackward || (isUnsaid && !isPoint)) passes.push_back(AttentionPass::ForwardBackward);
    return passes;
}

AttentionSweep resolve(const AttentionFlags& flags, const CommandContext& context) {
    AttentionSweep sweep;
    if (flags.dtype != "f32" && flags.dtype != "bf16")
        throw UsageError(fmt::format("--dtype is '{}', expected f32 or bf16", flags.dtype));
    if (flags.dtype == "bf16") sweep.dtype = DType::BF16;
    const bool isPoint = flags.headDims.size() == 1 && flags.lengths.size() == 1;
    if (!flags.headDims.empty()) sweep.headDims = flags.headDims;
    if (!flags.lengths.empty()) sweep.lengths = flags.lengths;
    if (flags.heads > 0) sweep.numHeads = sweep.keyValueHeads = flags.heads;
    if (flags.keyValueHeads > 0) sweep.keyValueHeads = flags.keyValueHeads;
    if (sweep.numHeads % sweep.keyValueHeads != 0) {
        throw UsageError(
            fmt::format("--heads {} is no multiple of --kv-heads {}", sweep.numHeads, sweep.keyValueHeads));
    }
    if (isPoint) sweep.backends = {kernels::AttentionBackend::Auto};
    if (!flags.backends.empty()) {
        sweep.backends.clear();
        for (const std::string& name : flags.backends) sweep.backends.push_back(kernels::parseAttentionBackend(name));
    }
    sweep.passes = passesOf(flags, isPoint);
    sweep.isCausal = flags.isCausal;
    sweep.repeats = flags.repeats;
    sweep.threads = context.options().threads;
    return sweep;
}

std::string timingsText(const AttentionSweep& sweep, const std::vector<AttentionTiming>& timings) {
    TextTable table(
        {"pass", "head dim", "tokens", "backend", "ms", "GFLOP/s", "% of ceiling", "peak", "workspace", "why"});
    for (const AttentionTiming& t : timings) {
        const Json row = attentionTimingJson(sweep, t);
        table.add({row["pass"], std::to_string(t.headDim), std::to_string(t.length), t.backend,
                   fmt::format("{:.3f}", t.seconds * 1e3), fmt::format("{:.1f}", t.gflops),
                   fmt::format("{:.0f}", t.percentOfCeiling), bytesText(t.peakBytes), bytesText(t.workspaceBytes),
                   t.reason});
    }
    return table.text();
}

void runAttention(CommandContext& context, const AttentionFlags& flags) {
    requireProcessor(context, "bench attention");
    const AttentionSweep sweep = resolve(flags, context);
    const kernels::MachinePeak peak = measureAndKeepPeak(context.libraryFolder(), sweep.threads);
    const CpuTimes before = readCpuTimes();
    Json rows = Json::array();
    const auto timings = timeAttention(Device{}, peak, sweep, [&](const AttentionTiming& timing) {
        rows.push_back(attentionTimingJson(sweep, timing));
        if (!flags.showsProgress) return;
        Json line = rows.back();
        line["done"] = rows.size();
        line["total"] = sweep.figures();
        context.printProgress(line);
    });
    context.print(timingsText(sweep, timings));
    Json answer = rows.size() == 1 ? rows.front() : Json::object();
    answer["foreign_cpu"] = foreignCpuShare(before, readCpuTimes());
    answer["peak"] = machinePeakJson(peak);
    answer["attention"] = std::move(rows);
    context.printJson(answer);
}

}  // namespace

void defineAttentionBench(CLI::App& command, CommandContext& context) {
    const auto flags = std::make_shared<AttentionFlags>();
    const auto number = CLI::Range(1, 1 << 20).description("");
    command.add_option("--head-dim", flags->headDims, "Size of a head; one or several (default: 8 to 256)")
        ->delimiter(',')
        ->check(number)
        ->type_name("N,...");
    command.add_option("--tokens", flags->lengths, "Length of the sequence; one or several (default: 128 to 2048)")
        ->delimiter(',')
        ->check(number)
        ->type_name("N,...");
    command.add_option("--heads", flags->heads, "Query heads (default: 4)")->check(number)->type_name("N");
    command
        .add_option("--kv-heads", flags->keyValueHeads, "Key and value heads (default: as many as query heads; 2 of 4)")
        ->check(number)
        ->type_name("N");
    command
        .add_option("--backend", flags->backends,
                    "auto, math, memory_efficient, flash (default: auto at one point, else each)")
        ->delimiter(',')
        ->type_name("NAME,...");
    command.add_option("--dtype", flags->dtype, "f32 or bf16 (default: f32)");
    command.add_flag("--causal,!--no-causal", flags->isCausal,
                     "Whether a token sees only those before it (default: yes)");
    command.add_flag("--forward", flags->hasForward, "The forward pass");
    command.add_flag("--backward", flags->hasBackward,
                     "Forward and backward together (default: both, at one point forward)");
    command.add_option("--repeats", flags->repeats, "Runs per figure at most; the median counts")
        ->check(CLI::Range(1, 1000));
    command.add_flag("--progress", flags->showsProgress, "With --json: each figure as one line while it is measured");
    command.callback([flags, &context] { runAttention(context, *flags); });
}

}  // namespace wb::app
