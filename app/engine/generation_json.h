// SPDX-License-Identifier: Apache-2.0
// The JSON form of outputs, provenance and kernels, shared by the commands.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "app/engine/comparison.h"
#include "kernels/runtime/profiler.h"

namespace wb::app {

// Text that JSON can carry: bytes that are no UTF-8 become U+FFFD.
std::string validUtf8(const std::string& text);

nlohmann::ordered_json toJson(const core::Provenance& provenance);
nlohmann::ordered_json toJson(const inference::GenerationOutput& output);
nlohmann::ordered_json toJson(const std::vector<inference::GenerationOutput>& outputs);
nlohmann::ordered_json toJson(const std::vector<kernels::KernelSummary>& kernels);

}  // namespace wb::app
