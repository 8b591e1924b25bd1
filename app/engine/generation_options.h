// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <CLI/App.hpp>
#include <string>

#include "inference/generation.h"

namespace wb::app {

// The options of every command that generates.
struct GenerationArguments {
    std::string model;
    std::string adapter;
    std::string templateName;
    std::string attention = "auto";
    inference::GenerationOptions generation;

    // Adds the options to a command. The object must outlive the command's callback.
    void addTo(CLI::App& command);
    // Throws UsageError if the values contradict each other.
    void check() const;
};

}  // namespace wb::app
