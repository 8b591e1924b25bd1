// SPDX-License-Identifier: Apache-2.0
#include "adapters/export/certificate.h"

#include "kernels/base/error.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

namespace wb::adapters {
namespace {

size_t argmax(std::span<const float> logits) {
    return static_cast<size_t>(std::ranges::max_element(logits) - logits.begin());
}

// Rounding of stored weights moves logits by about their own relative precision; these leave a factor of some ten.
double relativeTolerance(DType storedDtype) {
    return storedDtype == DType::F32 ? 1e-4 : 5e-2;
}

core::PackedInput packWhole(const kernels::Context& context, std::span<const core::TokenId> ids) {
    const std::vector<int32_t> bounds{0, static_cast<int32_t>(ids.size())};
    return core::packInput(context, ids, core::positionsOf(bounds), bounds);
}

struct Pass {
    core::PackedInput input;
    int64_t count = 0;  // rows
};

// A decoder reads prompt and answer; the decoder of an encoder-decoder its start token and the answer.
Pass passOf(const kernels::Context& context, const core::LanguageModel& model, const ReplaySequence& sequence) {
    const std::span<const core::TokenId> ids = sequence.ids;
    if (!model.isEncoderDecoder()) return {packWhole(context, ids), static_cast<int64_t>(ids.size())};
    std::vector<core::TokenId> answer{model.config().decoderStart()};
    const auto rest = ids.subspan(sequence.promptLength);
    answer.insert(answer.end(), rest.begin(), rest.end());
    Pass pass{packWhole(context, answer), static_cast<int64_t>(answer.size())};
    pass.input.source = std::make_shared<core::PackedInput>(packWhole(context, ids.first(sequence.promptLength)));
    return pass;
}

}  // namespace

std::vector<std::vector<float>> replayLogits(const kernels::Context& context, const ReplayedModel& replayed,
                                             std::span<const ReplaySequence> sequences) {
    std::vector<std::vector<float>> logits;
    for (const ReplaySequence& sequence : sequences) {
        const Pass pass = passOf(context, replayed.model, sequence);
        std::vector<core::AdapterRows> rows;
        if (replayed.adapter >= 0) rows.push_back({.begin = 0, .end = pass.count, .adapter = replayed.adapter});
        const core::Context recording{context, nullptr, nullptr, rows};
        const core::Var hidden = replayed.model.forward(recording, pass.input);
        std::vector<float> found = core::toFloats(context, replayed.model.logits(context, hidden.value, rows));
        const size_t missing = sequence.ids.size() - static_cast<size_t>(pass.count);
        const size_t vocabulary = found.size() / static_cast<size_t>(pass.count);
        found.insert(found.begin(), missing * vocabulary, 0.0F);
        logits.push_back(std::move(found));
    }
    return logits;
}

Certificate compareReplays(std::span<const ReplaySequence> sequences, const std::vector<std::vector<float>>& original,
                           const std::vector<std::vector<float>>& reloaded, DType storedDtype) {
    Certificate certificate;
    certificate.prompts = static_cast<int64_t>(sequences.size());
    double largest = 0;
    int64_t agreed = 0;
    for (size_t s = 0; s < sequences.size(); ++s) {
        WB_CHECK(original[s].size() == reloaded[s].size(), "both models have the same vocabulary");
        for (size_t i = 0; i < original[s].size(); ++i) {
            const double error = std::abs(static_cast<double>(original[s][i]) - reloaded[s][i]);
            // A NaN must not pass as "no larger than".
            certificate.maxLogitError =
                error > certificate.maxLogitError || std::isnan(error) ? error : certificate.maxLogitError;
            largest = std::max(largest, std::abs(static_cast<double>(original[s][i])));
        }
        const size_t length = sequences[s].ids.size();
        const size_t vocabulary = original[s].size() / length;
        for (size_t t = std::max<size_t>(sequences[s].promptLength, 1) - 1; t < length; ++t) {
            const auto row = [&](const std::vector<float>& logits) {
                return std::span(logits).subspan(t * vocabulary, vocabulary);
            };
            agreed += argmax(row(original[s])) == argmax(row(reloaded[s])) ? 1 : 0;
            ++certificate.positions;
        }
    }
    certificate.tolerance = relativeTolerance(storedDtype) * largest;
    certificate.tokenAgreement =
        certificate.positions == 0 ? 0 : static_cast<double>(agreed) / static_cast<double>(certificate.positions);
    // An infinite logit would allow any error.
    certificate.isOk = certificate.positions > 0 && std::isfinite(certificate.tolerance) &&
                       certificate.maxLogitError <= certificate.tolerance && certificate.tokenAgreement == 1;
    return certificate;
}

std::string certificateJson(const Certificate& certificate) {
    nlohmann::ordered_json json{{"ok", certificate.isOk},
                                {"format", certificate.format},
                                {"max_logit_error", certificate.maxLogitError},
                                {"tolerance", certificate.tolerance},
                                {"token_agreement", certificate.tokenAgreement},
                                {"prompts", certificate.prompts},
                                {"positions", certificate.positions},
                                {"base_hash", certificate.baseHash},
                                {"adapter_hash", certificate.adapterHash},
                                {"exported_hash", certificate.exportedHash}};
    if (!certificate.storedType.empty()) {
        json["stored_type"] = certificate.storedType;
        json["rounding_error"] = certificate.roundingError;
        json["rounding_agreement"] = certificate.roundingAgreement;
    }
    return json.dump(2) + "\n";
}

}  // namespace wb::adapters
