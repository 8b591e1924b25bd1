// SPDX-License-Identifier: Apache-2.0
// Whole models that generate on the device: against the CPU, against themselves with and without recorded steps, and
// panes of one batch against each alone.
#include "adapters/low_rank_adapter.h"
#include "core/model/weights.h"
#include "inference/generation_session.h"
#include "kernels/runtime/plugin_loader.h"
#include "tests/core/model/golden_model.h"
#include "tests/core/model/tiny_model.h"
#include "tests/inference/letter_tokenizer.h"

#include <gtest/gtest.h>

namespace wb::inference {
namespace {

kernels::Runtime deviceRuntime(kernels::AttentionBackend attention = kernels::AttentionBackend::Auto) {
    return kernels::Runtime({.device = {DeviceType::Cuda}, .attention = attention});
}

// Why there is no device to test on; empty if there is one.
std::string missingDevice() {
    const kernels::PluginStatus& status = kernels::cudaPlugin();
    return status.plugin == nullptr ? status.reason : std::string();
}

struct Answers {
    std::vector<GenerationResult> results;
    int64_t recordings = 0;
};

Answers generate(const kernels::Context& context, core::LanguageModel& model,
                 const std::vector<GenerationRequest>& requests, bool isRecorded = true) {
    const test::LetterTokenizer tokenizer(static_cast<int32_t>(model.config().vocabularySize));
    GenerationSession session(context, model, tokenizer, requests);
    if (!isRecorded) session.recordings().setEnabled(false);
    session.run();
    Answers answers;
    for (size_t i = 0; i < requests.size(); ++i) answers.results.push_back(session.result(i));
    answers.recordings = session.recordings().numRecordings();
    return answers;
}

GenerationRequest ask(const core::LanguageModel& model, int64_t length, uint64_t seed, int64_t newTokens = 10,
                      int64_t beams = 1) {
    GenerationRequest request;
    request.promptIds = test::someIds(length, model.config().vocabularySize, seed);
    request.options.maxNewTokens = newTokens;
    request.options.numBeams = request.options.numReturn = beams;
    return request;
}

void expectSameBits(const Answers& a, const Answers& b) {
    ASSERT_EQ(a.results.size(), b.results.size());
    for (size_t i = 0; i < a.results.size(); ++i) {
        ASSERT_EQ(a.results[i].outputs.size(), b.results[i].outputs.size());
        for (size_t j = 0; j < a.results[i].outputs.size(); ++j) {
            EXPECT_EQ(a.results[i].outputs[j].ids, b.results[i].outputs[j].ids) << "request " << i;
            EXPECT_EQ(a.results[i].outputs[j].logprobs, b.results[i].outputs[j].logprobs) << "bits of request " << i;
        }
    }
}

// Families whose decoding differs: rotary with groups, learned positions, ALiBi, soft caps and windows, an encoder with
// relative positions.
class DeviceGeneration : public testing::TestWithParam<std::string> {
protected:
    void SetUp() override {
        if (const std::string reason = missingDevice(); !reason.empty()) GTEST_SKIP() << reason;
    }

    static std::unique_ptr<core::LanguageModel> load(const kernels::Context& context) {
        const core::ModelSource source = core::ModelSource::open(test::GoldenModel(GetParam()).folder());
        auto model = std::make_unique<core::LanguageModel>(context, source.config(), DType::F32);
        core::loadWeights(context, *model, source);
        return model;
    }
};

TEST_P(DeviceGeneration, EqualsTheCpu) {
    const kernels::Runtime cpu = test::cpuRuntime();
    const kernels::Runtime device = deviceRuntime();
    const auto expectedModel = load(cpu.context());
    const auto model = load(device.context());
    const std::vector<GenerationRequest> requests{ask(*model, 5, 1), ask(*model, 9, 2, 6), ask(*model, 4, 3, 6, 3)};
    const Answers expected = generate(cpu.context(), *expectedModel, requests);
    const Answers actual = generate(device.context(), *model, requests);
    for (size_t i = 0; i < requests.size(); ++i) {
        const auto& outputs = actual.results[i].outputs;
        ASSERT_EQ(outputs.size(), expected.results[i].outputs.size());
        for (size_t j = 0; j < outputs.size(); ++j) {
            const GenerationOutput& wanted = expected.results[i].outputs[j];
            EXPECT_EQ(outputs[j].ids, wanted.ids) << "request " << i << ", output " << j;
            ASSERT_EQ(outputs[j].logprobs.size(), wanted.logprobs.size());
            for (size_t t = 0; t < wanted.logprobs.size(); ++t)
                EXPECT_NEAR(outputs[j].logprobs[t], wanted.logprobs[t], 1e-4);
        }
    }
}

TEST_P(DeviceGeneration, RecordedStepsHaveTheSameBits) {
    const kernels::Runtime device = deviceRuntime();
    const auto model = load(device.context());
    const std::vector<GenerationRequest> requests{ask(*model, 5, 1, 12), ask(*model, 9, 2, 7),
                                                  ask(*model, 4, 3, 10, 3)};
    const Answers plain = generate(device.context(), *model, requests, false);
    const Answers recorded = generate(device.context(), *model, requests);
    EXPECT_EQ(plain.recordings, 0);
    EXPECT_GE(recorded.recordings, 2) << "one for each number of rows";
    expectSameBits(recorded, plain);
}

INSTANTIATE_TEST_SUITE_P(Families, DeviceGeneration,
                         testing::Values("llama_gqa", "gpt2", "falcon_alibi", "gemma2", "t5", "bart"),
                         [](const auto& test) { return test.param; });

class DeviceTwinDecode : public testing::TestWithParam<DType> {
protected:
    static constexpr int64_t kVocabulary = 26;

