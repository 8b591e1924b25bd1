// SPDX-License-Identifier: Apache-2.0
// Greedy and beam outputs of the golden models against `generate` of the reference library, id by id.
#include "inference/generation_session.h"
#include "tests/core/model/golden_model.h"
#include "tests/core/model/tiny_model.h"
#include "tests/inference/letter_tokenizer.h"

#include <gtest/gtest.h>

namespace wb::inference {
namespace {

using core::TokenId;
using nlohmann::json;

class GoldenGeneration : public testing::TestWithParam<std::string> {
protected:
    GoldenGeneration() : m_golden(GetParam()), m_source(core::ModelSource::open(m_golden.folder())) {
        m_model = std::make_unique<core::LanguageModel>(m_device, m_source.config(), DType::F32);
        core::loadWeights(m_device, *m_model, m_source);
    }

    GenerationRequest ask(const json& row) const {
        GenerationRequest request;
        request.promptIds = row.at("prompt").get<std::vector<TokenId>>();
        request.options.maxNewTokens = row.at("max_new_tokens").get<int64_t>();
        request.options.eosIds = m_source.generationConfig().eosTokenIds;
        request.options.rules = tokenRulesOf(m_source.generationConfig(), m_source.config());
        return request;
    }

    std::vector<GenerationResult> generate(const std::vector<GenerationRequest>& requests) {
        const test::LetterTokenizer tokenizer(static_cast<int32_t>(m_source.config().vocabularySize));
        GenerationSession session(m_device, *m_model, tokenizer, requests);
        session.run();
        std::vector<GenerationResult> results;
        for (size_t i = 0; i < requests.size(); ++i) results.push_back(session.result(i));
        return results;
    }

    test::GoldenModel m_golden;
    kernels::Runtime m_runtime = test::cpuRuntime();
    const kernels::Context& m_device = m_runtime.context();
    core::ModelSource m_source;
    std::unique_ptr<core::LanguageModel> m_model;
};

std::vector<std::vector<TokenId>> idsOf(const GenerationResult& result) {
    std::vector<std::vector<TokenId>> ids;
    for (const GenerationOutput& output : result.outputs) ids.push_back(output.ids);
    return ids;
}

TEST_P(GoldenGeneration, greedyIdsEqualTheReference) {
    const json& rows = m_golden.expected().at("greedy");
    std::vector<GenerationRequest> requests;
    for (const json& row : rows) requests.push_back(ask(row));
    const std::vector<GenerationResult> results = generate(requests);
    for (size_t i = 0; i < results.size(); ++i) {
        EXPECT_EQ(results[i].outputs.front().ids, rows[i].at("ids").get<std::vector<TokenId>>()) << "prompt " << i;
    }
}

TEST_P(GoldenGeneration, beamsEqualTheReference) {
    const json& rows = m_golden.expected().at("beams");
    std::vector<GenerationRequest> requests;
    for (const json& row : rows) {
        GenerationRequest& request = requests.emplace_back(ask(row));
        request.options.numBeams = row.at("num_beams").get<int64_t>();
        request.options.numReturn = row.at("num_return_sequences").get<int64_t>();
        request.options.lengthPenalty = row.at("length_penalty").get<double>();
        request.options.stopsEarly = row.at("early_stopping").get<bool>();
    }
    const std::vector<GenerationResult> results = generate(requests);
    for (size_t i = 0; i < results.size(); ++i) {
        EXPECT_EQ(idsOf(results[i]), rows[i].at("ids").get<std::vector<std::vector<TokenId>>>()) << "search " << i;
        const auto scores = rows[i].at("scores").get<std::vector<double>>();
        for (size_t output = 0; output < scores.size(); ++output) {
            EXPECT_NEAR(results[i].outputs[output].score, scores[output], 1e-4) << "search " << i;
        }
    }
}

INSTANTIATE_TEST_SUITE_P(Reference, GoldenGeneration, testing::ValuesIn(test::GoldenModel::names()),
                         [](const auto& test) { return test.param; });

}  // namespace
}  // namespace wb::inference
