// SPDX-License-Identifier: Apache-2.0
#include "app/engine/doctor_command.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sqlite3.h>
#include <unistd.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "app/engine/gpu_report.h"
#include "core/run/machine.h"
#include "core/run/run_folder.h"
#include "core/run/version.h"

namespace wb::app {
namespace {

struct LibraryCheck {
    std::string folder;
    bool exists = false;
    bool isWritable = false;
    int64_t freeBytes = 0;
    size_t runs = 0;
    std::string problem;
};

// Looks without creating anything: the nearest folder that exists decides whether the library could be made.
LibraryCheck checkLibrary(const CommandContext& context) {
    LibraryCheck check;
    try {
        const std::filesystem::path folder = context.libraryFolder();
        check.folder = folder.string();
        std::error_code error;
        check.exists = std::filesystem::is_directory(folder, error);
        std::filesystem::path place = folder;
        while (!std::filesystem::exists(place, error) && place.has_relative_path()) place = place.parent_path();
        check.isWritable = std::filesystem::is_directory(place, error) && ::access(place.c_str(), W_OK | X_OK) == 0;
        const auto space = std::filesystem::space(place, error);
        if (!error) check.freeBytes = static_cast<int64_t>(space.available);
        check.runs = core::RunFolder::list(folder).size();
        if (!check.isWritable) check.problem = fmt::format("{} is not writable: give --library DIR", place.string());
    } catch (const Error& error) {
        check.problem = error.what();
    }
    return check;
}

std::string compilerText() {
#if defined(__clang__)
    return fmt::format("clang {}.{}.{}", __clang_major__, __clang_minor__, __clang_patchlevel__);
#else
    return fmt::format("gcc {}.{}.{}", __GNUC__, __GNUC_MINOR__, __GNUC_PATCHLEVEL__);
#endif
}

std::string buildText() {
#ifdef NDEBUG
    return "release";
#else
    return "debug";
#endif
}

std::string textReport(const core::MachineInfo& machine, const GpuReport& gpus, const LibraryCheck& library) {
    const std::string state = library.exists
                                  ? fmt::format("{} runs, {} free", library.runs, bytesText(library.freeBytes))
                                  : "will be made by the first run";
    std::string text;
    const auto line = [&text](std::string_view name, std::string_view value) {
        text += fmt::format("{:<11}{}\n", name, value);
    };
    line("whet", fmt::format("{} ({}, {})", core::engineVersion(), buildText(), compilerText()));
    line("system", machine.system);
    line("processor", fmt::format("{}, {} {}", machine.cpuModel, machine.cores, machine.cores == 1 ? "core" : "cores"));
    line("flags", fmt::format("{}", fmt::join(machine.cpuFlags, " ")));
    line("memory", fmt::format("{}, {} available", bytesText(machine.memoryTotal), bytesText(machine.memoryAvailable)));
    for (const auto& [name, value] : gpus.lines()) line(name, value);
    line("library", library.folder.empty() ? library.problem : fmt::format("{} ({})", library.folder, state));
    line("SQLite", sqlite3_libversion());
    if (!library.problem.empty() && !library.folder.empty()) line("problem", library.problem);
    return text;
}

nlohmann::ordered_json jsonReport(const core::MachineInfo& machine, const GpuReport& gpus,
                                  const LibraryCheck& library) {
    return {
        {"version", core::engineVersion()},
        {"build", buildText()},
        {"compiler", compilerText()},
        {"system", machine.system},
        {"host", machine.host},
        {"cpu", {{"model", machine.cpuModel}, {"cores", machine.cores}, {"flags", machine.cpuFlags}}},
        {"memory", {{"total_bytes", machine.memoryTotal}, {"available_bytes", machine.memoryAvailable}}},
        {"gpu", gpus.json()},
        {"library",
         {{"folder", library.folder},
          {"exists", library.exists},
          {"writable", library.isWritable},
          {"free_bytes", library.freeBytes},
          {"runs", library.runs}}},
        {"sqlite", sqlite3_libversion()},
        {"ok", library.problem.empty()},
        {"problem", library.problem},
    };
}

}  // namespace

void defineDoctor(CLI::App& command, CommandContext& context) {
    command.callback([&context] {
        const core::MachineInfo machine = core::probeMachine();
        const GpuReport gpus = examineGpus();
        const LibraryCheck library = checkLibrary(context);
        context.print(textReport(machine, gpus, library));
        context.printJson(jsonReport(machine, gpus, library));
    });
}

}  // namespace wb::app
