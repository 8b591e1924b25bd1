// SPDX-License-Identifier: Apache-2.0
#include "app/engine/export_command.h"

#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "adapters/export/exporters.h"
#include "app/engine/engine_runtime.h"
#include "app/engine/model_paths.h"
#include "app/engine/run_export.h"

namespace wb::app {
namespace {

struct Options {
    std::string run;
    std::string model;
    ExportOptions what;
    std::string folder;
};

void run(const Options& options, CommandContext& context) {
    if (options.run.empty() == options.model.empty()) throw UsageError("give either --run RUN or --model MODEL");
    kernels::Runtime runtime = makeRuntime(context.options().device, context.options().threads);
    const std::filesystem::path folder = std::filesystem::absolute(options.folder);
    const adapters::Certificate certificate =
        options.run.empty() ? exportModel(runtime.context(), resolveModel(options.model), options.what, folder)
                            : exportRun(runtime.context(), core::RunFolder::find(context.libraryFolder(), options.run),
                                        options.what, folder);
    context.print(fmt::format("exported {} to {}\n", options.what.format, folder.string()));
    context.print(fmt::format(
        "certificate: {}. {} prompts replayed, {} answer positions, largest logit error {:.2e} (allowed {:.2e}), "
        "token agreement {:.2f} %\n",
        certificate.isOk ? "passed" : "FAILED", certificate.prompts, certificate.positions, certificate.maxLogitError,
        certificate.tolerance, 100 * certificate.tokenAgreement));
    if (!certificate.storedType.empty()) {
        context.print(fmt::format("stored as {}: largest change of a logit {:.2e}, token agreement {:.2f} %\n",
                                  certificate.storedType, certificate.roundingError,
                                  100 * certificate.roundingAgreement));
    }
    context.printJson(
        {{"path", folder.string()}, {"format", options.what.format}, {"certificate", toJson(certificate)}});
    if (!certificate.isOk) {
        throw Error{ErrorCode::Internal, fmt::format("the exported files do not behave like the tuned model; see {}",
                                                     (folder / "certificate.json").string())};
    }
}

}  // namespace

void defineExport(CLI::App& command, CommandContext& context) {
    const auto options = std::make_shared<Options>();
    std::vector<std::string> formats;
    for (const adapters::Exporter& exporter : adapters::exporters()) formats.emplace_back(exporter.format);
    command.add_option("--run", options->run, "Run id or folder; last for the newest")->type_name("RUN");
    command.add_option("--model", options->model, "Instead of a run a model as it is: folder, .gguf file or bundled")
        ->type_name("MODEL");
    command.add_option("--format", options->what.format, "What to write")
        ->check(CLI::IsMember(formats))
        ->capture_default_str();
    command
        .add_option("--gguf-type", options->what.ggufType,
                    "Element type of the matrices of a GGUF file: f32, f16, bf16 or q8_0")
        ->check(CLI::IsMember({"f32", "f16", "bf16", "q8_0"}, CLI::ignore_case))
        ->capture_default_str();
    command.add_option("--out", options->folder, "Folder to make; must not exist or be empty")
        ->required()
        ->type_name("DIR");
    command.footer(
        "\nExamples: whet export --run last --format safetensors --out my-model\n"
        "          whet export --run last --format gguf --gguf-type q8_0 --out my-gguf");
    command.callback([options, &context] { run(*options, context); });
}

}  // namespace wb::app
