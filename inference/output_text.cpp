// SPDX-License-Identifier: Apache-2.0
#include "inference/output_text.h"

#include <fmt/format.h>
#include <algorithm>
#include <numeric>

namespace wb::inference {
namespace {

using core::TokenId;

// Position of the earliest stop string, npos if there is none.
size_t findStop(const std::string& text, const std::vector<std::string>& stops) {
    size_t earliest = std::string::npos;
    for (const std::string& stop : stops) {
        if (!stop.empty()) earliest = std::min(earliest, text.find(stop));
    }
    return earliest;
}

core::StreamDecoder decoderAfter(const core::Tokenizer& tokenizer, const std::vector<TokenId>& prompt) {
    core::StreamDecoder decoder(tokenizer);
    for (const TokenId id : prompt) decoder.push(id);
    return decoder;
}

}  // namespace

std::string GenerationOptions::describeSampler() const {
    if (numBeams <= 1) return sampler.describe() + rules.describe();
    std::string text = fmt::format("beam {}", numBeams);
    if (lengthPenalty != 1) text += fmt::format(", length penalty {:g}", lengthPenalty);
    if (stopsEarly) text += ", early stopping";
    if (sampler.repetitionPenalty != 1) text += fmt::format(", repetition penalty {:g}", sampler.repetitionPenalty);
    return text + rules.describe();
}

const char* finishReasonName(FinishReason reason) {
    switch (reason) {
        case FinishReason::None: return "none";
        case FinishReason::Stop: return "stop";
        case FinishReason::Length: return "length";
        case FinishReason::StopString: return "stop_string";
        case FinishReason::Cancelled: return "cancelled";
    }
    return "none";
}

OutputText::OutputText(const core::Tokenizer& tokenizer, const GenerationRequest& request)
    : m_options(request.options), m_decoder(decoderAfter(tokenizer, request.decoderPrompt)) {}

void OutputText::append(TokenId id, std::span<const float> logits) {
    const double logprob = logits[static_cast<size_t>(id)] - logSumExp(logits);
    m_output.ids.push_back(id);
    m_output.logprobs.push_back(logprob);
    m_output.score += logprob;
    if (m_options.topAlternatives > 0) m_output.top.push_back(topAlternatives(logits, m_options.topAlternatives));
    if (std::ranges::find(m_options.eosIds, id) != m_options.eosIds.end()) {
        m_output.pieces.emplace_back();
        finish(FinishReason::Stop);
        return;
    }
    m_output.pieces.push_back(m_decoder.push(id));
    m_output.text += m_output.pieces.back();
    if (cutAtStopString()) return;
    if (static_cast<int64_t>(m_output.ids.size()) >= m_options.maxNewTokens) finish(FinishReason::Length);
}

bool OutputText::cutAtStopString() {
    const size_t at = findStop(m_output.text, m_options.stop);
    if (at == std::string::npos) return false;
    m_output.text.resize(at);
    m_output.reason = FinishReason::StopString;
    return true;
}

void OutputText::finish(FinishReason reason) {
    if (isFinished()) return;
    m_output.reason = reason;
    const std::string rest = m_decoder.flush();
    if (rest.empty()) return;
    m_output.text += rest;
    m_output.pieces.back() += rest;
}

void fillText(const core::Tokenizer& tokenizer, const GenerationRequest& request, GenerationOutput& output) {
    const GenerationOptions& options = request.options;
    core::StreamDecoder decoder = decoderAfter(tokenizer, request.decoderPrompt);
    output.text.clear();
    output.pieces.clear();
    for (const TokenId id : output.ids) {
        const bool isEnd = std::ranges::find(options.eosIds, id) != options.eosIds.end();
        output.pieces.push_back(isEnd ? std::string() : decoder.push(id));
        output.text += output.pieces.back();
    }
    const std::string rest = decoder.flush();
    if (!rest.empty()) {
        output.text += rest;
        output.pieces.back() += rest;
    }
    const size_t at = findStop(output.text, options.stop);
    if (at == std::string::npos) return;
    output.text.resize(at);
    output.reason = FinishReason::StopString;
}

}  // namespace wb::inference
