// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <CLI/Formatter.hpp>
#include <string>
#include <vector>

namespace wb::app {

// Help in one fixed layout of 100 columns: usage, what it is for, arguments, options by group, commands by group.
class HelpFormatter : public CLI::Formatter {
public:
    HelpFormatter() { label("Positionals", "Arguments"); }

    std::string make_usage(const CLI::App* app, std::string name) const override;
    std::string make_description(const CLI::App* app) const override;
    std::string make_group(std::string group, bool isPositional,
                           std::vector<const CLI::Option*> options) const override;
    std::string make_option(const CLI::Option* option, bool isPositional) const override;
    std::string make_subcommand(const CLI::App* sub) const override;
    std::string make_footer(const CLI::App* app) const override;
    std::string make_help(const CLI::App* app, std::string name, CLI::AppFormatMode mode) const override;
    // CLI11 would print the options of every nested command here; each has its own --help.
    std::string make_expanded(const CLI::App* sub) const override { return make_subcommand(sub); }
};

}  // namespace wb::app
