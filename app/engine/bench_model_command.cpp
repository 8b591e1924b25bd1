// SPDX-License-Identifier: Apache-2.0
#include "app/engine/bench_model_command.h"

#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "app/engine/bench_configs.h"
#include "app/engine/bench_model.h"
#include "app/engine/engine_runtime.h"
#include "app/engine/text_table.h"
#include "core/run/recipe_fields.h"

namespace wb::app {
namespace {

constexpr int64_t kDecodedTokens = 128;

// As the command line has it; empty and 0 mean "not given".
struct ModelBenchFlags {
    BenchTask task = BenchTask::Train;
    std::string dtype = "f32";
    std::string method = "full";
    std::string checkpointing = "none";
    int64_t tokens = 0;
    ModelBenchOptions options;
};

DType weightType(const std::string& name) {
    if (name == "f32") return DType::F32;
    if (name == "bf16") return DType::BF16;
    if (name == "q8_0") return DType::Q8_0;
    if (name == "q4_0") return DType::Q4_0;
    if (name == "nf4") return DType::NF4;
    throw UsageError(fmt::format("--dtype is '{}', expected f32, bf16, q8_0, q4_0 or nf4", name));
}

ModelBenchOptions resolve(const ModelBenchFlags& flags, const CommandContext& context) {
    requireProcessor(context, fmt::format("bench {}", benchTaskName(flags.task)));
    ModelBenchOptions options = flags.options;
    options.task = flags.task;
    options.dtype = weightType(flags.dtype);
    options.method = flags.method == "lora" ? core::TuneMethod::Lora : core::TuneMethod::Full;
    core::Recipe recipe;
    setFieldText(recipe, *core::findRecipeField("activation_checkpointing"), flags.checkpointing);
    options.activationCheckpointing = recipe.activationCheckpointing;
    options.threads = context.options().threads;
    if (flags.tokens > 0) {
        options.tokens = flags.tokens;
    } else if (flags.task == BenchTask::Decode) {
        options.tokens = kDecodedTokens;
    }
    return options;
}

std::string benchText(const ModelBench& bench) {
    std::string text =
        fmt::format("{:.1f} tok/s ({:.1f} % of the ceiling), peak {}, resident {}\n", bench.tokensPerSecond,
                    bench.percentOfCeiling, bytesText(bench.peakBytes), bytesText(bench.peakRssBytes));
    if (bench.percentOfRoof) text += fmt::format("{:.1f} % of what a step can reach at best\n", *bench.percentOfRoof);
    if (bench.twin) text += fmt::format("{:.2f} times as fast as one after the other\n", bench.twin->ratio);
    text +=
        fmt::format("{:.1f} % in matrix products, {:.2f} % outside kernels, {:.1f} % of the machine used by others\n",
                    100 * bench.shareInGemm, 100 * bench.overheadShare, 100 * bench.foreignCpu);
    if (!bench.verdict.isValid) text += fmt::format("not valid: {}\n", bench.verdict.why);
    TextTable table({"op", "backend", "calls", "ms", "share", "GFLOP/s", "GB/s", "% of ceiling"});
    for (const OpShare& op : bench.ops) {
        table.add(
            {op.sum.name, op.sum.backend, std::to_string(op.sum.calls), fmt::format("{:.2f}", op.sum.seconds * 1e3),
             fmt::format("{:.1f} %", 100 * op.share), fmt::format("{:.1f}", 1e-9 * op.sum.flops / op.sum.seconds),
             fmt::format("{:.1f}", 1e-9 * op.sum.bytes / op.sum.seconds), fmt::format("{:.0f}", op.percentOfCeiling)});
    }
    return text + "\n" + table.text();
}

void runModelBench(CommandContext& context, const ModelBenchFlags& flags) {
    const ModelBenchOptions options = resolve(flags, context);
    const ModelBench bench = benchModel(options);
    context.print(benchText(bench));
    context.printJson(modelBenchJson(options, bench));
}

void addCommonOptions(CLI::App& command, ModelBenchFlags& flags, const char* tokens) {
    command.add_option("--config", flags.options.config, "30m, 135m, gpt2, or a config.json: weights are random")
        ->required()
        ->type_name("NAME|FILE");
    command.add_option("--dtype", flags.dtype, "f32, bf16, q8_0, q4_0 or nf4 (default: f32)");
    command.add_option("--tokens", flags.tokens, tokens)->check(CLI::Range(1, 1 << 20).description(""));
    command.add_option("--repeats", flags.options.repeats, "Timings; the median counts")->check(CLI::Range(1, 1000));
}

std::shared_ptr<ModelBenchFlags> addModelBench(CLI::App& bench, CommandContext& context, BenchTask task,
                                               const char* summary, const char* tokens) {
    const auto flags = std::make_shared<ModelBenchFlags>();
    flags->task = task;
    CLI::App& command = *bench.add_subcommand(benchTaskName(task), summary);
    addCommonOptions(command, *flags, tokens);
    command.callback([flags, &context] { runModelBench(context, *flags); });
    return flags;
}

void runConfigs(CommandContext& context) {
    nlohmann::ordered_json json;
    for (const BenchConfig& config : benchConfigs()) {
        context.print(fmt::format("{:<6} {}\n", config.name, config.what));
        json[std::string(config.name)] = nlohmann::ordered_json::parse(config.json);
    }
    context.printJson(json);
}

}  // namespace

void defineModelBenches(CLI::App& bench, CommandContext& context) {
    const auto train = addModelBench(bench, context, BenchTask::Train, "Time whole training steps",
                                     "Length of the one sequence of a step (default: 512)");
    CLI::App& trainCommand = *bench.get_subcommand("train");
    trainCommand.add_option("--method", train->method, "full, or lora: rank 16 on every projection (default: full)")
        ->check(CLI::IsMember({"full", "lora"}).description(""));
    trainCommand.add_option("--activation-checkpointing", train->checkpointing,
                            "none, selective or full: what backward computes again instead of keeping it "
                            "(default: none)");

    addModelBench(bench, context, BenchTask::Prefill, "Time reading a prompt", "Tokens of the prompt (default: 512)");

    const auto decode = addModelBench(bench, context, BenchTask::Decode, "Time generating token by token",
                                      "New tokens of each sequence (default: 128)");
    CLI::App& decodeCommand = *bench.get_subcommand("decode");
    decodeCommand.add_option("--streams", decode->options.streams, "Sequences in one batch (default: 1)")
        ->check(CLI::Range(1, 64).description(""));
    decodeCommand.add_flag("--twin", decode->options.isTwin,
                           "Base and an adapter in one batch, and the same one after the other");

    CLI::App& configs = *bench.add_subcommand("configs", "Show the model shapes known by name");
    configs.callback([&context] { runConfigs(context); });
}

}  // namespace wb::app
