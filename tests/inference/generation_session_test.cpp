// SPDX-License-Identifier: Apache-2.0
#include "inference/generation_session.h"

#include "adapters/low_rank_adapter.h"
#include "inference/scoring.h"
#include "kernels/base/error.h"
#include "tests/core/model/tiny_model.h"
#include "tests/inference/letter_tokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace wb::inference {
namespace {

using core::TokenId;

constexpr int64_t kVocabulary = 26;

class GenerationSessionTest : public testing::Test {
protected:
    explicit GenerationSessionTest(const core::ElementTypes& types = {}, int64_t hidden = 24)
        : m_model(test::tinyModel(m_device, types, {.vocabulary = kVocabulary, .hidden = hidden})) {}

    GenerationRequest ask(int64_t promptLength, uint64_t seed, int64_t newTokens = 20) const {
        GenerationRequest request;
        request.promptIds = test::someIds(promptLength, kVocabulary, seed);
        request.options.maxNewTokens = newTokens;
        return request;
    }

    std::vector<GenerationResult> generate(const std::vector<GenerationRequest>& requests) {
        GenerationSession session(m_device, *m_model, m_tokenizer, requests);
        session.run();
        std::vector<GenerationResult> results;
        for (size_t i = 0; i < requests.size(); ++i) results.push_back(session.result(i));
        return results;
    }
    GenerationOutput generateOne(const GenerationRequest& request) {
        return generate({request}).front().outputs.front();
    }

    // Greedy by one full forward pass per token: the definition that caching must not change.
    std::vector<TokenId> greedyWithoutCache(const GenerationRequest& request) {
        std::vector<TokenId> ids = request.promptIds;
        for (int64_t i = 0; i < request.options.maxNewTokens; ++i) {
            const std::vector<float> logits = lastLogits(m_device, *m_model, ids, request.adapter);
            ids.push_back(sampleToken(logits, {}, {}, 0, 0));
        }
        return {ids.begin() + static_cast<std::ptrdiff_t>(request.promptIds.size()), ids.end()};
    }

    // An adapter that changes the outputs visibly.
    std::unique_ptr<adapters::LowRankAdapter> strongAdapter(uint64_t seed) {
        auto adapter =
            std::make_unique<adapters::LowRankAdapter>(m_device, *m_model, adapters::LoraConfig{.rank = 4, .alpha = 8});
        adapter->initialise(m_device, seed);
        adapter->visitDeltas([&](core::LinearLayer&, core::LowRankDelta& delta) {
            std::vector<float> values;
            for (const int32_t id : test::someIds(delta.b.value.count(), 100, seed++))
                values.push_back(static_cast<float>(id - 50) / 150.0F);
            core::assignFloats(m_device, delta.b.value, values);
        });
        return adapter;
    }

