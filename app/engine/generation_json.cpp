// SPDX-License-Identifier: Apache-2.0
#include "app/engine/generation_json.h"

#include <nlohmann/json.hpp>

#include "core/text/utf8.h"

namespace wb::app {

using Json = nlohmann::ordered_json;

std::string validUtf8(const std::string& text) {
    return core::replaceInvalidUtf8(text);
}

Json toJson(const core::Provenance& provenance) {
    return {{"model_hash", provenance.modelHash},
            {"weights", provenance.weights},
            {"adapter_hash", provenance.adapterHash.empty() ? Json(nullptr) : Json(provenance.adapterHash)},
            {"sampler", provenance.sampler},
            {"seed", provenance.seed}};
}

Json toJson(const inference::GenerationOutput& output) {
    return {{"text", validUtf8(output.text)},
            {"token_ids", output.ids},
            {"logprobs", output.logprobs},
            {"score", output.score},
            {"finish_reason", inference::finishReasonName(output.reason)}};
}

Json toJson(const std::vector<inference::GenerationOutput>& outputs) {
    Json json = Json::array();
    for (const inference::GenerationOutput& output : outputs) json.push_back(toJson(output));
    return json;
}

Json toJson(const std::vector<kernels::KernelSummary>& kernels) {
    Json json = Json::array();
    for (const kernels::KernelSummary& row : kernels) {
        json.push_back({{"name", row.name},
                        {"backend", row.backend},
                        {"reason", row.reason},
                        {"calls", row.calls},
                        {"seconds", row.seconds},
                        {"flops", row.flops},
                        {"bytes", row.bytes}});
    }
    return json;
}

}  // namespace wb::app
