// SPDX-License-Identifier: Apache-2.0
#include "core/format/hf_config.h"
#include "core/model/architectures/architectures.h"

#include "tests/core/test_files.h"

#include <fmt/format.h>
#include <cmath>
#include <nlohmann/json.hpp>

namespace wb::core {
namespace {

nlohmann::json baseConfig(const char* modelType = "llama") {
    return {{"model_type", modelType},
            {"architectures", {"LlamaForCausalLM"}},
            {"hidden_size", 64},
            {"intermediate_size", 172},
            {"num_hidden_layers", 5},
            {"num_attention_heads", 8},
            {"num_key_value_heads", 4},
            {"vocab_size", 512},
            {"max_position_embeddings", 512},
            {"rms_norm_eps", 1e-5},
            {"bos_token_id", 1},
            {"eos_token_id", 2},
            {"torch_dtype", "bfloat16"}};
}

ModelConfig parse(const nlohmann::json& json) {
    return parseModelConfig(json.dump(), "config.json");
}

nlohmann::json with(const char* key, const nlohmann::json& value, const char* modelType = "llama") {
    nlohmann::json json = baseConfig(modelType);
    json[key] = value;
    return json;
}

TEST(ModelConfig, ReadsTheFourthLayout) {
    nlohmann::json json = baseConfig();
    json["rope_theta"] = 500000;
    json["rope_scaling"] = {{"rope_type", "llama3"},
                            {"factor", 8.0},
                            {"low_freq_factor", 1.0},
                            {"high_freq_factor", 4.0},
                            {"original_max_position_embeddings", 256}};
    json["tie_word_embeddings"] = true;
    json["attention_bias"] = true;
    json["eos_token_id"] = {2, 7};
    const ModelConfig config = parse(json);
    EXPECT_EQ(config.modelType, "llama");
    EXPECT_EQ(config.hiddenSize, 64);
    EXPECT_EQ(config.intermediateSize, 172);
    EXPECT_EQ(config.numLayers, 5);
    EXPECT_EQ(config.numHeads, 8);
    EXPECT_EQ(config.numKvHeads, 4);
    EXPECT_EQ(config.headDim, 8);
    EXPECT_EQ(config.vocabularySize, 512);
    EXPECT_EQ(config.maxPositions, 512);
    EXPECT_DOUBLE_EQ(config.normEps, 1e-5);
    EXPECT_DOUBLE_EQ(config.ropeTheta, 500000);
    EXPECT_EQ(config.ropeScaling.kind, RopeScalingKind::Llama3);
    EXPECT_EQ(config.ropeScaling.originalMaxPositions, 256);
    EXPECT_TRUE(config.tieWordEmbeddings);
    EXPECT_TRUE(config.attentionBias);
    EXPECT_TRUE(config.outputBias);
    EXPECT_FALSE(config.mlpBias);
    EXPECT_EQ(config.bosTokenId, 1);
    EXPECT_EQ(config.eosTokenIds, (std::vector<int32_t>{2, 7}));
    EXPECT_EQ(config.padTokenId, std::nullopt);
    EXPECT_EQ(config.dtype, DType::BF16);
}

TEST(ModelConfig, ReadsTheFifthLayout) {
    nlohmann::json json = baseConfig();
    json.erase("torch_dtype");
    json["dtype"] = "float16";
    json["rope_parameters"] = {{"rope_type", "linear"}, {"factor", 2.0}, {"rope_theta", 20000.0}};
    const ModelConfig config = parse(json);
    EXPECT_EQ(config.dtype, DType::F16);
    EXPECT_DOUBLE_EQ(config.ropeTheta, 20000.0);
    EXPECT_EQ(config.ropeScaling.kind, RopeScalingKind::Linear);
    EXPECT_DOUBLE_EQ(config.ropeScaling.factor, 2.0);
}

TEST(ModelConfig, FamiliesDifferInBiasAndWindow) {
    EXPECT_EQ(parse(with("sliding_window", 128, "llama")).slidingWindow, 0);
    EXPECT_EQ(parse(with("sliding_window", 128, "mistral")).slidingWindow, 128);
    EXPECT_EQ(parse(with("sliding_window", nullptr, "mistral")).slidingWindow, 0);
    EXPECT_EQ(parse(baseConfig("mistral")).slidingWindow, 4096);
    EXPECT_EQ(parse(with("sliding_window", 128, "qwen2")).slidingWindow, 0) << "the switch is off by default";
    nlohmann::json qwen = with("sliding_window", 128, "qwen2");
    qwen["use_sliding_window"] = true;
    qwen["max_window_layers"] = 3;
    const ModelConfig config = parse(qwen);
    EXPECT_TRUE(config.attentionBias);
    EXPECT_FALSE(config.outputBias);
    EXPECT_EQ(config.windowOfLayer(2), 0);
    EXPECT_EQ(config.windowOfLayer(3), 128);
    qwen["layer_types"] = {"full_attention", "sliding_attention", "sliding_attention", "sliding_attention",
                           "sliding_attention"};
    EXPECT_EQ(parse(qwen).slidingLayers, (std::vector<bool>{false, true, true, true, true}));
    qwen["layer_types"] = {"sliding_attention", "full_attention", "sliding_attention", "full_attention",
                           "sliding_attention"};
    EXPECT_EQ(parse(qwen).slidingLayers, (std::vector<bool>{true, false, true, false, true}));
    qwen["layer_types"] = {"full_attention", "chunked_attention", "full_attention", "full_attention", "full_attention"};
    WB_EXPECT_ERROR(parse(qwen), ErrorCode::Unsupported, "chunked_attention");
    qwen["layer_types"] = {"full_attention"};
    WB_EXPECT_ERROR(parse(qwen), ErrorCode::CorruptFile, "layer_types");
}

TEST(ModelConfig, NamesTheKeyOfABadValue) {
    for (const char* key : {"hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads",
                            "vocab_size", "max_position_embeddings"}) {
        nlohmann::json missing = baseConfig();
        missing.erase(key);
        WB_EXPECT_ERROR(parse(missing), ErrorCode::CorruptFile, key);
        for (const nlohmann::json& bad : {nlohmann::json(0), nlohmann::json(-8), nlohmann::json(int64_t{1} << 40),
                                          nlohmann::json("8"), nlohmann::json(7.5), nlohmann::json(UINT64_MAX)}) {
            WB_EXPECT_ERROR(parse(with(key, bad)), ErrorCode::CorruptFile, key);
        }
    }
    WB_EXPECT_ERROR(parse(with("num_attention_heads", 7)), ErrorCode::CorruptFile, "hidden_size");
    WB_EXPECT_ERROR(parse(with("num_key_value_heads", 3)), ErrorCode::CorruptFile, "num_key_value_heads");
    WB_EXPECT_ERROR(parse(with("head_dim", 9)), ErrorCode::Unsupported, "pairs");
    WB_EXPECT_ERROR(parse(with("rms_norm_eps", -1)), ErrorCode::CorruptFile, "norm epsilon");
    WB_EXPECT_ERROR(parse(with("rope_theta", 0)), ErrorCode::CorruptFile, "rope_theta");
    WB_EXPECT_ERROR(parse(with("hidden_act", "swish7")), ErrorCode::Unsupported, "swish7");
    WB_EXPECT_ERROR(parse(with("model_type", "bloom")), ErrorCode::Unsupported, "bloom");
    WB_EXPECT_ERROR(parse(with("torch_dtype", "float8_e4m3fn")), ErrorCode::Unsupported, "float8_e4m3fn");
    WB_EXPECT_ERROR(parse(with("eos_token_id", 512)), ErrorCode::CorruptFile, "eos_token_id");
    WB_EXPECT_ERROR(parse(with("bos_token_id", "one")), ErrorCode::CorruptFile, "bos_token_id");
    WB_EXPECT_ERROR(parse(with("quantization_config", {{"bits", 4}})), ErrorCode::Unsupported, "quantization_config");
    WB_EXPECT_ERROR(parse(with("rope_scaling", {{"type", "longrope"}, {"factor", 2}})), ErrorCode::Unsupported,
                    "rope_scaling type 'longrope' is not supported");
    WB_EXPECT_ERROR(parse(with("rope_scaling", {{"type", "linear"}})), ErrorCode::CorruptFile, "factor");
    WB_EXPECT_ERROR(parse(nlohmann::json::array()), ErrorCode::CorruptFile, "object");
    WB_EXPECT_ERROR(parseModelConfig("{\"a\":", "c.json"), ErrorCode::CorruptFile, "c.json");
    WB_EXPECT_ERROR(parseModelConfig(std::string(1000, '['), "c.json"), ErrorCode::CorruptFile, "nests");
}

TEST(ModelConfig, WritingKeepsUnknownKeysAndPatchesChangedOnes) {
    nlohmann::ordered_json source = nlohmann::ordered_json::parse(baseConfig().dump());
    source["my_own_key"] = {1, 2, 3};
    source["transformers_version"] = "4.40.0";
    ModelConfig config = parseModelConfig(source.dump(), "config.json");
    EXPECT_EQ(nlohmann::ordered_json::parse(modelConfigJson(config)), source) << "unchanged config, changed text";
    config.vocabularySize = 520;
    config.dtype = DType::F32;
    config.eosTokenIds = {2, 3};
    const auto written = nlohmann::ordered_json::parse(modelConfigJson(config));
    EXPECT_EQ(written["my_own_key"], source["my_own_key"]);
    EXPECT_EQ(written["vocab_size"], 520);
    EXPECT_EQ(written["torch_dtype"], "float32");
    EXPECT_EQ(written["eos_token_id"], (nlohmann::ordered_json{2, 3}));
    EXPECT_EQ(written["hidden_size"], 64);
    EXPECT_FALSE(written.contains("head_dim")) << "a key that did not change was added";
}

TEST(ModelConfig, AConfigWithoutSourceSurvivesWritingAndReading) {
    for (const char* modelType : {"llama", "mistral", "qwen2"}) {
        nlohmann::json json = baseConfig(modelType);
        json["sliding_window"] = 100;
        json["use_sliding_window"] = true;
        json["max_window_layers"] = 2;
        json["rope_scaling"] = {{"rope_type", "linear"}, {"factor", 4.0}};
        json["tie_word_embeddings"] = true;
        json["pad_token_id"] = 0;
        ModelConfig config = parse(json);
        const ModelConfig original = config;
        config.sourceJson.clear();
        const ModelConfig again = parseModelConfig(modelConfigJson(config), "config.json");
        EXPECT_EQ(again.modelType, original.modelType);
        EXPECT_EQ(again.slidingWindow, original.slidingWindow) << modelType;
        EXPECT_EQ(again.slidingLayers, original.slidingLayers) << modelType;
        EXPECT_EQ(again.ropeScaling, original.ropeScaling);
        EXPECT_EQ(again.tieWordEmbeddings, original.tieWordEmbeddings);
        EXPECT_EQ(again.attentionBias, original.attentionBias);
        EXPECT_EQ(again.padTokenId, original.padTokenId);
        EXPECT_EQ(again.dtype, original.dtype);
        EXPECT_EQ(expectedTensors(networkConfigOf(again)), expectedTensors(networkConfigOf(original)));
    }
}

TEST(ModelConfig, RotaryFrequenciesFollowTheirFormulas) {
    constexpr int64_t kDim = 16;
    const auto frequencies = [](const RopeScaling& scaling) { return ropeInverseFrequencies(scaling, 10000.0, kDim); };
    const std::vector<double> plain = frequencies({});
    ASSERT_EQ(plain.size(), 8U);
    EXPECT_DOUBLE_EQ(plain[0], 1.0);
    EXPECT_NEAR(plain[1], std::pow(10000.0, -2.0 / 16.0), 1e-15);
    EXPECT_DOUBLE_EQ(frequencies({.kind = RopeScalingKind::Linear, .factor = 4.0})[3], plain[3] / 4.0);
    const std::vector<double> llama3 =
        frequencies({.kind = RopeScalingKind::Llama3, .factor = 8.0, .originalMaxPositions = 8192});
    EXPECT_DOUBLE_EQ(llama3[0], plain[0]) << "8192 / 2 pi turns: untouched";
    const double turns = 8192 * plain[6] / 6.283185307179586;  // 1.3: between the two factors
    const double mix = (turns - 1.0) / 3.0;
    EXPECT_NEAR(llama3[6], (1.0 - mix) * plain[6] / 8.0 + mix * plain[6], 1e-18);
    EXPECT_DOUBLE_EQ(llama3[7], plain[7] / 8.0) << "0.4 turns: stretched by the whole factor";
    RopeScaling factors{.kind = RopeScalingKind::FrequencyFactors};
    factors.frequencyFactors.assign(kDim / 2, 2.0F);
    EXPECT_DOUBLE_EQ(frequencies(factors)[5], plain[5] / 2.0);
}

TEST(ModelConfig, CountsParameters) {
    ModelConfig config = parse(with("tie_word_embeddings", true));
    const int64_t layer = 64 * 64 * 2 + 64 * 32 * 2 + 64 * 172 * 3 + 128;
    EXPECT_EQ(config.parameterCount(), 512 * 64 + 5 * layer + 64);
    config.tieWordEmbeddings = false;
    EXPECT_EQ(config.parameterCount(), 2 * 512 * 64 + 5 * layer + 64);
}

TEST(GenerationConfig, ReadsListsAndFallsBackToTheModel) {
    const test::TemporaryFolder folder;
    const ModelConfig model = parse(baseConfig());
    const GenerationConfig none = readGenerationConfig(folder.path(), model);
    EXPECT_EQ(none.eosTokenIds, std::vector<int32_t>{2});
    EXPECT_EQ(none.temperature, std::nullopt);
    test::writeText(folder / "generation_config.json",
                    R"({"eos_token_id":[5,6],"temperature":0.7,"top_k":40,"do_sample":true})");
    const GenerationConfig config = readGenerationConfig(folder.path(), model);
    EXPECT_EQ(config.eosTokenIds, (std::vector<int32_t>{5, 6}));
    EXPECT_EQ(config.bosTokenId, 1);
    EXPECT_EQ(config.temperature, 0.7);
    EXPECT_EQ(config.topK, 40);
    EXPECT_EQ(config.doSample, true);
    test::writeText(folder / "generation_config.json", R"({"temperature":"hot"})");
    WB_EXPECT_ERROR(readGenerationConfig(folder.path(), model), ErrorCode::CorruptFile, "temperature");
}

}  // namespace
}  // namespace wb::core