    kernels::Runtime m_runtime = test::cpuRuntime();
    const kernels::Context& m_device = m_runtime.context();
    std::unique_ptr<core::LanguageModel> m_model;
    test::LetterTokenizer m_tokenizer{kVocabulary};
};

// Panes side by side, for every way to hold weights; rows of whole blocks of every kind.
class TwinDecodeTest : public GenerationSessionTest, public testing::WithParamInterface<const char*> {
protected:
    TwinDecodeTest() : GenerationSessionTest(*core::elementTypesNamed(GetParam()), 64) {}
};

TEST_F(GenerationSessionTest, cachedGreedyEqualsOneFullPassPerToken) {
    const GenerationRequest request = ask(7, 1);
    EXPECT_EQ(generateOne(request).ids, greedyWithoutCache(request));
}

TEST_F(GenerationSessionTest, requestsInOneBatchAreBitIdenticalToEachAlone) {
    std::vector<GenerationRequest> requests;
    for (uint64_t i = 0; i < 7; ++i)
        requests.push_back(ask(3 + static_cast<int64_t>(i) * 4, i, 10 + static_cast<int64_t>(i)));
    const std::vector<GenerationResult> together = generate(requests);
    for (size_t i = 0; i < requests.size(); ++i) {
        const GenerationOutput alone = generateOne(requests[i]);
        EXPECT_EQ(together[i].outputs.front().ids, alone.ids);
        EXPECT_EQ(together[i].outputs.front().logprobs, alone.logprobs) << "bits of request " << i;
    }
}

TEST_P(TwinDecodeTest, basePaneIsBitIdenticalToTheBaseAlone) {
    const GenerationRequest base = ask(9, 5);
    const GenerationOutput alone = generateOne(base);
    const auto first = strongAdapter(11);
    const auto second = strongAdapter(12);
    first->attach(0);
    second->attach(1);
    GenerationRequest tuned = base;
    tuned.adapter = 0;
    GenerationRequest other = base;
    other.adapter = 1;
    const std::vector<GenerationResult> panes = generate({tuned, base, other});
    EXPECT_EQ(panes[1].outputs.front().ids, alone.ids);
    EXPECT_EQ(panes[1].outputs.front().logprobs, alone.logprobs);
    EXPECT_NE(panes[0].outputs.front().logprobs, alone.logprobs);
    EXPECT_NE(panes[0].outputs.front().logprobs, panes[2].outputs.front().logprobs);
    EXPECT_EQ(panes[0].outputs.front().ids, greedyWithoutCache(tuned));
    EXPECT_EQ(panes[2].outputs.front().ids, greedyWithoutCache(other));
}

TEST_P(TwinDecodeTest, basePaneIsBitIdenticalInBatchesLargerThanTheKernelsPromise) {
    GenerationRequest base = ask(9, 5, 12);
    base.options.numBeams = 10;
    base.options.numReturn = 10;
    const std::vector<GenerationOutput> alone = generate({base}).front().outputs;
    const auto adapter = strongAdapter(11);
    adapter->attach(0);
    GenerationRequest tuned = base;
    tuned.adapter = 0;
    const std::vector<GenerationOutput> beside = generate({tuned, base}).back().outputs;
    ASSERT_EQ(beside.size(), alone.size());
    for (size_t i = 0; i < alone.size(); ++i) {
        EXPECT_EQ(beside[i].ids, alone[i].ids);
        EXPECT_EQ(beside[i].logprobs, alone[i].logprobs) << "bits of beam " << i;
    }
}

INSTANTIATE_TEST_SUITE_P(Types, TwinDecodeTest, testing::Values("f32", "bf16", "q8_0", "q4_0", "nf4"));

TEST_F(GenerationSessionTest, longPromptsArePrefilledInChunks) {
    core::ModelConfig config = test::tinyConfig({.vocabulary = kVocabulary});
    config.maxPositions = 1200;
    core::LanguageModel model(m_device, config, DType::F32);
    core::initialiseWeights(m_device, model, 3);
    GenerationRequest request = ask(1100, 8, 3);
    GenerationSession session(m_device, model, m_tokenizer, {request});
    session.run();
    const std::vector<float> expected = lastLogits(m_device, model, request.promptIds, GenerationRequest::kBase);
    EXPECT_EQ(session.result(0).outputs.front().ids.front(), sampleToken(expected, {}, {}, 0, 0));
    EXPECT_NEAR(session.result(0).outputs.front().logprobs.front(),
                expected[static_cast<size_t>(session.result(0).outputs.front().ids.front())] - logSumExp(expected),
                1e-4);
}

TEST_F(GenerationSessionTest, endsAtEndTokensStopStringsAndLength) {
    GenerationRequest request = ask(5, 2);
    const GenerationOutput whole = generateOne(request);
    EXPECT_EQ(whole.reason, FinishReason::Length);
    EXPECT_EQ(whole.ids.size(), 20U);

    request.options.eosIds = {whole.ids[6]};
    const auto end = std::ranges::find(whole.ids, whole.ids[6]) - whole.ids.begin();
    const GenerationOutput stopped = generateOne(request);
    EXPECT_EQ(stopped.reason, FinishReason::Stop);
    EXPECT_EQ(static_cast<std::ptrdiff_t>(stopped.ids.size()), end + 1) << "the end token is kept";
    EXPECT_EQ(stopped.text, whole.text.substr(0, static_cast<size_t>(end))) << "but not shown";

    request.options.eosIds.clear();
    request.options.stop = {whole.text.substr(4, 3)};
    const GenerationOutput cut = generateOne(request);
    EXPECT_EQ(cut.reason, FinishReason::StopString);
    EXPECT_EQ(cut.text, whole.text.substr(0, whole.text.find(request.options.stop.front())));
}

TEST_F(GenerationSessionTest, rowsOfTheTableWithoutATokenAddNoText) {
    // A model whose table is larger than the vocabulary of its tokenizer, as many are.
    const test::LetterTokenizer small{kVocabulary / 2};
    GenerationSession session(m_device, *m_model, small, {ask(5, 2)});
    session.run();
    const GenerationOutput output = session.result(0).outputs.front();
    const auto named = std::ranges::count_if(output.ids, [](TokenId id) { return id < kVocabulary / 2; });
    ASSERT_LT(named, static_cast<std::ptrdiff_t>(output.ids.size())) << "the test needs a row without a token";
    EXPECT_EQ(static_cast<std::ptrdiff_t>(output.text.size()), named);
}

TEST_F(GenerationSessionTest, sampledOutputsDifferFromEachOtherAndRepeatWithTheSeed) {
    GenerationRequest request = ask(5, 2);
    request.options.sampler.temperature = 1.5;
    request.options.numReturn = 4;
    const std::vector<GenerationOutput> first = generate({request}).front().outputs;
    const std::vector<GenerationOutput> again = generate({request}).front().outputs;
    ASSERT_EQ(first.size(), 4U);
    EXPECT_NE(first[0].ids, first[1].ids);
    for (size_t i = 0; i < 4; ++i) EXPECT_EQ(first[i].ids, again[i].ids);
}

TEST_F(GenerationSessionTest, cancelEndsOneRequestAndLeavesTheOther) {
    GenerationSession session(m_device, *m_model, m_tokenizer, {ask(5, 1), ask(5, 2)});
    for (int i = 0; i < 4; ++i) session.step();
    session.cancel(0);
    session.run();
    EXPECT_EQ(session.result(0).outputs.front().reason, FinishReason::Cancelled);
    EXPECT_LT(session.result(0).outputs.front().ids.size(), 20U);
    EXPECT_EQ(session.result(1).outputs.front().ids, greedyWithoutCache(ask(5, 2)));
}

TEST_F(GenerationSessionTest, cancelBeforeAPromptHasRunGivesAnEmptyOutput) {
    GenerationRequest beams = ask(5, 3);
    beams.options.numBeams = 3;
    GenerationSession session(m_device, *m_model, m_tokenizer, {ask(5, 1), ask(5, 2), beams});
    int polls = 0;
    session.run([&] { return ++polls == 2; });
    EXPECT_EQ(session.result(0).outputs.front().reason, FinishReason::Cancelled);
    EXPECT_EQ(session.result(0).outputs.front().ids.size(), 1U) << "its prompt had run";
    EXPECT_EQ(session.result(1).outputs.front().ids.size(), 1U);
    EXPECT_THAT(session.result(2).outputs, testing::IsEmpty());

    GenerationSession untouched(m_device, *m_model, m_tokenizer, {ask(5, 1), ask(5, 2)});
    polls = 0;
    untouched.run([&] { return ++polls == 1; });
    EXPECT_EQ(untouched.result(1).outputs.front().reason, FinishReason::Cancelled);
    EXPECT_THAT(untouched.result(1).outputs.front().ids, testing::IsEmpty());
}

TEST_F(GenerationSessionTest, refusesWhatCannotBeDone) {
    const auto refusal = [&](GenerationRequest request) -> std::string {
        try {
            generate({std::move(request)});
        } catch (const Error& error) {
            EXPECT_EQ(error.code(), ErrorCode::InvalidArgument);
            return error.what();
        }
        return {};
    };
    EXPECT_THAT(refusal(ask(0, 1)), testing::HasSubstr("no tokens"));
    EXPECT_THAT(refusal(ask(120, 1, 20)), testing::HasSubstr("at most 8 new tokens"));
    GenerationRequest beams = ask(5, 1);
    beams.options.numBeams = 3;
    beams.options.numReturn = 4;
    EXPECT_THAT(refusal(beams), testing::HasSubstr("4 outputs wanted of 3 beams"));
    beams.options.numBeams = 257;
    EXPECT_THAT(refusal(beams), testing::HasSubstr("each may be 256 at most"));
    EXPECT_THAT(refusal(ask(5, 1, std::numeric_limits<int64_t>::max())), testing::HasSubstr("at most 123 new tokens"));
    for (const TokenId id : {-1, static_cast<TokenId>(kVocabulary)}) {
        GenerationRequest foreign = ask(5, 1);
        foreign.promptIds[2] = id;
        EXPECT_THAT(refusal(foreign), testing::HasSubstr("the model has 0 to 25"));
    }
}

}  // namespace
}  // namespace wb::inference
