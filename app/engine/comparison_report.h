// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "app/engine/comparison.h"
#include "kernels/runtime/profiler.h"

namespace wb::app {

struct ComparedPrompt {
    ModelPrompt prompt;
    std::vector<PaneResult> panes;
};

struct Comparison {
    std::vector<std::string> paneNames;
    std::vector<ComparedPrompt> prompts;
    std::vector<kernels::KernelSummary> kernels;
};

// The object that `whet compare --json` prints.
nlohmann::ordered_json comparisonJson(const Comparison& comparison);

// A self-contained page: panes side by side, the tokens coloured by probability, the first divergence and the
// differences marked, provenance, timings and the kernel table. Light and dark follow the reader's system.
std::string comparisonHtml(const Comparison& comparison);

}  // namespace wb::app
