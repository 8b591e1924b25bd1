// SPDX-License-Identifier: Apache-2.0
#include "inference/decode_strategy.h"

namespace wb::inference {

std::vector<core::TokenId> historyOf(const GenerationRequest& request, const std::vector<core::TokenId>& output) {
    std::vector<core::TokenId> history = request.decoderPrompt;
    history.insert(history.end(), output.begin(), output.end());
    return history;
}

TokenPlace placeOf(const GenerationRequest& request, const std::vector<core::TokenId>& history) {
    return {.before = history,
            .source = request.promptIds,
            .newTokens = static_cast<int64_t>(history.size() - request.decoderPrompt.size()),
            .maxNewTokens = request.options.maxNewTokens,
            .eosIds = request.options.eosIds};
}

}  // namespace wb::inference
