// SPDX-License-Identifier: Apache-2.0
#include "training/checkpoint_certificate.h"

#include "adapters/peft.h"
#include "inference/generation_session.h"
#include "kernels/runtime/runtime.h"
#include "training/memory_plan.h"
#include "training/sample_prompts.h"
#include "training/training_checkpoint.h"

namespace wb::training {
namespace {

// The prompts with the greedy answers of the model in memory.
std::vector<adapters::ReplaySequence> answeredPrompts(TuningModel& tuning, const TrainingSetup& setup) {
    std::vector<adapters::ReplaySequence> sequences;
    std::vector<inference::GenerationRequest> requests;
    for (const SamplePrompt& prompt : samplePrompts(setup)) {
        sequences.push_back({prompt.ids, prompt.ids.size()});
        requests.push_back(sampleRequest(prompt, tuning, setup));
    }
    if (requests.empty()) return sequences;
    inference::GenerationSession session(tuning.context(), tuning.model(), *setup.tokenizer, std::move(requests));
    session.run();
    for (size_t i = 0; i < sequences.size(); ++i) {
        const inference::GenerationResult result = session.result(i);
        const std::vector<core::TokenId>& answer = result.outputs.front().ids;
        sequences[i].ids.insert(sequences[i].ids.end(), answer.begin(), answer.end());
    }
    return sequences;
}

// The adapter's files on the same base, under the next index.
std::vector<std::vector<float>> replayAdapter(TuningModel& tuning, const std::filesystem::path& checkpoint,
                                              const std::vector<adapters::ReplaySequence>& sequences) {
    const auto reloaded = adapters::loadPeftAdapter(tuning.context(), tuning.model(), adapterFolderOf(checkpoint));
    const int32_t index = tuning.adapterIndex() + 1;
    reloaded->attach(index);
    return adapters::replayLogits(tuning.context(), {tuning.model(), index}, sequences);
}

// The checkpoint as a model of its own, outside the memory that the run accounts for.
std::vector<std::vector<float>> replayModel(const TuningModel& tuning, const std::filesystem::path& checkpoint,
                                            const std::vector<adapters::ReplaySequence>& sequences) {
    kernels::Runtime runtime({.device = tuning.context().device,
                              .numThreads = tuning.context().numThreads,
                              .attention = tuning.context().attention,
                              .memoryLimitBytes = std::nullopt});
    const core::ModelSource source = core::ModelSource::open(checkpoint);
    core::LanguageModel model(runtime.context(), source.config(), tuning.dtype());
    core::loadWeights(runtime.context(), model, source);
    return adapters::replayLogits(runtime.context(), {model, -1}, sequences);
}

}  // namespace

std::optional<adapters::Certificate> certifyCheckpoint(TuningModel& tuning, const TrainingSetup& setup,
                                                       const std::filesystem::path& checkpoint) {
    const bool isAdapter = tuning.adapter() != nullptr;
    const auto modelBytes =
        static_cast<int64_t>(dtypeBytes(tuning.dtype(), static_cast<size_t>(tuning.parameterCount())));
    if (!isAdapter && 2 * modelBytes > availableMemory(tuning.context().device)) return std::nullopt;
    const std::vector<adapters::ReplaySequence> sequences = answeredPrompts(tuning, setup);
    if (sequences.empty()) return std::nullopt;
    const auto original = adapters::replayLogits(tuning.context(), {tuning.model(), tuning.adapterIndex()}, sequences);
    const auto reloaded =
        isAdapter ? replayAdapter(tuning, checkpoint, sequences) : replayModel(tuning, checkpoint, sequences);
    adapters::Certificate certificate = adapters::compareReplays(sequences, original, reloaded, tuning.dtype());
    certificate.format = isAdapter ? "peft" : "safetensors";
    certificate.baseHash = setup.source ? setup.source->weightHash() : std::string();
    certificate.exportedHash = isAdapter ? adapters::hashPeftFolder(adapterFolderOf(checkpoint))
                                         : core::ModelSource::open(checkpoint).weightHash();
    if (isAdapter) certificate.adapterHash = adapters::hashAdapter(tuning.context(), *tuning.adapter());
    return certificate;
}

}  // namespace wb::training
