// SPDX-License-Identifier: Apache-2.0
#include "adapters/lora_config.h"

#include "kernels/base/error.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace wb::adapters {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

// A list of modules with everything that makes names alike.
const std::vector<std::string> kModules{
    "model.layers.0.self_attn.q_proj",
    "model.layers.0.self_attn.my_q_proj",
    "model.layers.1.self_attn.q_proj",
    "model.layers.1.mlp.experts.3.up_proj",
    "model.layers.11.self_attn.q_proj",
    "encoder.block.2.layer.0.SelfAttention.q",
    "q_proj",
    "lm_head",
};

std::vector<std::string> targetsOf(const LoraConfig& config) {
    const ModuleMatcher matcher(config);
    std::vector<std::string> found;
    for (const std::string& module : kModules) {
        if (matcher.isTarget(module, module != "lm_head")) found.push_back(module);
    }
    return found;
}

LoraConfig withExpression(const std::string& expression) {
    LoraConfig config;
    config.targets.clear();
    config.targetExpression = expression;
    return config;
}

TEST(ModuleMatcher, namesMeanWholePartsAtTheEnd) {
    EXPECT_THAT(targetsOf({.targets = {"q_proj"}}),
                ElementsAre("model.layers.0.self_attn.q_proj", "model.layers.1.self_attn.q_proj",
                            "model.layers.11.self_attn.q_proj", "q_proj"));
    EXPECT_THAT(targetsOf({.targets = {"1.self_attn.q_proj", "q"}}),
                ElementsAre("model.layers.1.self_attn.q_proj", "encoder.block.2.layer.0.SelfAttention.q"));
    EXPECT_THAT(targetsOf({.targets = {"model.layers.11.self_attn.q_proj"}}),
                ElementsAre("model.layers.11.self_attn.q_proj"));
    EXPECT_THAT(targetsOf({.targets = {"proj", "self_attn"}}), IsEmpty());
}

TEST(ModuleMatcher, allLinearLeavesTheHead) {
    EXPECT_EQ(targetsOf({}).size(), kModules.size() - 1);
}

TEST(ModuleMatcher, anExpressionMustMatchTheWholeName) {
    EXPECT_THAT(targetsOf(withExpression(".*self_attn.q_proj")),
                ElementsAre("model.layers.0.self_attn.q_proj", "model.layers.1.self_attn.q_proj",
                            "model.layers.11.self_attn.q_proj"));
    EXPECT_THAT(targetsOf(withExpression("self_attn.q_proj|lm_head")), ElementsAre("lm_head"));
    EXPECT_THAT(targetsOf(withExpression(R"(model\.layers\.(?P<n>\d)\..*_proj)")),
                ElementsAre("model.layers.0.self_attn.q_proj", "model.layers.0.self_attn.my_q_proj",
                            "model.layers.1.self_attn.q_proj", "model.layers.1.mlp.experts.3.up_proj"));
}

TEST(ModuleMatcher, exclusionWins) {
    EXPECT_THAT(targetsOf({.targets = {"q_proj"}, .excluded = {"0.self_attn.q_proj", "q_proj"}}), IsEmpty());
    EXPECT_THAT(targetsOf({.targets = {"q_proj", "up_proj"}, .excludedExpression = R"(model\.layers\.1\..*)"}),
                ElementsAre("model.layers.0.self_attn.q_proj", "model.layers.11.self_attn.q_proj", "q_proj"));
    EXPECT_THAT(targetsOf({.targets = {"q_proj", "up_proj"}, .savedModules = {"mlp", "q_proj"}}), IsEmpty())
        << "nothing is adapted inside of what is trained whole";
}