    void SetUp() override {
        if (const std::string reason = missingDevice(); !reason.empty()) GTEST_SKIP() << reason;
        m_runtime = std::make_unique<kernels::Runtime>(kernels::RuntimeOptions{.device = {DeviceType::Cuda}});
        core::ModelConfig config = test::tinyConfig({.vocabulary = kVocabulary, .hidden = 32});
        config.maxPositions = 600;
        m_model = std::make_unique<core::LanguageModel>(context(), config, GetParam());
        core::initialiseWeights(context(), *m_model, 3);
    }
    const kernels::Context& context() const { return m_runtime->context(); }

    std::unique_ptr<adapters::LowRankAdapter> strongAdapter(uint64_t seed) {
        auto adapter = std::make_unique<adapters::LowRankAdapter>(context(), *m_model,
                                                                  adapters::LoraConfig{.rank = 4, .alpha = 8});
        adapter->initialise(context(), seed);
        adapter->visitDeltas([&](core::LinearLayer&, core::LowRankDelta& delta) {
            std::vector<float> values;
            for (const int32_t id : test::someIds(delta.b.value.count(), 100, seed++))
                values.push_back(static_cast<float>(id - 50) / 50.0F);
            core::assignFloats(context(), delta.b.value, values);
        });
        return adapter;
    }

    std::unique_ptr<kernels::Runtime> m_runtime;
    std::unique_ptr<core::LanguageModel> m_model;
};

TEST_P(DeviceTwinDecode, BasePaneIsBitIdenticalToTheBaseAlone) {
    const GenerationRequest base = ask(*m_model, 9, 5, 12);
    const Answers alone = generate(context(), *m_model, {base});
    const auto first = strongAdapter(11);
    const auto second = strongAdapter(12);
    first->attach(0);
    second->attach(1);
    GenerationRequest tuned = base;
    tuned.adapter = 0;
    GenerationRequest other = base;
    other.adapter = 1;
    const Answers panes = generate(context(), *m_model, {tuned, base, other});
    EXPECT_GE(panes.recordings, 1);
    expectSameBits({{panes.results[1]}}, alone);
    EXPECT_NE(panes.results[0].outputs.front().logprobs, alone.results[0].outputs.front().logprobs);
    expectSameBits(generate(context(), *m_model, {tuned, base, other}, false), panes);
}

TEST_P(DeviceTwinDecode, TablesOfRecordedStepsGrow) {
    const std::vector<GenerationRequest> requests{ask(*m_model, 250, 5, 12), ask(*m_model, 3, 6, 12)};
    const Answers recorded = generate(context(), *m_model, requests);
    EXPECT_GE(recorded.recordings, 2) << "one for each width of the table";
    expectSameBits(recorded, generate(context(), *m_model, requests, false));
}

TEST_P(DeviceTwinDecode, CancelledRequestsLeaveTheOthersAlone) {
    const test::LetterTokenizer tokenizer(kVocabulary);
    const GenerationRequest kept = ask(*m_model, 7, 2, 14);
    GenerationSession session(context(), *m_model, tokenizer, {ask(*m_model, 5, 1, 14), kept});
    for (int i = 0; i < 6; ++i) session.step();
    session.cancel(0);
    session.run();
    EXPECT_EQ(session.result(0).outputs.front().reason, FinishReason::Cancelled);
    expectSameBits({{session.result(1)}}, generate(context(), *m_model, {kept}, false));
}

TEST_P(DeviceTwinDecode, TimedOpsAreNotRecorded) {
    m_runtime->profiler().setEnabled(true);
    EXPECT_EQ(generate(context(), *m_model, {ask(*m_model, 4, 1)}).recordings, 0);
}

INSTANTIATE_TEST_SUITE_P(Types, DeviceTwinDecode, testing::Values(DType::F32, DType::BF16),
                         [](const auto& test) { return std::string(dtypeName(test.param)); });

}  // namespace
}  // namespace wb::inference
