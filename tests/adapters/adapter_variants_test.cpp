// SPDX-License-Identifier: Apache-2.0
// Every kind of low-rank adapter: identity at the start, bits of the base, files, merging.
#include "adapters/merge.h"
#include "adapters/peft.h"
#include "core/format/safetensors.h"
#include "tests/adapters/adapter_fixture.h"

#include <nlohmann/json.hpp>

namespace wb::adapters {
namespace {

using nlohmann::json;
using test::expectError;
using test::logitsOf;
using test::relativeError;
using test::strongAdapter;

struct VariantCase {
    const char* name;
    LoraConfig config;
};

const std::vector<VariantCase>& variants() {
    static const std::vector<VariantCase> cases{
        {"plain", {.rank = 4, .alpha = 8}},
        {"rankStabilised", {.rank = 4, .alpha = 8, .usesRankStabilisedScale = true}},
        {"patterns",
         {.rank = 4,
          .alpha = 8,
          .rankPattern = {{"q_proj", 2}, {R"(1\.mlp\..*)", 6}},
          .alphaPattern = {{"up_proj", 3}}}},
        {"magnitude", {.rank = 4, .alpha = 8, .usesMagnitude = true}},
        {"magnitudeWithPatterns",
         {.rank = 4,
          .alpha = 8,
          .usesRankStabilisedScale = true,
          .targets = {"q_proj", "down_proj"},
          .rankPattern = {{"q_proj", 2}},
          .usesMagnitude = true,
          .biases = BiasTraining::AdaptedLayers}},
        {"biasOfB", {.rank = 4, .alpha = 8, .hasBiasB = true}},
        {"biasesOfAdaptedLayers",
         {.rank = 4, .alpha = 8, .targets = {"q_proj", "v_proj"}, .biases = BiasTraining::AdaptedLayers}},
        {"allBiases", {.rank = 4, .alpha = 8, .targets = {"q_proj", "v_proj"}, .biases = BiasTraining::All}},
    };
    return cases;
}

class AdapterVariantTest : public testing::TestWithParam<std::tuple<VariantCase, DType>> {
protected:
    AdapterVariantTest() : m_model(test::tinyModel(m_context, dtype())) {}

    static const LoraConfig& config() { return std::get<0>(GetParam()).config; }
    static DType dtype() { return std::get<1>(GetParam()); }

