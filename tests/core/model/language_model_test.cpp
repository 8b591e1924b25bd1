// SPDX-License-Identifier: Apache-2.0
#include "core/model/language_model.h"

#include "core/model/architectures/architectures.h"
#include "kernels/base/error.h"
#include "tests/core/model/tiny_model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace wb::core {
namespace {

Tensor fullHidden(const kernels::Context& device, LanguageModel& model, const std::vector<int32_t>& ids,
                  const std::vector<int32_t>& bounds) {
    const Context context{device};
    return model.forward(context, packInput(device, ids, positionsOf(bounds), bounds)).value;
}

TEST(LanguageModel, cachedDecodingOfSeveralSequencesEqualsOneFullPassEach) {
    kernels::Runtime runtime = test::cpuRuntime();
    const kernels::Context& device = runtime.context();
    for (const int64_t window : {0, 5}) {
        const auto model = test::tinyModel(device, DType::F32, {.window = window});
        const std::vector<std::vector<int32_t>> sequences{test::someIds(21, 37, 1), test::someIds(13, 37, 2)};
        KvCache cache(device, model->cacheConfig(8));
        const Context context{device};
        const KvCache::SequenceId first = cache.create();
        const KvCache::SequenceId second = cache.create();
        // Prompts of 10 and 2 tokens in one packed pass, then one token of each.
        std::vector<int32_t> at{0, 0};
        std::vector<std::vector<float>> lastLogits(2);
        for (int step = 0; step < 11; ++step) {
            const std::vector<int32_t> take = step == 0 ? std::vector<int32_t>{10, 2} : std::vector<int32_t>{1, 1};
            std::vector<int32_t> ids, positions, bounds{0};
            for (size_t s = 0; s < 2; ++s) {
                for (int32_t i = 0; i < take[s]; ++i) {
                    ids.push_back(sequences[s][static_cast<size_t>(at[s])]);
                    positions.push_back(at[s]++);
                }
                bounds.push_back(static_cast<int32_t>(ids.size()));
            }
            const std::vector<KvCache::Growth> growths{{first, take[0]}, {second, take[1]}};
            const CacheStep cacheStep = cache.grow(growths);
            const Tensor hidden =
                model->forward(context, packInput(device, ids, positions, bounds), {&cache, &cacheStep}).value;
            for (size_t s = 0; s < 2; ++s) {
                const int64_t row = bounds[s + 1] - 1;
                lastLogits[s] = toFloats(device, model->logits(device, hidden.rows(row, row + 1)));
                std::vector<int32_t> prefix(sequences[s].begin(), sequences[s].begin() + at[s]);
                const Tensor whole = fullHidden(device, *model, prefix, {0, at[s]});
                const std::vector<float> expected =
                    toFloats(device, model->logits(device, whole.rows(at[s] - 1, at[s])));
                for (size_t v = 0; v < expected.size(); ++v) ASSERT_NEAR(lastLogits[s][v], expected[v], 2e-5F);
            }
        }
    }
}

TEST(LanguageModel, packedSequencesDoNotSeeEachOther) {
    kernels::Runtime runtime = test::cpuRuntime();
    const kernels::Context& device = runtime.context();
    const auto model = test::tinyModel(device, DType::F32);
    const std::vector<int32_t> ids = test::someIds(12, 37, 8);
    const std::vector<float> packed = toFloats(device, fullHidden(device, *model, ids, {0, 5, 12}));
    const std::vector<float> alone = toFloats(device, fullHidden(device, *model, {ids.begin() + 5, ids.end()}, {0, 7}));
    for (size_t i = 0; i < alone.size(); ++i) ASSERT_NEAR(packed[5 * 24 + i], alone[i], 1e-5F);
}

TEST(LanguageModel, recomputingActivationsSavesMemoryAndGivesTheSameLoss) {
    kernels::Runtime runtime = test::cpuRuntime();
    const kernels::Context& device = runtime.context();
    const auto model = test::tinyModel(device, DType::F32, {.layers = 6});
    model->visitParameters([&](Parameter& parameter) { makeTrainable(device, parameter); });
    // Enough tokens that activations outweigh the panels of the matrix products.
    const std::vector<int32_t> ids = test::someIds(1000, 37, 5);
    const auto peakOf = [&](ActivationMemory memory) {
        model->setActivationMemory(memory);
        runtime.allocator().resetPeak();
        const int64_t before = runtime.allocator().stats().liveBytes;
        Tape tape(device);
        const Context context{device, &tape};
        const std::vector<int32_t> bounds{0, 100, 200, 300, 400, 500, 600, 700, 800, 900, 1000};
        const Tensor labels = Tensor::fromInts(device, ids, kernels::MemoryOwner::Activations);
        const LmLoss loss = model->loss(
            context, model->forward(context, packInput(device, ids, positionsOf(bounds), bounds)), labels, 1.0F);
        tape.backward(loss.losses, loss.losses.value);
        return runtime.allocator().stats().peakBytes - before;
    };
    const int64_t all = peakOf(ActivationMemory::KeepAll);
    EXPECT_LT(peakOf(ActivationMemory::RecomputeCheap), all * 9 / 10);
    EXPECT_LT(2 * peakOf(ActivationMemory::RecomputeBlocks), all);
}

TEST(LanguageModel, planDeviceCountsWhatTheCpuAllocates) {
    const auto peakOn = [](DeviceType type) {
        kernels::Runtime runtime({.device = {.type = type},
                                  .numThreads = 2,
                                  .attention = kernels::AttentionBackend::Auto,
                                  .memoryLimitBytes = std::nullopt});
        const kernels::Context& device = runtime.context();
        LanguageModel model(device, test::tinyConfig(), DType::F32);
        initialiseWeights(device, model, 1);
        model.visitParameters([&](Parameter& parameter) { makeTrainable(device, parameter); });
        const std::vector<int32_t> ids = test::someIds(50, 37, 5);
        const std::vector<int32_t> bounds{0, 20, 50};
        Tape tape(device);
        const Context context{device, &tape};
        const Tensor labels = Tensor::fromInts(device, ids, kernels::MemoryOwner::Activations);
        const LmLoss loss = model.loss(
            context, model.forward(context, packInput(device, ids, positionsOf(bounds), bounds)), labels, 1.0F);
        tape.backward(loss.losses, loss.losses.value);
        return runtime.allocator().stats().peakBytes;
    };
    EXPECT_EQ(peakOn(DeviceType::Plan), peakOn(DeviceType::Cpu));
}

TEST(LanguageModel, namesUnknownModelTypes) {
    ModelConfig config = test::tinyConfig();
    config.modelType = "mamba";
    try {
        networkConfigOf(config);
        FAIL() << "an unknown model type was accepted";
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::Unsupported);
        EXPECT_THAT(error.what(), testing::AllOf(testing::HasSubstr("mamba"), testing::HasSubstr("llama")));
    }
}

}  // namespace
}  // namespace wb::core
