// SPDX-License-Identifier: Apache-2.0
#include "app/engine/bench_cuda_command.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <chrono>
#include <memory>
#include <nlohmann/json.hpp>

#include "app/engine/bench_configs.h"
#include "app/engine/bench_cuda.h"
#include "app/engine/bench_cuda_checks.h"
#include "app/engine/engine_runtime.h"
#include "app/engine/text_table.h"
#include "core/run/version.h"
#include "kernels/runtime/plugin_loader.h"

namespace wb::app {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kRepeats = 1000;
constexpr int kQuickRepeats = 20;
constexpr int kTinyRepeats = 3;

struct CudaFlags {
    std::string sizes = "full";
    bool isQuick = false;
    bool hasChecks = true;
    bool hasTimings = true;
    bool onlyLists = false;
    std::vector<std::string> only;
    std::string firstStep;  // of the process that a cold start is made of
    std::vector<int64_t> firstStepShape;
};

CudaBenchOptions resolve(const CudaFlags& flags, const CommandContext& context) {
    CudaBenchOptions options{.sizes = flags.sizes == "tiny" ? CudaBenchSizes::Tiny : CudaBenchSizes::Full,
                             .threads = context.options().threads,
                             .only = flags.only};
    const std::string& device = context.options().device;
    if (!device.empty() && device != "auto") options.device = parseDevice(device);
    const bool isCuda = options.device.type == DeviceType::Cuda;
    if (!isCuda && options.sizes == CudaBenchSizes::Full && flags.firstStep.empty())
        throw UsageError(fmt::format("--device {}: full sizes are for a GPU; give --sizes tiny", device));
    return options;
}

Json deviceJson(Device device) {
    Json json{{"device", deviceName(device)}};
    for (const kernels::PluginDevice& found : kernels::acceleratorDevices()) {
        if (found.device != device) continue;
        json["name"] = found.name;
        json["memory_bytes"] = found.memoryBytes;
    }
    return json;
}

Json configsJson(CudaBenchSizes sizes) {
    Json json = Json::object();
    for (const CudaBenchRow& row : cudaBenchRows(sizes)) {
        for (const BenchConfig& config : benchConfigs()) {
            if (config.name == row.config) json[row.config] = Json::parse(config.json);
        }
    }
    return json;
}

std::string checksText(const std::vector<CudaCheck>& checks) {
    TextTable table({"check", "cases", "error / allowed", "passed", "closest"});
    for (const CudaCheck& check : checks) {
        table.add({check.name, std::to_string(check.cases), fmt::format("{:.2f}", check.worst),
                   check.isPassed() ? "yes" : "NO", check.why.empty() ? check.worstCase : check.why});
    }
    return checks.empty() ? std::string() : table.text() + "\n";
}

std::string timingsText(const std::vector<CudaTiming>& timings) {
    TextTable table({"row", "ms", "TFLOP/s", "GB/s", "tok/s", "% of floor", "peak", "why not"});
    for (const CudaTiming& timing : timings) {
        const Json row = cudaTimingJson(timing);
        table.add(
            {timing.row.name, fmt::format("{:.3f}", row["ms"].get<double>()),
             fmt::format("{:.1f}", row["tflops"].get<double>()), fmt::format("{:.0f}", row["gb_per_s"].get<double>()),
             row.contains("tokens_per_second") ? fmt::format("{:.0f}", row["tokens_per_second"].get<double>()) : "",
             fmt::format("{:.0f}", 100 * row["share_of_floor"].get<double>()), bytesText(timing.peakBytes),
             timing.why});
    }
    return timings.empty() ? std::string() : table.text();
}

void listRows(CommandContext& context, CudaBenchSizes sizes) {
    Json rows = Json::array();
    for (const CudaBenchRow& row : cudaBenchRows(sizes)) {
        context.print(row.name + "\n");
        rows.push_back(cudaBenchRowJson(row));
    }
    context.printJson({{"rows", std::move(rows)}, {"configs", configsJson(sizes)}});
}

int repeatsOf(const CudaFlags& flags, CudaBenchSizes sizes) {
    if (sizes == CudaBenchSizes::Tiny) return kTinyRepeats;
    return flags.isQuick ? kQuickRepeats : kRepeats;
}

void runCudaBench(CommandContext& context, const CudaFlags& flags) {
    const auto start = std::chrono::steady_clock::now();
    const CudaBenchOptions options = resolve(flags, context);
    if (flags.onlyLists) return listRows(context, options.sizes);
    if (!flags.firstStep.empty()) {
        takeFirstStep(options, flags.firstStep, flags.firstStepShape.at(0), flags.firstStepShape.at(1));
        return context.printJson({{"config", flags.firstStep}});
    }
    // A device that cannot be used at all ends the command here, with its reason.
    kernels::Runtime({.device = options.device, .numThreads = options.threads});

    std::vector<CudaCheck> checks;
    if (flags.hasChecks) {
        checks = checkCudaAttention(options.device, options.sizes, repeatsOf(flags, options.sizes), options.threads,
                                    [](const CudaCheck& check) {
                                        spdlog::info("{}: {}", check.name,
                                                     check.isPassed() ? "passed" : check.why + check.worstCase);
                                    });
    }
    Json answer{{"version", core::engineVersion()}, {"sizes", flags.sizes}, {"device", deviceJson(options.device)}};
    Json rows = Json::array();
    std::vector<CudaTiming> timings;
    if (flags.hasTimings) {
        const CudaCeilings ceilings = measureCudaCeilings(options);
        answer["ceiling"] = {{"bf16_tflops", ceilings.bf16Tflops},
                             {"read_gb_per_s", ceilings.readGbPerSecond},
                             {"read_bytes", ceilings.readBytes}};
        timings = timeCudaRows(options, ceilings, [&](const CudaTiming& timing) {
            rows.push_back(cudaTimingJson(timing));
            spdlog::info("{}: {}", timing.row.name,
                         timing.why.empty() ? fmt::format("{:.3f} ms", 1e3 * timing.seconds) : timing.why);
        });
    }
    Json checkRows = Json::array();
    bool isPassed = true;
    for (const CudaCheck& check : checks) {
        checkRows.push_back(cudaCheckJson(check));
        isPassed = isPassed && check.isPassed();
    }
    context.print(checksText(checks) + timingsText(timings));
    answer["checks"] = std::move(checkRows);
    answer["rows"] = std::move(rows);
    answer["configs"] = configsJson(options.sizes);
    answer["seconds"] = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    answer["passed"] = isPassed;
    context.printJson(answer);
    if (!isPassed) throw Error{ErrorCode::Device, "a check failed on this device: do not train on it"};
}

}  // namespace

void defineCudaBench(CLI::App& command, CommandContext& context) {
    const auto flags = std::make_shared<CudaFlags>();
    command.add_flag("--quick", flags->isQuick, "20 repeats instead of 1000 in the check of equal bits");
    command.add_option("--sizes", flags->sizes, "full, or tiny: shows that everything runs, measures nothing")
        ->check(CLI::IsMember({"full", "tiny"}).description(""));
    command.add_flag("!--no-checks", flags->hasChecks, "Leave the checks out");
    command.add_flag("!--no-timings", flags->hasTimings, "Leave the timings out");
    command.add_flag("--list", flags->onlyLists, "Show the rows and run none");
    command.add_option("--only", flags->only, "Time only rows whose names hold this text")->type_name("TEXT");
    command.add_option("--first-step", flags->firstStep, "")->group("");
    command.add_option("--first-step-shape", flags->firstStepShape, "")->group("")->delimiter(',')->expected(2);
    command.callback([flags, &context] { runCudaBench(context, *flags); });
}

}  // namespace wb::app
