// SPDX-License-Identifier: Apache-2.0
#include "app/engine/export_command.h"

#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "adapters/export/exporters.h"
#include "app/engine/engine_runtime.h"
#include "app/engine/run_export.h"

namespace wb::app {
namespace {

struct Options {
    std::string run;
    std::string format = "peft";
    std::string folder;
};

void run(const Options& options, CommandContext& context) {
    kernels::Runtime runtime = makeRuntime(context.options().device, context.options().threads);
    const core::RunFolder run = core::RunFolder::find(context.libraryFolder(), options.run);
    const std::filesystem::path folder = std::filesystem::absolute(options.folder);
    const adapters::Certificate certificate = exportRun(runtime.context(), run, options.format, folder);
    context.print(fmt::format("exported {} to {}\n", options.format, folder.string()));
    context.print(fmt::format(
        "certificate: {}. {} prompts replayed, {} answer positions, largest logit error {:.2e} (allowed {:.2e}), "
        "token agreement {:.2f} %\n",
        certificate.isOk ? "passed" : "FAILED", certificate.prompts, certificate.positions, certificate.maxLogitError,
        certificate.tolerance, 100 * certificate.tokenAgreement));
    context.printJson({{"path", folder.string()}, {"format", options.format}, {"certificate", toJson(certificate)}});
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
    command.add_option("--run", options->run, "Run id or folder; last for the newest")->required()->type_name("RUN");
    command.add_option("--format", options->format, "What to write")
        ->check(CLI::IsMember(formats))
        ->capture_default_str();
    command.add_option("--out", options->folder, "Folder to make; must not exist or be empty")
        ->required()
        ->type_name("DIR");
    command.footer("\nExample: whet export --run last --format safetensors --out my-model");
    command.callback([options, &context] { run(*options, context); });
}

}  // namespace wb::app
