// SPDX-License-Identifier: Apache-2.0
#include "app/engine/command_context.h"

#include <fmt/format.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "core/library/library_folder.h"

namespace wb::app {
namespace {

// no-color.org: any non-empty value.
bool isColorRefused() {
    const char* value = std::getenv("NO_COLOR");
    return value != nullptr && *value != '\0';
}

std::string textOf(const nlohmann::ordered_json& json, int indent) {
    return json.dump(indent, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

void writeOut(std::string_view text) {
    if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() || std::fflush(stdout) != 0) {
        throw Error{ErrorCode::Io, "cannot write to standard output"};
    }
}

}  // namespace

std::filesystem::path CommandContext::libraryFolder() const {
    return core::resolveLibraryFolder(m_options.library);
}

void CommandContext::print(std::string_view text) const {
    if (!isJson()) writeOut(text);
}

void CommandContext::printProgress(const nlohmann::ordered_json& event) {
    if (!isJson()) return;
    m_hasProgress = true;
    writeOut(textOf(event, -1));
}

void CommandContext::printJson(const nlohmann::ordered_json& answer) {
    if (!isJson()) return;
    WB_CHECK(!m_hasAnswered, "a command answers --json once");
    m_hasAnswered = true;
    writeOut(textOf(answer, m_hasProgress ? -1 : 2));
}

bool CommandContext::useColor() const {
    return !isColorRefused() && ::isatty(STDOUT_FILENO) == 1;
}

std::string CommandContext::bold(std::string_view text) const {
    return useColor() ? fmt::format("\033[1m{}\033[0m", text) : std::string(text);
}

void setUpLogging(const GlobalOptions& options) {
    const auto mode = isColorRefused() ? spdlog::color_mode::never : spdlog::color_mode::automatic;
    auto logger = std::make_shared<spdlog::logger>("whet", std::make_shared<spdlog::sinks::stderr_color_sink_mt>(mode));
    logger->set_pattern("%^%l%$: %v");
    logger->set_level(options.isQuiet ? spdlog::level::err : spdlog::level::info);
    spdlog::set_default_logger(std::move(logger));
}

std::string bytesText(int64_t bytes) {
    constexpr const char* kUnits[] = {"kB", "MB", "GB", "TB", "PB", "EB"};
    if (std::abs(bytes) < 1000) return fmt::format("{} bytes", bytes);
    double value = static_cast<double>(bytes);
    size_t unit = 0;
    for (value /= 1000.0; std::abs(value) >= 999.5 && unit + 1 < std::size(kUnits); ++unit) value /= 1000.0;
    return std::abs(value) < 9.95 ? fmt::format("{:.1f} {}", value, kUnits[unit])
                                  : fmt::format("{:.0f} {}", value, kUnits[unit]);
}

std::string durationText(double seconds) {
    if (!(seconds >= 0.0)) return "unknown";
    if (seconds < 59.95) return fmt::format("{:.1f} s", seconds);
    const auto whole = static_cast<int64_t>(std::llround(seconds));
    if (whole < 3600) return fmt::format("{} min {:02} s", whole / 60, whole % 60);
    return fmt::format("{} h {:02} min", whole / 3600, whole % 3600 / 60);
}

}  // namespace wb::app
