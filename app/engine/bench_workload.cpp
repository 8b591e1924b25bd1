// SPDX-License-Identifier: Apache-2.0
#include "app/engine/bench_workload.h"

#include <vector>

#include "core/model/weights.h"
#include "inference/generation_session.h"
#include "kernels/base/error.h"
#include "kernels/base/philox.h"
#include "training/data/byte_tokenizer.h"
#include "training/steps.h"

namespace wb::app {
namespace {

constexpr uint64_t kSeed = 42;
constexpr int64_t kDecodePrompt = 16;

std::vector<core::TokenId> randomTokens(int64_t count, int64_t vocabulary, uint64_t stream) {
    std::vector<core::TokenId> ids(static_cast<size_t>(count));
    for (size_t i = 0; i < ids.size(); ++i) {
        ids[i] = static_cast<core::TokenId>(philoxWord(stream, i) % static_cast<uint64_t>(vocabulary));
    }
    return ids;
}

class TrainWorkload : public BenchWorkload {
public:
    TrainWorkload(const kernels::Context& context, const core::ModelConfig& config, const core::Recipe& recipe,
                  int64_t sequences, int64_t tokens)
        : m_tokens(sequences * tokens), m_tuning(context, config, nullptr, recipe) {
        // One token more than the windows, so that the last one has something to learn, too.
        const std::vector<core::TokenId> ids = randomTokens(m_tokens + 1, config.vocabularySize, kSeed);
        const std::vector<int64_t> starts{0};
        m_set.addWindows(ids, starts, tokens, 0, sequences);
        m_plan =
            training::planEpoch(m_set, {.batchSize = sequences, .maxTokens = m_tokens, .seed = kSeed}, 0).steps.at(0);
    }

    void run() override {
        const training::StepResult result =
            training::runStep(m_tuning, m_set, m_plan, {.learningRate = 1e-4F, .step = ++m_step});
        WB_CHECK(result.wasApplied && result.labelTokens == m_tokens, "a step of a benchmark must be a whole one");
        m_loss = result.loss;
    }
    int64_t tokens() const override { return m_tokens; }
    std::optional<float> loss() const override { return m_loss; }

private:
    int64_t m_tokens;
    training::TuningModel m_tuning;
    training::SequenceSet m_set;
    training::StepPlan m_plan;
    int64_t m_step = 0;
    std::optional<float> m_loss;
};

inference::GenerationRequest makeRequest(BenchModel& model, int64_t promptTokens, int64_t newTokens, uint64_t stream,
                                         int32_t adapter = inference::GenerationRequest::kBase) {
    inference::GenerationRequest request;
    request.promptIds = randomTokens(promptTokens, model.model().config().vocabularySize, stream);
    request.adapter = adapter;
    request.options.maxNewTokens = newTokens;
    return request;
}

std::unique_ptr<inference::GenerationSession> makeSession(BenchModel& model, const core::Tokenizer& tokenizer,
                                                          std::vector<inference::GenerationRequest> requests) {
    return std::make_unique<inference::GenerationSession>(model.context(), model.model(), tokenizer,
                                                          std::move(requests));
}

class PrefillWorkload : public BenchWorkload {
public:
    PrefillWorkload(BenchModel& model, int64_t tokens) : m_model(model), m_tokens(tokens) {}

    void prepare() override {
        m_session.reset();  // one cache at a time
        m_session = makeSession(m_model, m_tokenizer, {makeRequest(m_model, m_tokens, 1, kSeed)});
    }
    void run() override { m_session->step(); }
    int64_t tokens() const override { return m_tokens; }

private:
    BenchModel& m_model;
    int64_t m_tokens;
    training::ByteTokenizer m_tokenizer;  // ids that are no byte give no text
    std::unique_ptr<inference::GenerationSession> m_session;
};

class DecodeWorkload : public BenchWorkload {
public:
    DecodeWorkload(BenchModel& model, const DecodeWorkloadOptions& options) : m_model(model), m_options(options) {}

    void prepare() override {
        std::vector<inference::GenerationRequest> requests;
        const int64_t streams = m_options.baseStreams + m_options.adapterStreams;
        for (int64_t i = 0; i < streams; ++i) {
            const int32_t adapter = i < m_options.baseStreams ? inference::GenerationRequest::kBase : 0;
            requests.push_back(
                makeRequest(m_model, kDecodePrompt, m_options.tokens + 1, kSeed + static_cast<uint64_t>(i), adapter));
        }
        m_session.reset();  // one cache at a time
        m_session = makeSession(m_model, m_tokenizer, std::move(requests));
        for (int64_t i = 0; i < streams; ++i) m_session->step();  // each prompt and its first new token
    }
    void run() override {
        for (int64_t token = 0; token < m_options.tokens; ++token) m_session->step();
    }
    int64_t tokens() const override { return m_options.tokens * (m_options.baseStreams + m_options.adapterStreams); }

private:
    BenchModel& m_model;
    DecodeWorkloadOptions m_options;
    training::ByteTokenizer m_tokenizer;
    std::unique_ptr<inference::GenerationSession> m_session;
};

}  // namespace

std::unique_ptr<BenchWorkload> makeTrainWorkload(const kernels::Context& context, const core::ModelConfig& config,
                                                 const TrainWorkloadOptions& options) {
    if (options.dtype != DType::F32 && options.dtype != DType::BF16) {
        throw Error{ErrorCode::InvalidArgument,
                    std::string(dtypeName(options.dtype)) + " weights cannot be trained; take f32 or bf16"};
    }
    core::Recipe recipe;
    recipe.method = options.method;
    recipe.dtype = options.dtype;
    recipe.activationCheckpointing = options.activationCheckpointing;
    return std::make_unique<TrainWorkload>(context, config, recipe, options.sequences, options.tokens);
}

BenchModel::BenchModel(const kernels::Context& context, const core::ModelConfig& config, DType dtype, bool hasAdapter)
    : m_context(context) {
    const bool isQuantized = isBlocked(dtype);
    m_model = std::make_unique<core::LanguageModel>(
        context, config, isQuantized ? core::ElementTypes::quantized(DType::F32, dtype) : core::ElementTypes(dtype));
    core::initialiseWeights(context, *m_model, kSeed);
    if (!hasAdapter) return;
    m_adapter = std::make_unique<adapters::LowRankAdapter>(context, *m_model, adapters::LoraConfig{});
    m_adapter->initialise(context, kSeed);
    m_adapter->attach(0);
}

int64_t BenchModel::bytesReadPerPass() {
    int64_t bytes = 0;
    m_model->visitParameters([&](core::Parameter& parameter) {
        const bool isOnlyLookedUp = &parameter == &m_model->embeddingTable() && !m_model->isHeadTied();
        if (!isOnlyLookedUp) bytes += static_cast<int64_t>(parameter.value.bytes());
    });
    return bytes;
}

std::unique_ptr<BenchWorkload> makePrefillWorkload(BenchModel& model, int64_t tokens) {
    return std::make_unique<PrefillWorkload>(model, tokens);
}

std::unique_ptr<BenchWorkload> makeDecodeWorkload(BenchModel& model, const DecodeWorkloadOptions& options) {
    return std::make_unique<DecodeWorkload>(model, options);
}

}  // namespace wb::app
