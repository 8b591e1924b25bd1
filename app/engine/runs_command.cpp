// SPDX-License-Identifier: Apache-2.0
#include "app/engine/runs_command.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "app/engine/run_report.h"
#include "core/library/library.h"
#include "core/run/run_folder.h"

namespace wb::app {
namespace {

using nlohmann::ordered_json;

constexpr const char* kRunHelp = "Run id, the beginning or end of one, `last`, or a run folder";

CLI::Option* addRunArgument(CLI::App& command, std::string& run) {
    return command.add_option("run", run, kRunHelp)->type_name("RUN")->required();
}

void defineList(CLI::App& runs, CommandContext& context) {
    CLI::App* list = runs.add_subcommand("list", "List the runs of the library, newest first");
    const auto limit = std::make_shared<size_t>(0);
    list->add_option("--limit", *limit, "Show this many at most (default: all)")->type_name("N");
    list->callback([limit, &context] {
        core::Library library(context.libraryFolder());
        std::vector<core::RunEntry> entries = library.indexAllRuns();
        if (*limit > 0 && entries.size() > *limit) entries.resize(*limit);
        context.print(runListText(entries, library.folder().string()));
        ordered_json answer{{"library", library.folder().string()}, {"runs", ordered_json::array()}};
        for (const core::RunEntry& entry : entries) answer["runs"].push_back(runEntryJson(entry));
        context.printJson(answer);
    });
}

void defineShow(CLI::App& runs, CommandContext& context) {
    CLI::App* show = runs.add_subcommand("show", "Show one run: settings, validation, checkpoints");
    const auto name = std::make_shared<std::string>();
    addRunArgument(*show, *name);
    show->callback([name, &context] {
        const RunDetails details = readRunDetails(core::RunFolder::find(context.libraryFolder(), *name));
        context.print(runDetailsText(details));
        context.printJson(runDetailsJson(details));
    });
}

void defineDiff(CLI::App& runs, CommandContext& context) {
    CLI::App* diff = runs.add_subcommand("diff", "Show what differs between runs: settings and results");
    const auto names = std::make_shared<std::vector<std::string>>();
    diff->add_option("runs", *names, "Two or more runs, each as for `whet runs show`")->type_name("RUN")->required();
    diff->callback([names, &context] {
        if (names->size() < 2) throw UsageError("one run has nothing to differ from: name two or more");
        std::vector<RunDetails> details;
        for (const std::string& name : *names) {
            details.push_back(readRunDetails(core::RunFolder::find(context.libraryFolder(), name)));
        }
        context.print(runDifferenceText(details));
        context.printJson(runDifferenceJson(details));
    });
}

// A request to the process that works on a run; it is carried out at the end of the present step.
void defineControl(CLI::App& runs, CommandContext& context, const std::string& name, const std::string& summary,
                   void (core::RunFolder::*request)() const) {
    CLI::App* command = runs.add_subcommand(name, summary);
    const auto run = std::make_shared<std::string>();
    addRunArgument(*command, *run);
    command->callback([run, name, request, &context] {
        const core::RunFolder folder = core::RunFolder::find(context.libraryFolder(), *run);
        (folder.*request)();
        context.print(fmt::format("Asked run {} to {} after its present step.\n", folder.id(), name));
        context.printJson({{"run_id", folder.id()}, {"run_dir", folder.path().string()}, {"requested", name}});
    });
}

void defineRebuild(CLI::App& runs, CommandContext& context) {
    CLI::App* rebuild = runs.add_subcommand("rebuild", "Make library.db again from the run folders");
    rebuild->footer("\nA damaged library.db is set aside, not deleted. Votes and notes of a whole one are kept.");
    rebuild->callback([&context] {
        const auto folder = context.libraryFolder();
        const core::RebuildReport report = core::Library::rebuildFromRuns(folder);
        for (const std::string& problem : report.problems) spdlog::warn("{}", problem);
        context.print(
            fmt::format("{} runs, {} metric points in {}\n", report.runs, report.metricPoints, folder.string()));
        if (!report.setAside.empty()) context.print(fmt::format("The damaged file is now {}\n", report.setAside));
        context.printJson({{"library", folder.string()},
                           {"runs", report.runs},
                           {"metric_points", report.metricPoints},
                           {"problems", report.problems},
                           {"set_aside", report.setAside}});
    });
}

}  // namespace

void defineRuns(CLI::App& command, CommandContext& context) {
    command.require_subcommand(1);
    defineList(command, context);
    defineShow(command, context);
    defineDiff(command, context);
    defineControl(command, context, "pause", "Let a running run wait", &core::RunFolder::requestPause);
    defineControl(command, context, "continue", "Let a paused run go on", &core::RunFolder::requestResume);
    defineControl(command, context, "stop", "Let a run save a checkpoint and end; it can be resumed",
                  &core::RunFolder::requestStop);
    defineRebuild(command, context);
}

}  // namespace wb::app
