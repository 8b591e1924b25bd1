// SPDX-License-Identifier: Apache-2.0
#include "training/sample_prompts.h"

#include "core/model/architectures/architectures.h"
#include "core/text/answer_frame.h"
#include "core/text/span_encoding.h"
#include "inference/generation_session.h"

#include <algorithm>

namespace wb::training {
namespace {

// Tokens of running text that a sample starts from.
constexpr size_t kTextPromptTokens = 16;

// Whether prompt and answer have positions: in one sequence, or each on its own side of an encoder-decoder.
bool leavesRoom(const TrainingSetup& setup, int64_t promptLength) {
    const int64_t answer = setup.recipe.sampleMaxNewTokens;
    const std::optional<int64_t> limit = core::positionLimitOf(setup.config);
    if (!limit) return true;
    return setup.config.isEncoderDecoder ? promptLength <= *limit && answer < *limit : promptLength + answer <= *limit;
}

std::vector<SamplePrompt> rowPrompts(const TrainingSetup& setup) {
    const ObjectiveData& data = setup.data;
    const DataSplit& split = data.prepared.split;
    const std::vector<int32_t>& rows = split.validation.empty() ? split.train : split.validation;
    const core::SpanEncoder encoder(*setup.tokenizer);
    std::vector<SamplePrompt> prompts;
    for (const int32_t row : rows) {
        if (static_cast<int64_t>(prompts.size()) >= setup.recipe.samplePrompts) break;
        const Example& example = data.dataset.examples[static_cast<size_t>(row)];
        const core::RenderedChat prompt = renderExamplePrompt(data.dataset, example, *data.promptTemplate);
        SamplePrompt sample{prompt.text, responseText(data.dataset, example, *data.promptTemplate),
                            encoder.encodePrompt(prompt, core::promptReaderOf(setup.config)).ids};
        const auto length = static_cast<int64_t>(sample.ids.size());
        if (length == 0 || !leavesRoom(setup, length)) continue;
        prompts.push_back(std::move(sample));
    }
    return prompts;
}

std::vector<SamplePrompt> textPrompts(const TrainingSetup& setup) {
    const SequenceSet& windows =
        setup.data.prepared.validation.size() > 0 ? setup.data.prepared.validation : setup.data.prepared.train;
    std::vector<SamplePrompt> prompts;
    const size_t count = std::min(windows.size(), static_cast<size_t>(setup.recipe.samplePrompts));
    for (size_t i = 0; i < count; ++i) {
        // Spread over the windows: neighbours tell the same story.
        const auto window = static_cast<int32_t>(i * windows.size() / count);
        const PackedBatch batch = windows.pack(std::span(&window, 1));
        const size_t length = std::min(kTextPromptTokens, batch.ids.size());
        std::vector<core::TokenId> ids(batch.ids.begin(), batch.ids.begin() + static_cast<std::ptrdiff_t>(length));
        if (!leavesRoom(setup, static_cast<int64_t>(length))) continue;
        prompts.push_back({setup.tokenizer->decode(ids), {}, std::move(ids)});
    }
    return prompts;
}

}  // namespace

std::vector<SamplePrompt> samplePrompts(const TrainingSetup& setup) {
    return setup.data.promptTemplate && !setup.data.prepared.split.train.empty() ? rowPrompts(setup)
                                                                                 : textPrompts(setup);
}

inference::GenerationRequest sampleRequest(const SamplePrompt& prompt, const TuningModel& tuning,
                                           const TrainingSetup& setup) {
    inference::GenerationRequest request{.promptIds = prompt.ids, .adapter = tuning.adapterIndex(), .options = {}};
    request.options.maxNewTokens = setup.recipe.sampleMaxNewTokens;
    if (setup.data.promptTemplate) request.options.stop = setup.data.promptTemplate->stopStrings();
    request.options.eosIds = setup.config.eosTokenIds;
    request.options.rules = setup.rules;
    return request;
}

std::vector<GeneratedSample> generateSamples(TuningModel& tuning, const TrainingSetup& setup,
                                             const std::function<bool()>& isCancelled) {
    const std::vector<SamplePrompt> prompts = samplePrompts(setup);
    std::vector<inference::GenerationRequest> requests;
    for (const SamplePrompt& prompt : prompts) requests.push_back(sampleRequest(prompt, tuning, setup));
    std::vector<GeneratedSample> samples;
    if (requests.empty()) return samples;
    inference::GenerationSession session(tuning.context(), tuning.model(), *setup.tokenizer, std::move(requests));
    session.run(isCancelled);
    for (size_t i = 0; i < prompts.size(); ++i) {
        const inference::GenerationOutput output = session.result(i).outputs.front();
        if (output.reason == inference::FinishReason::Cancelled) break;
        samples.push_back({prompts[i], output.text});
    }
    return samples;
}

}  // namespace wb::training