    kernels::Runtime m_runtime = test::cpuRuntime();
    const kernels::Context& m_context = m_runtime.context();
    std::unique_ptr<core::LanguageModel> m_model;
    test::TemporaryFolder m_folder;
};

INSTANTIATE_TEST_SUITE_P(Variants, AdapterVariantTest,
                         testing::Combine(testing::ValuesIn(variants()), testing::Values(DType::F32, DType::BF16)),
                         [](const auto& test) {
                             return std::string(std::get<0>(test.param).name) +
                                    std::string(dtypeName(std::get<1>(test.param)));
                         });

TEST_P(AdapterVariantTest, startsAsTheIdentity) {
    const std::vector<float> base = logitsOf(m_context, *m_model, -1);
    LowRankAdapter adapter(m_context, *m_model, config());
    adapter.initialise(m_context, 5);
    adapter.attach(0);
    const std::vector<float> tuned = logitsOf(m_context, *m_model, 0);
    if (config().usesMagnitude) {
        EXPECT_LT(relativeError(base, tuned), test::roundingTolerance(dtype()));
    } else {
        EXPECT_EQ(tuned, base);
    }
}

TEST_P(AdapterVariantTest, rowsOfTheBaseKeepTheirBits) {
    const std::vector<float> base = logitsOf(m_context, *m_model, -1);
    {
        const auto adapter = strongAdapter(m_context, *m_model, config());
        adapter->attach(1);
        EXPECT_GT(relativeError(base, logitsOf(m_context, *m_model, 1)), 0.1) << "the adapter must matter";
        EXPECT_EQ(logitsOf(m_context, *m_model, -1), base);
        EXPECT_EQ(logitsOf(m_context, *m_model, 0), base) << "an index without an adapter is the base";
    }
    EXPECT_EQ(logitsOf(m_context, *m_model, 1), base) << "a destroyed adapter has detached itself";
}

TEST_P(AdapterVariantTest, writtenAndReadAgainGivesTheSameBits) {
    const auto adapter = strongAdapter(m_context, *m_model, config());
    adapter->attach(0);
    const std::vector<float> logits = logitsOf(m_context, *m_model, 0);
    writePeftAdapter(m_context, *adapter, {.lora = config(), .baseModel = "tiny", .sourceJson = {}}, m_folder.path());
    const auto again = loadPeftAdapter(m_context, *m_model, m_folder.path());
    again->attach(2);
    EXPECT_EQ(logitsOf(m_context, *m_model, 2), logits);
    EXPECT_EQ(hashAdapter(m_context, *again), hashPeftFolder(m_folder.path()));
    EXPECT_EQ(hashAdapter(m_context, *adapter), hashPeftFolder(m_folder.path()));
    EXPECT_EQ(again->parameterCount(), adapter->parameterCount());
    // What was read writes the same files.
    const test::TemporaryFolder copy;
    writePeftAdapter(m_context, *again, readPeftConfig(m_folder.path()), copy.path());
    for (const char* file : {kPeftConfigFile, kPeftWeightFile})
        EXPECT_EQ(test::readText(copy / file), test::readText(m_folder / file)) << file;
}

TEST_P(AdapterVariantTest, readingIntoAnAdapterOfTheSameConfigGivesTheSameBits) {
    const auto adapter = strongAdapter(m_context, *m_model, config());
    adapter->attach(0);
    writePeftAdapter(m_context, *adapter, {.lora = config(), .baseModel = "tiny", .sourceJson = {}}, m_folder.path());
    LowRankAdapter resumed(m_context, *m_model, config());
    resumed.initialise(m_context, 1);
    readPeftWeights(m_context, resumed, m_folder.path());
    resumed.attach(1);
    EXPECT_EQ(logitsOf(m_context, *m_model, 1), logitsOf(m_context, *m_model, 0));
}

TEST_P(AdapterVariantTest, mergingEqualsApplying) {
    const auto adapter = strongAdapter(m_context, *m_model, config());
    adapter->attach(0);
    const std::vector<float> applied = logitsOf(m_context, *m_model, 0);
    mergeAdapter(m_context, *adapter);
    // Twice the usual: the updates are as large as the weights.
    EXPECT_LT(relativeError(applied, logitsOf(m_context, *m_model, -1)), 2 * test::roundingTolerance(dtype()));
}

class AdapterFilesTest : public testing::Test {
protected:
    AdapterFilesTest() : m_model(test::tinyModel(m_context, DType::F32)) {}

    void write(const LoraConfig& config) {
        const auto adapter = strongAdapter(m_context, *m_model, config);
        writePeftAdapter(m_context, *adapter, {.lora = config, .baseModel = "tiny", .sourceJson = {}}, m_folder.path());
    }
    json config() const { return json::parse(test::readText(m_folder / kPeftConfigFile)); }
    void setKey(const char* key, const json& value) {
        json changed = config();
        changed[key] = value;
        test::writeText(m_folder / kPeftConfigFile, changed.dump());
    }
    std::vector<int64_t> shapeOf(const std::string& tensor) const {
        const auto file = core::SafetensorsFile::open(m_folder / kPeftWeightFile);
        const core::TensorEntry* entry = file.find("base_model.model." + tensor);
        return entry != nullptr ? entry->shape : std::vector<int64_t>{};
    }
    void expectRefused(ErrorCode code, const std::string& words) {
        expectError(code, words, [&] { loadPeftAdapter(m_context, *m_model, m_folder.path()); });
    }

