// SPDX-License-Identifier: Apache-2.0
#include "app/engine/help_formatter.h"

#include <fmt/format.h>

#include <CLI/App.hpp>
#include <algorithm>
#include <string_view>

namespace wb::app {
namespace {

constexpr size_t kWidth = 100;
constexpr size_t kTextColumn = 34;

// `left` in its column, `text` broken at spaces to the right of it.
std::string twoColumns(const std::string& left, std::string_view text) {
    std::string out = "  " + left;
    const std::string indent(kTextColumn, ' ');
    if (out.size() + 2 > kTextColumn && !text.empty()) {
        out += "\n" + indent;
    } else {
        out.resize(std::max(out.size(), kTextColumn), ' ');
    }
    while (!text.empty()) {
        constexpr size_t kRoom = kWidth - kTextColumn;
        size_t length = text.size();
        if (length > kRoom) {
            length = text.rfind(' ', kRoom);
            if (length == std::string_view::npos) length = std::min(text.size(), text.find(' '));
        }
        out += text.substr(0, length);
        text.remove_prefix(std::min(text.size(), length + 1));
        if (!text.empty()) out += "\n" + indent;
    }
    while (!out.empty() && out.back() == ' ') out.pop_back();
    return out + "\n";
}

// What CLI11 knows of an option's values: "INT:INT in [1 - 256]", "TEXT:{lora,full}", "FILE:FILE", "RUN".
struct ValueType {
    std::string word;   // "N", "lora|full", "FILE"
    std::string range;  // "1 to 256", empty if there is none
};

ValueType readType(const std::string& type) {
    const size_t colon = type.find(':');
    ValueType value{type.substr(0, colon), {}};
    std::string check = colon == std::string::npos ? std::string() : type.substr(colon + 1);
    if (check.starts_with('{') && check.ends_with('}')) {
        value.word = check.substr(1, check.size() - 2);
        std::replace(value.word.begin(), value.word.end(), ',', '|');
        return value;
    }
    if (value.word == "INT" || value.word == "UINT") value.word = "N";
    if (value.word == "FLOAT") value.word = "X";
    const size_t open = check.find('[');
    const size_t dash = check.find(" - ");
    if (open != std::string::npos && dash != std::string::npos)
        value.range =
            check.substr(open + 1, dash - open - 1) + " to " + check.substr(dash + 3, check.size() - dash - 4);
    return value;
}

}  // namespace

std::string HelpFormatter::make_usage(const CLI::App* app, std::string name) const {
    std::string usage = "Usage: " + (name.empty() ? app->get_name() : name);
    const bool hasOptions = !app->get_options([](const CLI::Option* o) { return o->nonpositional(); }).empty();
    for (const CLI::Option* option : app->get_options([](const CLI::Option* o) { return o->get_positional(); })) {
        const std::string word = option->get_type_name().empty() ? option->get_name(true) : option->get_type_name();
        const std::string repeated = option->get_expected_max() > 1 ? "..." : "";
        usage += option->get_required() ? fmt::format(" {}{}", word, repeated) : fmt::format(" [{}{}]", word, repeated);
    }
    if (!app->get_subcommands([](const CLI::App*) { return true; }).empty()) usage += " COMMAND";
    if (hasOptions) usage += " [OPTIONS]";
    return usage + "\n";
}

std::string HelpFormatter::make_description(const CLI::App* app) const {
    const std::string text = app->get_description();
    return text.empty() ? std::string() : text + (text.back() == '.' ? "\n\n" : ".\n\n");
}

std::string HelpFormatter::make_group(std::string group, bool isPositional,
                                      std::vector<const CLI::Option*> options) const {
    std::string text = group + ":\n";
    for (const CLI::Option* option : options) text += make_option(option, isPositional);
    return text;
}

std::string HelpFormatter::make_option(const CLI::Option* option, bool isPositional) const {
    const ValueType type = option->get_type_size() == 0 ? ValueType{} : readType(option->get_type_name());
    if (isPositional)
        return twoColumns(type.word.empty() ? option->get_name(true) : type.word, option->get_description());
    std::string left = option->get_name(false, true);
    // CLI11 writes "--a,!--b" for a flag and its negation.
    for (size_t at = left.find(','); at != std::string::npos; at = left.find(',', at + 2)) left.replace(at, 1, ", ");
    if (!type.word.empty()) left += " " + type.word;
    std::string text = option->get_description();
    if (!type.range.empty()) text += fmt::format(" ({})", type.range);
    if (option->get_required()) text += " (required)";
    if (!option->get_default_str().empty()) text += fmt::format(" (default: {})", option->get_default_str());
    return twoColumns(left, text);
}

std::string HelpFormatter::make_subcommand(const CLI::App* sub) const {
    return twoColumns(sub->get_name(), sub->get_description());
}

std::string HelpFormatter::make_footer(const CLI::App* app) const {
    // Commands inherit the footer of whet, where it belongs.
    const std::string& own = app->get_footer();
    const bool isInherited = app->get_parent() != nullptr && own == app->get_parent()->get_footer();
    return own.empty() || isInherited ? std::string() : own + "\n";
}

std::string HelpFormatter::make_help(const CLI::App* app, std::string name, CLI::AppFormatMode mode) const {
    if (mode == CLI::AppFormatMode::Sub) return make_expanded(app);
    std::string fullName = app->get_name();
    for (const CLI::App* parent = app->get_parent(); parent != nullptr; parent = parent->get_parent()) {
        fullName = parent->get_name() + " " + fullName;
    }
    (void)name;
    std::string help = make_description(app) + make_usage(app, fullName);
    const std::string arguments = make_positionals(app);
    if (!arguments.empty()) help += "\n" + arguments;
    if (app->get_parent() == nullptr) {
        help += make_subcommands(app, mode) + "\n" + make_groups(app, mode);
    } else {
        help += "\n" + make_groups(app, mode) + make_subcommands(app, mode);
        help += "\nOptions of whet itself (--json, --library, --device, --threads, --quiet): `whet --help`\n";
    }
    return help + make_footer(app);
}

}  // namespace wb::app
