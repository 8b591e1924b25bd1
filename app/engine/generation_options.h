// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <CLI/App.hpp>
#include <string>

#include "app/engine/model_host.h"
#include "inference/generation.h"

namespace wb::app {

inline constexpr const char* kAutoDtype = "auto";

// Adds --dtype to a command: how its models are held in memory.
void addDtypeOption(CLI::App& command, std::string& dtype);
// The types of a name; throws UsageError if there are none.
WeightTypes weightTypesOf(const std::string& dtype);

// The options of every command that generates.
struct GenerationArguments {
    std::string model;
    std::string adapter;
    std::string templateName;
    std::string attention = "auto";
    std::string dtype = kAutoDtype;
    std::string firstToken;
    inference::GenerationOptions generation;

    // Adds the options to a command. The object must outlive the command's callback.
    void addTo(CLI::App& command);
    // How models are held. Throws UsageError on another name than auto and those of kElementTypeNames.
    WeightTypes weightTypes() const;
    // Throws UsageError if the values contradict each other.
    void check() const;
    // The options for a model. An encoder-decoder's generation config decides the beam width and the penalties that the
    // user left open, as the published answers of such models are made with them. Throws UsageError if the first token
    // is none of the model's.
    inference::GenerationOptions optionsFor(const LoadedModel& loaded) const;

private:
    struct Given {
        const CLI::Option* numBeams = nullptr;
        const CLI::Option* lengthPenalty = nullptr;
        const CLI::Option* repetitionPenalty = nullptr;
    };
    Given m_given;
};

}  // namespace wb::app
