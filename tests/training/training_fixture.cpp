// SPDX-License-Identifier: Apache-2.0
#include "tests/training/training_fixture.h"

#include "core/model/model_folder_writer.h"
#include "core/model/weights.h"
#include "training/setup.h"

#include <fmt/format.h>
#include <array>
#include <bit>

namespace wb::test {
namespace {

namespace fs = std::filesystem;

core::ModelConfig benchConfig(int64_t hidden) {
    core::ModelConfig config;
    config.modelType = "llama";
    config.hiddenSize = hidden;
    config.intermediateSize = hidden / 2 * 3;
    config.numLayers = 2;
    config.numHeads = 4;
    config.numKvHeads = 2;
    config.headDim = hidden / 4;
    config.vocabularySize = 6144;
    config.maxPositions = 160;
    config.normEps = 1e-5;
    config.tieWordEmbeddings = true;
    config.initializerRange = 0.05;
    config.bosTokenId = 1;
    config.eosTokenIds = {2};
    return config;
}

}  // namespace

kernels::Runtime trainingRuntime(Device device) {
    return kernels::Runtime({.device = device,
                             .numThreads = 1,
                             .attention = kernels::AttentionBackend::Auto,
                             .memoryLimitBytes = std::nullopt});
}

TrainingBench::TrainingBench(int64_t hidden) {
    const fs::path bundled = fs::path(WHETBENCH_SOURCE_DIR) / "resources/models/pocket";
    const std::vector<fs::path> companions{bundled / "tokenizer.model", bundled / "tokenizer_config.json"};
    fs::create_directories(modelFolder());
    kernels::Runtime runtime = trainingRuntime();
    core::LanguageModel model(runtime.context(), benchConfig(hidden), DType::F32);
    core::initialiseWeights(runtime.context(), model, 3);
    core::writeModelFolder(runtime.context(), model, companions, modelFolder());
    writeRows("rows.jsonl", 0, 64);
}

fs::path TrainingBench::writeRows(const std::string& name, int first, int count, std::string_view completion) const {
    static constexpr std::array kNames{"Ada", "Ben", "Cleo", "Dan", "Eve", "Finn", "Gus"};
    static constexpr std::array kJobs{"baker", "sailor", "teacher", "gardener", "smith"};
    static constexpr std::array kTowns{"Rome", "Oslo", "Lima"};
    std::string text;
    for (int i = first; i < first + count; ++i) {
        const auto n = static_cast<size_t>(i);
        const auto* who = kNames[n % kNames.size()];
        const auto* job = kJobs[n % kJobs.size()];
        const auto* town = kTowns[n % kTowns.size()];
        const std::string extra = i % 4 == 0 ? fmt::format(" and has {} cats", 2 + i % 7) : "";
        text += fmt::format("{{\"prompt\": \"name: {} | job: {} | town: {}\", \"completion\": \"{}{}.\"}}\n", who, job,
                            town, fmt::format(fmt::runtime(completion), who, job, town), extra);
    }
    writeText(m_folder / name, text);
    return m_folder / name;
}

core::Recipe TrainingBench::recipe() const {
    core::Recipe recipe;
    recipe.model = modelFolder().string();
    recipe.data = (m_folder / "rows.jsonl").string();
    recipe.templateName = "plain";
    recipe.method = core::TuneMethod::Full;
    recipe.maxLength = 64;
    recipe.epochs = 2;
    recipe.batchSize = 8;
    recipe.learningRate = 3e-3;
    recipe.samplePrompts = 2;
    recipe.sampleMaxNewTokens = 4;
    recipe.device = "cpu";
    recipe.threads = 1;
    return recipe;
}

core::Recipe TrainingBench::loraRecipe() const {
    core::Recipe lora = recipe();
    lora.method = core::TuneMethod::Lora;
    lora.loraRank = 4;
    lora.loraAlpha = 8;
    lora.loraDropout = 0.2;
    lora.learningRate = 1e-2;
    return lora;
}

core::RunFolder TrainingBench::create(const core::Recipe& recipe) const {
    return core::RunFolder::create(m_folder / "library", recipe);
}

training::TrainOutcome trainRun(const core::RunFolder& run, const Sitting& sitting) {
    const core::RunLock lock(run);
    kernels::Runtime runtime = trainingRuntime(sitting.device);
    runtime.allocator().failAfter(sitting.failAllocation);
    std::atomic<bool> ownStop{false};
    std::atomic<bool>& stop = sitting.stop != nullptr ? *sitting.stop : ownStop;
    training::Trainer trainer(runtime, training::prepareTraining(run.recipe(), 1), run, stop,
                              [&](const core::Event& event) {
                                  if (sitting.onEvent) sitting.onEvent(event);
                                  const auto* step = std::get_if<core::StepDone>(&event.body);
                                  if (step == nullptr) return;
                                  if (step->step == sitting.stopAfterStep) stop = true;
                                  if (step->step == sitting.crashAfterStep) throw CrashForTest{};
                              });
    return trainer.run();
}

int64_t RunRecord::repeatedSteps() const {
    int64_t count = 0;
    for (const auto& [step, bits] : lossBits) count += static_cast<int64_t>(bits.size()) - 1;
    return count;
}

RunRecord recordOf(const core::RunFolder& run) {
    RunRecord record;
    for (const core::Event& event : core::readEvents(run.eventsPath())) {
        if (const auto* step = std::get_if<core::StepDone>(&event.body)) {
            record.lossBits[step->step].push_back(std::bit_cast<uint32_t>(step->loss));
        } else if (const auto* evaluated = std::get_if<core::Evaluated>(&event.body)) {
            record.evaluations[evaluated->step].push_back(std::bit_cast<uint32_t>(evaluated->loss));
        } else if (const auto* sample = std::get_if<core::SampleMade>(&event.body)) {
            record.samples.push_back(fmt::format("{} {} {}", sample->step, sample->index, sample->text));
        } else if (const auto* warning = std::get_if<core::WarningRaised>(&event.body)) {
            record.warnings.push_back(warning->message + " " + warning->hint);
        } else if (const auto* error = std::get_if<core::ErrorRaised>(&event.body)) {
            record.errors.push_back(error->code);
        } else if (const auto* state = std::get_if<core::StateChanged>(&event.body)) {
            record.states.push_back(state->state);
        } else if (const auto* saved = std::get_if<core::CheckpointSaved>(&event.body)) {
            record.checkpoints.push_back(saved->step);
        } else if (const auto* finished = std::get_if<core::RunFinished>(&event.body)) {
            record.finished = *finished;
        }
    }
    return record;
}

void expectSameComputation(const RunRecord& reference, const RunRecord& record) {
    const auto compare = [](const auto& expected, const auto& actual, const char* what) {
        for (const auto& [step, bits] : expected) {
            const auto found = actual.find(step);
            if (found == actual.end()) {
                ADD_FAILURE() << what << " " << step << " is missing";
                continue;
            }
            for (const uint32_t again : found->second) EXPECT_EQ(again, bits.front()) << what << " " << step;
        }
        EXPECT_EQ(actual.size(), expected.size()) << what;
    };
    compare(reference.lossBits, record.lossBits, "step");
    compare(reference.evaluations, record.evaluations, "evaluation at step");
    // A stop may leave samples out, but none may be cut short or differ.
    for (const std::string& sample : record.samples) EXPECT_THAT(reference.samples, testing::Contains(sample));
    ASSERT_TRUE(reference.finished.has_value());
    ASSERT_TRUE(record.finished.has_value());
    EXPECT_EQ(record.finished->weightHash, reference.finished->weightHash);
    EXPECT_EQ(record.finished->steps, reference.finished->steps);
    EXPECT_EQ(record.finished->bestStep, reference.finished->bestStep);
}

}  // namespace wb::test
