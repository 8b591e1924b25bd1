// SPDX-License-Identifier: Apache-2.0
// Settings that would change results and that the engine lacks are refused by name, never approximated.
#include "core/format/hf_config.h"
#include "kernels/base/error.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

namespace wb::core {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

struct Refusal {
    const char* name;
    const char* golden;                // whose config.json is taken,
    const char* changes;               // and changed like this
    std::vector<const char*> mustSay;  // what the message names
};

json goldenConfig(const std::string& name) {
    const fs::path file = fs::path(WHETBENCH_SOURCE_DIR) / "tests/golden/models" / name / "config.json";
    return json::parse(std::ifstream(file));
}

class RefusedModels : public testing::TestWithParam<Refusal> {};

TEST_P(RefusedModels, namesWhatIsNotSupported) {
    const Refusal& refusal = GetParam();
    json config = goldenConfig(refusal.golden);
    ASSERT_NO_THROW(parseModelConfig(config.dump(), "config.json")) << "the model without the change is supported";
    config.merge_patch(json::parse(refusal.changes));
    try {
        parseModelConfig(config.dump(), "config.json");
        FAIL() << "accepted " << refusal.changes;
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::Unsupported) << error.what();
        for (const char* words : refusal.mustSay) EXPECT_THAT(error.what(), testing::HasSubstr(words));
    }
}

INSTANTIATE_TEST_SUITE_P(
    Configs, RefusedModels,
    testing::Values(
        Refusal{"longrope",
                "llama",
                R"({"rope_scaling": {"rope_type": "longrope", "short_factor": [1, 1, 1, 1], "long_factor": [2, 2, 2, 2],
                                     "original_max_position_embeddings": 32}})",
                {"rope_scaling type 'longrope' is not supported", "yarn"}},
        Refusal{"longropeUnderItsFirstName",
                "phi3",
                R"({"rope_scaling": {"type": "su", "short_factor": [1, 1, 1, 1], "long_factor": [2, 2, 2, 2]}})",
                {"rope_scaling type 'su' is not supported"}},
        // Phi-3 files say "yarn" and mean longrope.
        Refusal{"phi3Yarn",
                "phi3",
                R"({"rope_scaling": {"type": "yarn", "short_factor": [1, 1, 1, 1], "long_factor": [2, 2, 2, 2],
                                     "factor": 2.0}})",
                {"rope_scaling type 'yarn' is not supported", "phi3"}},
        Refusal{"multimodalRope",
                "qwen2",
                R"({"rope_scaling": {"type": "mrope", "mrope_section": [1, 1, 2]}})",
                {"rope_scaling type 'mrope' is not supported"}},
        Refusal{"proportionalRope",
                "llama_rope_llama3",
                R"({"rope_parameters": {"rope_type": "proportional", "rope_theta": 10000.0}})",
                {"rope_parameters type 'proportional' is not supported"}},
        Refusal{"stateSpaceModel",
                "llama",
                R"({"model_type": "mamba"})",
                {"'mamba' are not supported", "supported are llama", "m2m_100"}},
        Refusal{"visionModel", "gemma3_text", R"({"model_type": "gemma3"})", {"'gemma3' are not supported"}},
        Refusal{"encoderOnly", "llama", R"({"model_type": "bert"})", {"'bert' are not supported"}},
        Refusal{"chunkedAttention",
                "qwen3_window_biases",
                R"({"layer_types": ["chunked_attention", "full_attention", "full_attention"]})",
                {"'layer_types'", "chunked_attention"}},
        Refusal{"quantisedWeights",
                "llama",
                R"({"quantization_config": {"quant_method": "gptq", "bits": 4}})",
                {"quantised", "quantization_config"}},
        Refusal{"eightBitFloats", "llama", R"({"torch_dtype": "float8_e4m3fn"})", {"'float8_e4m3fn'"}},
        Refusal{"unknownActivation", "llama", R"({"hidden_act": "relu2"})", {"activation 'relu2' is not supported"}},
        Refusal{"unknownGatedActivation",
                "t5_v1_1",
                R"({"feed_forward_proj": "gated-laplace"})",
                {"activation 'laplace' is not supported"}},
        Refusal{"bothDirections",
                "gemma",
                R"({"use_bidirectional_attention": true})",
                {"'use_bidirectional_attention' is true"}},
        Refusal{"clippedProjections", "olmo", R"({"clip_qkv": 8.0})", {"'clip_qkv' is not supported"}},
        Refusal{"crossAttentionInDecoderOnly",
                "gpt2",
                R"({"add_cross_attention": true})",
                {"'add_cross_attention' is true"}},
        Refusal{"unscaledAttention", "gpt2", R"({"scale_attn_weights": false})", {"'scale_attn_weights' is false"}}),
    [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace wb::core