    kernels::Runtime m_runtime = test::cpuRuntime();
    const kernels::Context& m_context = m_runtime.context();
    std::unique_ptr<core::LanguageModel> m_model;
    test::TemporaryFolder m_folder;
};

TEST_F(AdapterFilesTest, namesAndKeysAreThoseOfTheLibrary) {
    write({.rank = 4,
           .alpha = 8,
           .targets = {"q_proj"},
           .rankPattern = {{"0.self_attn.q_proj", 2}},
           .alphaPattern = {{"q_proj", 2.5}},
           .usesMagnitude = true,
           .biases = BiasTraining::All});
    EXPECT_EQ(shapeOf("model.layers.0.self_attn.q_proj.lora_A.weight"), (std::vector<int64_t>{2, 24}));
    EXPECT_EQ(shapeOf("model.layers.1.self_attn.q_proj.lora_A.weight"), (std::vector<int64_t>{4, 24}));
    EXPECT_EQ(shapeOf("model.layers.1.self_attn.q_proj.lora_magnitude_vector"), (std::vector<int64_t>{24}));
    EXPECT_EQ(shapeOf("model.layers.1.self_attn.q_proj.base_layer.bias"), (std::vector<int64_t>{24}));
    EXPECT_EQ(shapeOf("model.layers.1.mlp.up_proj.bias"), (std::vector<int64_t>{40}));
    EXPECT_EQ(config().at("use_dora"), true);
    EXPECT_EQ(config().at("bias"), "all");
    EXPECT_EQ(config().at("lora_bias"), false);
    EXPECT_EQ(config().at("rank_pattern"), (json{{"0.self_attn.q_proj", 2}}));
    EXPECT_EQ(config().at("alpha_pattern"), (json{{"q_proj", 2.5}}));
    EXPECT_EQ(config().at("target_modules"), json{"q_proj"});
}

TEST_F(AdapterFilesTest, targetsAreTheShortestNamesThatMeanTheAdaptedLayersOnly) {
    const auto targetsFor = [&](const std::string& text) {
        LoraConfig config{.rank = 2};
        setTargets(config, text);
        LowRankAdapter adapter(m_context, *m_model, config);
        return exactTargets(adapter);
    };
    using testing::ElementsAre;
    EXPECT_THAT(targetsFor("all-linear"),
                ElementsAre("down_proj", "gate_proj", "k_proj", "o_proj", "q_proj", "up_proj", "v_proj"));
    EXPECT_THAT(targetsFor(R"(model\.layers\.1\..*[qv]_proj)"),
                ElementsAre("1.self_attn.q_proj", "1.self_attn.v_proj"));
}

TEST_F(AdapterFilesTest, partsThatTheConfigurationDoesNotNameAreRefused) {
    write({.rank = 4, .alpha = 8, .targets = {"q_proj"}, .usesMagnitude = true});
    setKey("use_dora", false);
    expectRefused(ErrorCode::InvalidArgument, "needs use_dora, which adapter_config.json does not set");
    write({.rank = 4, .alpha = 8, .targets = {"q_proj"}, .hasBiasB = true});
    setKey("lora_bias", false);
    expectRefused(ErrorCode::InvalidArgument, "needs lora_bias, which adapter_config.json does not set");
    write({.rank = 4, .alpha = 8, .targets = {"q_proj", "v_proj"}});
    setKey("target_modules", {"q_proj"});
    expectRefused(ErrorCode::InvalidArgument,
                  "adapts 'model.layers.0.self_attn.v_proj', which adapter_config.json does not ask for");
    setKey("target_modules", ".*");
    setKey("exclude_modules", {"1.self_attn.q_proj"});
    expectRefused(ErrorCode::InvalidArgument, "adapts 'model.layers.1.self_attn.q_proj', which adapter_config.json");
}

TEST_F(AdapterFilesTest, partsThatAreMissingAreNamed) {
    write({.rank = 4, .alpha = 8, .targets = {"q_proj"}});
    setKey("use_dora", true);
    expectRefused(ErrorCode::CorruptFile, "q_proj.lora_magnitude_vector' is missing");
    setKey("use_dora", false);
    setKey("lora_bias", true);
    expectRefused(ErrorCode::CorruptFile, "q_proj.lora_B.bias' is missing");
    setKey("lora_bias", false);
    setKey("rank_pattern", {{"q_proj", 3}});
    expectRefused(ErrorCode::InvalidArgument, "4x24, the model needs 3x24");
}

TEST_F(AdapterFilesTest, aBiasOfBWithNothingToJoinIsNotMerged) {
    const auto model = test::tinyModel(m_context, DType::F32, {.hasBias = false});
    const auto adapter = strongAdapter(m_context, *model, {.rank = 2, .alpha = 8, .hasBiasB = true});
    adapter->attach(0);
    const std::vector<float> logits = logitsOf(m_context, *model, 0);
    expectError(ErrorCode::Unsupported, "q_proj has no bias that the adapter's could be merged into",
                [&] { mergeAdapter(m_context, *adapter); });
    EXPECT_EQ(logitsOf(m_context, *model, 0), logits) << "nothing has changed";
}

}  // namespace
}  // namespace wb::adapters
