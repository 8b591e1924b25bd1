// SPDX-License-Identifier: Apache-2.0
// Generation and scoring with models that encode their prompt: what holds for decoder-only models holds for them.
#include "adapters/low_rank_adapter.h"
#include "inference/generation_session.h"
#include "inference/scoring.h"
#include "kernels/base/error.h"
#include "tests/core/model/golden_model.h"
#include "tests/core/model/tiny_model.h"
#include "tests/inference/letter_tokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace wb::inference {
namespace {

using core::TokenId;

class EncoderDecoder : public testing::TestWithParam<std::string> {
protected:
    EncoderDecoder() : m_source(core::ModelSource::open(test::GoldenModel(GetParam()).folder())) {
        m_model = std::make_unique<core::LanguageModel>(m_device, m_source.config(), DType::F32);
        core::loadWeights(m_device, *m_model, m_source);
    }

    GenerationRequest ask(int64_t promptLength, uint64_t seed, int64_t newTokens = 16) const {
        GenerationRequest request;
        request.promptIds = test::someIds(promptLength, m_source.config().vocabularySize, seed);
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

    // Logits behind the last of `decoderIds`, by one pass over everything.
    std::vector<float> fullPass(const GenerationRequest& request, const std::vector<TokenId>& decoderIds) {
        const auto pack = [&](const std::vector<TokenId>& ids) {
            const std::vector<int32_t> bounds{0, static_cast<int32_t>(ids.size())};
            return core::packInput(m_device, ids, core::positionsOf(bounds), bounds);
        };
        core::PackedInput input = pack(decoderIds);
        input.source = std::make_shared<const core::PackedInput>(pack(request.promptIds));
        const auto rows = static_cast<int64_t>(decoderIds.size());
        std::vector<core::AdapterRows> adapterRows;
        if (request.adapter >= 0) adapterRows.push_back({0, rows, request.adapter});
        const core::Context pass{m_device, nullptr, nullptr, adapterRows};
        const core::Tensor hidden = m_model->forward(pass, input).value;
        return core::toFloats(m_device, m_model->logits(m_device, hidden.rows(rows - 1, rows)));
    }
    std::vector<TokenId> greedyWithoutCache(const GenerationRequest& request) {
        std::vector<TokenId> ids{m_model->config().decoderStart()};
        for (int64_t i = 0; i < request.options.maxNewTokens; ++i) {
            ids.push_back(sampleToken(fullPass(request, ids), {}, {}, 0, 0));
        }
        return {ids.begin() + 1, ids.end()};
    }

    // An adapter on every projection of encoder and decoder that changes the outputs visibly.
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
    core::ModelSource m_source;
    std::unique_ptr<core::LanguageModel> m_model;
    test::LetterTokenizer m_tokenizer{99};
};

void expectSameBits(const std::vector<GenerationOutput>& outputs, const std::vector<GenerationOutput>& alone) {
    ASSERT_EQ(outputs.size(), alone.size());
    for (size_t i = 0; i < alone.size(); ++i) {
        EXPECT_EQ(outputs[i].ids, alone[i].ids);
        EXPECT_EQ(outputs[i].logprobs, alone[i].logprobs) << "bits of output " << i;
    }
}

TEST_P(EncoderDecoder, cachedGreedyEqualsOneFullPassPerToken) {
    const GenerationRequest request = ask(11, 1);
    EXPECT_EQ(generateOne(request).ids, greedyWithoutCache(request));
}

TEST_P(EncoderDecoder, requestsInOneBatchAreBitIdenticalToEachAlone) {
    std::vector<GenerationRequest> requests;
    for (uint64_t i = 0; i < 6; ++i)
        requests.push_back(ask(2 + static_cast<int64_t>(i) * 7, i, 6 + static_cast<int64_t>(i)));
    requests[3].options.sampler.temperature = 1.2;
    requests[3].options.numReturn = 3;
    const std::vector<GenerationResult> together = generate(requests);
    for (size_t i = 0; i < requests.size(); ++i) {
        expectSameBits(together[i].outputs, generate({requests[i]}).front().outputs);
    }
}

TEST_P(EncoderDecoder, basePaneIsBitIdenticalToTheBaseAlone) {
    GenerationRequest base = ask(9, 5, 12);
    base.options.numBeams = 10;
    base.options.numReturn = 10;
    const std::vector<GenerationOutput> alone = generate({base}).front().outputs;
    const auto first = strongAdapter(11);
    const auto second = strongAdapter(12);
    first->attach(0);
    second->attach(1);
    GenerationRequest tuned = base;
    tuned.adapter = 0;
    GenerationRequest other = ask(9, 5, 12);
    other.adapter = 1;
    const std::vector<GenerationResult> panes = generate({tuned, base, other});
    expectSameBits(panes[1].outputs, alone);
    EXPECT_NE(panes[0].outputs.front().logprobs, alone.front().logprobs);
    EXPECT_EQ(panes[2].outputs.front().ids, greedyWithoutCache(other));
}

TEST_P(EncoderDecoder, scoringAnAnswerGivesTheLogprobsOfItsGeneration) {
    const GenerationRequest request = ask(13, 3);
    const GenerationOutput output = generateOne(request);
    const SequenceScore score =
        scoreContinuation(m_device, *m_model, request.promptIds, output.ids, {.topAlternatives = 2});
    ASSERT_EQ(score.logprobs.size(), output.ids.size());
    for (size_t i = 0; i < output.ids.size(); ++i) {
        EXPECT_NEAR(score.logprobs[i], output.logprobs[i], 1e-4);
        EXPECT_EQ(score.top[i].front().id, output.ids[i]);
    }
    const std::vector<float> first = lastLogits(m_device, *m_model, request.promptIds, GenerationRequest::kBase);
    EXPECT_EQ(first, fullPass(request, {m_model->config().decoderStart()}));
}

TEST_P(EncoderDecoder, scoringUsesTheAdapterOnBothSides) {
    const auto adapter = strongAdapter(11);
    adapter->attach(0);
    GenerationRequest request = ask(13, 3);
    request.adapter = 0;
    const GenerationOutput output = generateOne(request);
    const SequenceScore score = scoreContinuation(m_device, *m_model, request.promptIds, output.ids, {.adapter = 0});
    for (size_t i = 0; i < output.ids.size(); ++i) EXPECT_NEAR(score.logprobs[i], output.logprobs[i], 1e-4);
}

TEST_P(EncoderDecoder, longDecoderPromptsArePrefilledInChunks) {
    if (m_model->positionLimit()) GTEST_SKIP() << "its positions end at " << *m_model->positionLimit();
    GenerationRequest request = ask(600, 8, 2);
    request.decoderPrompt = test::someIds(1100, m_source.config().vocabularySize, 4);
    const GenerationOutput output = generateOne(request);
    const std::vector<float> expected = fullPass(request, request.decoderPrompt);
    EXPECT_EQ(output.ids.front(), sampleToken(expected, {}, {}, 0, 0));
    EXPECT_NEAR(output.logprobs.front(), expected[static_cast<size_t>(output.ids.front())] - logSumExp(expected), 1e-4);
}

TEST_P(EncoderDecoder, refusesWhatItsPositionsDoNotHold) {
    if (!m_model->positionLimit()) {
        EXPECT_EQ(generateOne(ask(700, 1, 3)).ids.size(), 3U);
        return;
    }
    const auto refusal = [&](const GenerationRequest& request) -> std::string {
        try {
            generate({request});
        } catch (const Error& error) {
            EXPECT_EQ(error.code(), ErrorCode::InvalidArgument);
            return error.what();
        }
        return {};
    };
    EXPECT_EQ(generateOne(ask(64, 1, 63)).ids.size(), 63U) << "each side has positions of its own";
    EXPECT_THAT(refusal(ask(65, 1, 3)), testing::HasSubstr("65 prompt tokens exceed the 64 positions"));
    EXPECT_THAT(refusal(ask(5, 1, 64)), testing::HasSubstr("at most 63 new tokens"));
}

TEST_P(EncoderDecoder, perplexityOfRunningTextIsRefused) {
    try {
        scoreText(m_device, *m_model, test::someIds(20, 99, 1), 16, GenerationRequest::kBase);
        FAIL() << "nothing was thrown";
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::Unsupported);
        EXPECT_THAT(error.what(), testing::HasSubstr("encoder-decoder '" + m_source.config().modelType + "'"));
    }
}

TEST_P(EncoderDecoder, givesAllMemoryBackWhateverHappens) {
    const int64_t before = m_runtime.allocator().stats().liveBytes;
    GenerationRequest beams = ask(12, 2);
    beams.options.numBeams = 4;
    {
        GenerationSession session(m_device, *m_model, m_tokenizer, {beams, ask(7, 3)});
        for (int i = 0; i < 5; ++i) session.step();
        session.cancel(0);
        session.run();
        EXPECT_EQ(session.result(0).outputs.front().reason, FinishReason::Cancelled);
        EXPECT_EQ(session.result(1).outputs.front().ids.size(), 16U);
    }
    EXPECT_EQ(m_runtime.allocator().stats().liveBytes, before);
}

INSTANTIATE_TEST_SUITE_P(Families, EncoderDecoder, testing::Values("t5", "t5_v1_1", "bart", "m2m_100"),
                         [](const auto& test) { return test.param; });

}  // namespace
}  // namespace wb::inference
