// SPDX-License-Identifier: Apache-2.0
#include "tests/core/model/tiny_model.h"

#include "kernels/base/philox.h"

namespace wb::test {

core::ModelConfig tinyConfig(const TinyModelOptions& options) {
    core::ModelConfig config;
    config.modelType = "llama";
    config.hiddenSize = options.hidden;
    config.intermediateSize = 40;
    config.numLayers = options.layers;
    config.numHeads = 4;
    config.numKvHeads = 2;
    config.headDim = options.hidden / 4;
    config.vocabularySize = options.vocabulary;
    config.maxPositions = 128;
    config.normEps = 1e-5;
    config.tieWordEmbeddings = options.isTied;
    config.attentionBias = options.hasBias;
    config.outputBias = options.hasBias;
    config.mlpBias = options.hasBias;
    config.slidingWindow = options.window;
    config.initializerRange = 0.3;
    config.eosTokenIds = {2};
    return config;
}

kernels::Runtime cpuRuntime(kernels::AttentionBackend attention) {
    return kernels::Runtime({.device = {}, .numThreads = 2, .attention = attention, .memoryLimitBytes = std::nullopt});
}

std::unique_ptr<core::LanguageModel> tinyModel(const kernels::Context& context, const core::ElementTypes& types,
                                               const TinyModelOptions& options) {
    auto model = std::make_unique<core::LanguageModel>(context, tinyConfig(options), types);
    core::initialiseWeights(context, *model, 7);
    uint64_t stream = 1000;
    model->visitParameters([&](core::Parameter& parameter) {
        if (parameter.value.shape().rank() != 1) return;
        std::vector<float> values = core::toFloats(context, parameter.value);
        for (size_t i = 0; i < values.size(); ++i) values[i] += 0.4F * (philoxUnit(philoxWord(5, i, stream)) - 0.5F);
        core::assignFloats(context, parameter.value, values);
        ++stream;
    });
    return model;
}

std::vector<int32_t> someIds(int64_t count, int64_t vocabulary, uint64_t seed) {
    std::vector<int32_t> ids(static_cast<size_t>(count));
    for (size_t i = 0; i < ids.size(); ++i)
        ids[i] = static_cast<int32_t>(philoxWord(seed, i) % static_cast<uint64_t>(vocabulary));
    return ids;
}

}  // namespace wb::test
