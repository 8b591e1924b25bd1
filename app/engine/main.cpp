// SPDX-License-Identifier: Apache-2.0
// whet: the engine and the command line in one program. Exit codes: 0 done, 1 failed, 2 the command line is wrong.
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>
#include <new>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "app/engine/command_context.h"
#include "app/engine/command_table.h"
#include "app/engine/help_formatter.h"
#include "app/engine/openmp_environment.h"
#include "core/run/edit_distance.h"
#include "core/run/version.h"
#include "kernels/base/error.h"

namespace wb::app {
namespace {

constexpr int kFailed = 1;
constexpr int kUsage = 2;

constexpr std::string_view kDescription =
    "Tune a small language model on your own data, compare it with its base, and take away a\n"
    "checkpoint that other tools load unchanged.";

constexpr std::string_view kFooter =
    "\nFirst steps:\n"
    "  whet data inspect facts.jsonl --model pocket\n"
    "  whet train --model pocket --data facts.jsonl\n"
    "  whet compare --model pocket --adapter last --prompt \"...\"\n"
    "\nExit codes: 0 done, 1 failed, 2 the command line is wrong.\n"
    "`whet COMMAND --help` tells about one command.";

bool wantsJson(int argc, char** argv) {
    for (int i = 1; i < argc; ++i) {
        if (std::string_view(argv[i]) == "--json") return true;
    }
    return false;
}

// The one place where an error becomes text: always on standard error, and as the one object of --json.
void reportError(CommandContext& context, std::string_view code, std::string_view message, std::string_view hint) {
    const bool isColored = context.useColor() && ::isatty(STDERR_FILENO) == 1;
    fmt::print(stderr, "{}error:{} {}\n", isColored ? "\033[1;31m" : "", isColored ? "\033[0m" : "", message);
    if (!hint.empty()) fmt::print(stderr, "{}\n", hint);
    if (!context.hasAnswered()) {
        context.printJson({{"error", {{"code", code}, {"message", message}, {"hint", hint}}}});
    }
}

// "whet runs show": the command that was being parsed.
std::string commandPath(const CLI::App& app, const CLI::App** deepest) {
    std::string path = app.get_name();
    const CLI::App* current = &app;
    while (!current->get_subcommands().empty()) {
        current = current->get_subcommands().front();
        path += " " + current->get_name();
    }
    *deepest = current;
    return path;
}

std::vector<std::string> optionNames(const CLI::App* command) {
    std::vector<std::string> names;
    for (; command != nullptr; command = command->get_parent()) {
        for (const CLI::Option* option : command->get_options()) {
            for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
        }
    }
    return names;
}

std::vector<std::string> nestedCommands(const CLI::App* command) {
    std::vector<std::string> names;
    for (const CLI::App* sub : command->get_subcommands([](const CLI::App*) { return true; }))
        names.push_back(sub->get_name());
    return names;
}

// A required word or value that is not there.
std::string missingMessage(const CLI::ParseError& error, const CLI::App* deepest) {
    const std::string_view what = error.what();
    if (error.get_name() == "ArgumentMismatch" && what.find("missing") != std::string_view::npos) {
        return fmt::format("{} needs a value", what.substr(0, what.find(':')));
    }
    if (error.get_name() != "RequiredError") return std::string(what);
    const std::vector<std::string> commands = nestedCommands(deepest);
    if (!commands.empty()) return fmt::format("a command is missing: {}", fmt::join(commands, ", "));
    const std::string name(what.substr(0, what.find(" is required")));
    for (const CLI::Option* option : deepest->get_options()) {
        if (option->get_positional() && option->get_name(true) == name) return option->get_type_name() + " is missing";
    }
    return name + " is missing";
}

// What CLI11 says, in our words where it knows too little: a misspelt command or option.
std::string usageMessage(const CLI::ParseError& error, const CLI::App& app, const CLI::App* deepest) {
    const std::vector<std::string> extras = app.remaining(true);
    if (extras.empty()) return missingMessage(error, deepest);
    const std::string& word = extras.front();
    const auto suggest = [](std::string message, std::optional<std::string_view> nearest) {
        return nearest ? message + fmt::format(": did you mean '{}'?", *nearest) : message;
    };
    if (word.starts_with("-")) {
        const std::vector<std::string> names = optionNames(deepest);
        const std::vector<std::string_view> views(names.begin(), names.end());
        const std::string name = word.substr(0, word.find('='));
        return suggest(fmt::format("unknown option '{}'", name), core::nearestWord(name, views));
    }
    if (deepest == &app) return suggest(fmt::format("unknown command '{}'", word), nearestCommand(word));
    const std::vector<std::string> names = nestedCommands(deepest);
    const std::vector<std::string_view> views(names.begin(), names.end());
    return suggest(fmt::format("unexpected word '{}'", word), core::nearestWord(word, views));
}

void defineGlobalOptions(CLI::App& app, CommandContext& context) {
    GlobalOptions& options = context.options();
    app.add_flag("--json", options.isJson, "Answer with exactly one JSON object on standard output");
    app.add_option("--library", options.library,
                   "Folder of runs and their index (default: $WHETBENCH_LIBRARY, else ~/.local/share/whetbench)")
        ->type_name("DIR");
    app.add_option("--device", options.device, "cpu, cuda or cuda:0 (default: the best one present)")
        ->type_name("NAME");
    app.add_option("--threads", options.threads, "Processor threads (default: every core)")
        ->type_name("N")
        ->check(CLI::Range(1, 1024).description(""));
    app.add_flag("--quiet", options.isQuiet, "Log errors only");
}

void defineApp(CLI::App& app, CommandContext& context) {
    app.name("whet");
    app.formatter(std::make_shared<HelpFormatter>());
    app.set_help_flag("-h,--help", "Show this help");
    app.set_version_flag(
        "--version", [] { return fmt::format("whet {}", core::engineVersion()); }, "Show the version");
    app.footer(std::string(kFooter));
    // Options of the program are understood after the command too.
    app.fallthrough();
    app.require_subcommand(0, 1);
    app.parse_complete_callback([&context] { setUpLogging(context.options()); });
    defineGlobalOptions(app, context);
    for (const CommandRow& row : commandTable()) {
        CLI::App* command = app.add_subcommand(std::string(row.name), std::string(row.summary));
        command->group(std::string(row.group));
        row.define(*command, context);
        // They would inherit the heading of their parent.
        for (CLI::App* nested : command->get_subcommands([](const CLI::App*) { return true; }))
            nested->group("Commands");
    }
}

int runCommandLine(int argc, char** argv, CommandContext& context) {
    CLI::App app{std::string(kDescription)};
    try {
        defineApp(app, context);
        app.parse(argc, argv);
        if (!app.get_subcommands().empty()) return 0;
        reportError(context, errorCodeName(ErrorCode::InvalidArgument), "no command given", "");
        fmt::print(stderr, "\n{}", app.help());
        return kUsage;
    } catch (const CLI::CallForVersion&) {
        context.print(fmt::format("whet {}\n", core::engineVersion()));
        context.printJson({{"version", core::engineVersion()}});
        return 0;
    } catch (const CLI::Success& request) {
        return app.exit(request);
    } catch (const CLI::ParseError& error) {
        const CLI::App* deepest = &app;
        const std::string path = commandPath(app, &deepest);
        reportError(context, errorCodeName(ErrorCode::InvalidArgument), usageMessage(error, app, deepest),
                    fmt::format("`{} --help` tells what it takes", path));
        return kUsage;
    } catch (const UsageError& error) {
        const CLI::App* deepest = &app;
        const std::string path = commandPath(app, &deepest);
        reportError(context, errorCodeName(error.code()), error.what(),
                    fmt::format("`{} --help` tells what it takes", path));
        return kUsage;
    }
}

}  // namespace
}  // namespace wb::app

int main(int argc, char** argv) {
    wb::app::restartWithShortSpin(argv);
    wb::app::CommandContext context;
    // Known before parsing, so that even a wrong command line is answered with an object.
    context.options().isJson = wb::app::wantsJson(argc, argv);
    try {
        return wb::app::runCommandLine(argc, argv, context);
    } catch (const wb::Error& error) {
        const bool isDefect = error.code() == wb::ErrorCode::Internal;
        wb::app::reportError(context, wb::errorCodeName(error.code()), error.what(),
                             isDefect ? "this is a defect of whet; please report it with the command line" : "");
    } catch (const std::bad_alloc&) {
        wb::app::reportError(context, wb::errorCodeName(wb::ErrorCode::OutOfMemory), "out of memory",
                             "`whet plan` shows what a recipe needs");
    } catch (const std::exception& error) {
        wb::app::reportError(context, wb::errorCodeName(wb::ErrorCode::Internal), error.what(),
                             "this is a defect of whet; please report it with the command line");
    }
    return wb::app::kFailed;
}
