// SPDX-License-Identifier: Apache-2.0
#include "adapters/low_rank_adapter.h"

#include "adapters/merge.h"
#include "tests/adapters/adapter_fixture.h"

#include <cmath>

namespace wb::adapters {
namespace {

using test::adaptedLayers;
using test::expectError;
using test::logitsOf;
using test::relativeError;
using test::strongAdapter;
using testing::ElementsAre;
using testing::HasSubstr;

class LowRankAdapterTest : public testing::TestWithParam<DType> {
protected:
    kernels::Runtime m_runtime = test::cpuRuntime();
    const kernels::Context& m_context = m_runtime.context();
};

INSTANTIATE_TEST_SUITE_P(Dtypes, LowRankAdapterTest, testing::Values(DType::F32, DType::BF16),
                         [](const auto& test) { return std::string(dtypeName(test.param)); });

TEST_P(LowRankAdapterTest, freshAdapterIsTheIdentityToTheBit) {
    const auto model = test::tinyModel(m_context, GetParam());
    const std::vector<float> base = logitsOf(m_context, *model, -1);
    LowRankAdapter adapter(m_context, *model, {.rank = 4, .alpha = 8});
    adapter.initialise(m_context, 5);
    adapter.attach(0);
    EXPECT_EQ(logitsOf(m_context, *model, 0), base);
}

TEST_P(LowRankAdapterTest, mergingEqualsApplying) {
    const auto model = test::tinyModel(m_context, GetParam());
    const std::vector<float> base = logitsOf(m_context, *model, -1);
    const auto adapter = strongAdapter(m_context, *model);
    adapter->attach(0);
    const std::vector<float> applied = logitsOf(m_context, *model, 0);
    ASSERT_GT(relativeError(base, applied), 0.3) << "the adapter must matter";
    mergeAdapter(m_context, *adapter);
    EXPECT_LT(relativeError(applied, logitsOf(m_context, *model, -1)), test::roundingTolerance(GetParam()));
}

TEST_P(LowRankAdapterTest, sameSeedGivesTheSameBits) {
    const auto model = test::tinyModel(m_context, GetParam());
    const auto valuesOf = [&](uint64_t seed) {
        LowRankAdapter adapter(m_context, *model, {.rank = 3});
        adapter.initialise(m_context, seed);
        std::vector<float> all;
        adapter.visitParameters([&](core::Parameter& parameter) {
            const std::vector<float> values = core::toFloats(m_context, parameter.value);
            all.insert(all.end(), values.begin(), values.end());
        });
        return all;
    };
    EXPECT_EQ(valuesOf(1), valuesOf(1));
    EXPECT_NE(valuesOf(1), valuesOf(2));
}

TEST_P(LowRankAdapterTest, detachingRestoresTheBase) {
    const auto model = test::tinyModel(m_context, GetParam());
    const std::vector<float> base = logitsOf(m_context, *model, -1);
    {
        const auto adapter = strongAdapter(m_context, *model);
        adapter->attach(1);
        EXPECT_NE(logitsOf(m_context, *model, 1), base);
        EXPECT_EQ(logitsOf(m_context, *model, -1), base) << "rows of the base are not touched by an attached adapter";
    }
    EXPECT_EQ(logitsOf(m_context, *model, 1), base) << "a destroyed adapter has detached itself";
}

TEST_F(LowRankAdapterTest, targetsChooseTheLayers) {
    const auto model = test::tinyModel(m_context, DType::F32);
    const auto layersFor = [&](const std::string& targets) {
        LoraConfig config{.rank = 2};
        setTargets(config, targets);
        LowRankAdapter adapter(m_context, *model, config);
        return adaptedLayers(adapter);
    };
    EXPECT_THAT(layersFor("q_proj,v_proj"),
                ElementsAre("model.layers.0.self_attn.q_proj", "model.layers.0.self_attn.v_proj",
                            "model.layers.1.self_attn.q_proj", "model.layers.1.self_attn.v_proj"));
    EXPECT_THAT(layersFor("model.layers.1.mlp.up_proj"), ElementsAre("model.layers.1.mlp.up_proj"));
    EXPECT_EQ(layersFor("all-linear").size(), 14U);
    EXPECT_EQ(layersFor(" q_proj  down_proj ,").size(), 4U);
    EXPECT_THAT(layersFor(R"(.*1\.mlp\.(up|down)_proj)"),
                ElementsAre("model.layers.1.mlp.up_proj", "model.layers.1.mlp.down_proj"));
}

TEST_F(LowRankAdapterTest, aTargetThatIsNoProjectionIsNamed) {
    const auto model = test::tinyModel(m_context, DType::F32);
    expectError(ErrorCode::InvalidArgument, "'c_attn' names no projection of the model; there are down_proj, gate_proj",
                [&] {
                    LowRankAdapter adapter(m_context, *model, {.targets = {"q_proj", "c_attn"}});
                });
}

TEST_F(LowRankAdapterTest, onlyTargetedLayersChangeWhenMerged) {
    const auto model = test::tinyModel(m_context, DType::F32);
    const auto weights = [&] {
        std::map<std::string, std::vector<float>> values;
        for (const core::NamedTensor& weight : core::storedWeights(*model))
            values[weight.name] = core::toFloats(m_context, weight.tensor);
        return values;
    };
    const auto before = weights();
    const auto adapter = strongAdapter(m_context, *model, {.rank = 4, .alpha = 8, .targets = {"o_proj"}});
    mergeAdapter(m_context, *adapter);
    for (const auto& [name, values] : weights()) {
        EXPECT_EQ(values != before.at(name), name.ends_with("o_proj.weight")) << name;
    }
}

TEST_F(LowRankAdapterTest, mergedWeightIsTheClosedForm) {
    const auto model = test::tinyModel(m_context, DType::F32);
    const auto adapter = strongAdapter(m_context, *model, {.rank = 3, .alpha = 5, .targets = {"k_proj"}});
    std::vector<std::vector<float>> expected;
    adapter->visitDeltas([&](core::LinearLayer& layer, core::LowRankDelta& delta) {
        std::vector<float> weight = core::toFloats(m_context, layer.weight.value);
        const std::vector<float> a = core::toFloats(m_context, delta.a.value);
        const std::vector<float> b = core::toFloats(m_context, delta.b.value);
        const auto in = static_cast<size_t>(layer.inFeatures());
        for (size_t o = 0; o < static_cast<size_t>(layer.outFeatures()); ++o) {
            for (size_t i = 0; i < in; ++i) {
                double sum = 0;
                for (size_t r = 0; r < 3; ++r) sum += static_cast<double>(b[o * 3 + r]) * a[r * in + i];
                weight[o * in + i] += static_cast<float>(5.0 / 3.0 * sum);
            }
        }
        expected.push_back(std::move(weight));
    });
    mergeAdapter(m_context, *adapter);
    size_t layer = 0;
    adapter->visitDeltas([&](core::LinearLayer& merged, core::LowRankDelta&) {
        EXPECT_LT(relativeError(expected[layer++], core::toFloats(m_context, merged.weight.value)), 4 * 0x1p-24);
    });
}

TEST_F(LowRankAdapterTest, rankStabilisedScaleReachesTheLayers) {
    // The same numbers under both scales: alpha makes up for the root.
    const auto model = test::tinyModel(m_context, DType::F32);
    const auto plain = strongAdapter(m_context, *model, {.rank = 4, .alpha = 8});
    const auto stabilised = strongAdapter(m_context, *model, {.rank = 4, .alpha = 4, .usesRankStabilisedScale = true});
    plain->attach(0);
    stabilised->attach(1);
    EXPECT_EQ(logitsOf(m_context, *model, 0), logitsOf(m_context, *model, 1));
}

}  // namespace
}  // namespace wb::adapters