TEST(ModuleMatcher, blocksAreCountedByTheFirstNumber) {
    const std::vector<std::string> targets{"self_attn.q_proj", "up_proj", "q"};
    EXPECT_THAT(targetsOf({.targets = targets, .layers = {1}}),
                ElementsAre("model.layers.1.self_attn.q_proj", "model.layers.1.mlp.experts.3.up_proj"))
        << "not by the number of the expert, and 1 is not 11";
    EXPECT_THAT(targetsOf({.targets = targets, .layers = {2, 11}}),
                ElementsAre("model.layers.11.self_attn.q_proj", "encoder.block.2.layer.0.SelfAttention.q"));
    EXPECT_THAT(targetsOf({.targets = targets, .layers = {0}, .layerPatterns = {"layer"}}),
                ElementsAre("encoder.block.2.layer.0.SelfAttention.q"));
    EXPECT_THAT(targetsOf({.targets = targets, .layers = {3}, .layerPatterns = {"h", "experts"}}),
                ElementsAre("model.layers.1.mlp.experts.3.up_proj"));
    EXPECT_THAT(targetsOf({.targets = {"model.layers.0.self_attn.q_proj"}, .layers = {1}}),
                ElementsAre("model.layers.0.self_attn.q_proj"))
        << "a module named in full is meant wherever it is";
}

TEST(ModuleMatcher, theFirstPatternThatMatchesTheEndDecides) {
    const ModuleMatcher matcher(
        {.rank = 8,
         .alpha = 16,
         .rankPattern = {{"^q_proj", 1}, {R"(0\.self_attn\.q_proj)", 2}, {"q_proj", 3}, {"q", 4}},
         .alphaPattern = {{"mlp", 5}, {R"(mlp\..*)", 0.5}}});
    EXPECT_EQ(matcher.rankOf("q_proj"), 1);
    EXPECT_EQ(matcher.rankOf("model.layers.0.self_attn.q_proj"), 2);
    EXPECT_EQ(matcher.rankOf("model.layers.1.self_attn.q_proj"), 3);
    EXPECT_EQ(matcher.rankOf("model.layers.0.self_attn.my_q_proj"), 8) << "only whole parts";
    EXPECT_EQ(matcher.rankOf("encoder.block.2.layer.0.SelfAttention.q"), 4);
    EXPECT_EQ(matcher.alphaOf("model.layers.1.mlp.experts.3.up_proj"), 0.5);
    EXPECT_EQ(matcher.alphaOf("model.layers.1.self_attn.q_proj"), 16);
}

TEST(ModuleMatcher, anExpressionThatIsNoneIsNamed) {
    try {
        const ModuleMatcher matcher(withExpression("(q_proj"));
        FAIL() << "nothing was thrown";
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::Unsupported);
        EXPECT_THAT(error.what(), testing::HasSubstr("(q_proj"));
    }
}

TEST(LoraConfig, targetsAsTextAreNamesOrAnExpression) {
    LoraConfig config;
    setTargets(config, " q_proj, mlp.up_proj v_proj,");
    EXPECT_THAT(config.targets, ElementsAre("q_proj", "mlp.up_proj", "v_proj"));
    EXPECT_EQ(config.targetExpression, "");
    setTargets(config, R"(.*\.(q|v)_proj)");
    EXPECT_THAT(config.targets, IsEmpty());
    EXPECT_EQ(config.targetExpression, R"(.*\.(q|v)_proj)");
    setTargets(config, "all-linear");
    EXPECT_THAT(config.targets, ElementsAre("all-linear"));
    EXPECT_EQ(config.targetExpression, "");
}

TEST(LoraConfig, rankStabilisedScaleDividesByTheRoot) {
    EXPECT_DOUBLE_EQ((LoraConfig{.rank = 16, .alpha = 32}).scale(), 2.0);
    EXPECT_DOUBLE_EQ((LoraConfig{.rank = 16, .alpha = 32, .usesRankStabilisedScale = true}).scale(), 8.0);
    EXPECT_DOUBLE_EQ((LoraConfig{.rank = 16, .alpha = 32, .usesRankStabilisedScale = true}).scaleOf(4, 6), 3.0);
}

}  // namespace
}  // namespace wb::adapters
