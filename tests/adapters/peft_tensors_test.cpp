// SPDX-License-Identifier: Apache-2.0
#include "adapters/peft_tensors.h"

#include "adapters/peft.h"
#include "tests/adapters/adapter_fixture.h"

namespace wb::adapters {
namespace {

using test::expectError;

constexpr const char* kLayer = "model.layers.0.self_attn.q_proj";

struct NameCase {
    const char* name;
    const char* module;
    PeftPart part;
    const char* adapter = "";
};

class PeftNameTest : public testing::TestWithParam<NameCase> {};

INSTANTIATE_TEST_SUITE_P(
    Names, PeftNameTest,
    testing::Values(
        NameCase{"base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight", kLayer, PeftPart::LoraA},
        NameCase{"model.layers.0.self_attn.q_proj.lora_B.weight", kLayer, PeftPart::LoraB},
        NameCase{"base_model.model.model.layers.0.self_attn.q_proj.lora_A.default.weight", kLayer, PeftPart::LoraA,
                 "default"},
        NameCase{"model.layers.0.self_attn.q_proj.lora_B.mine.bias", kLayer, PeftPart::LoraBiasB, "mine"},
        NameCase{"model.layers.0.self_attn.q_proj.lora_magnitude_vector", kLayer, PeftPart::Magnitude},
        NameCase{"model.layers.0.self_attn.q_proj.lora_magnitude_vector.weight", kLayer, PeftPart::Magnitude},
        NameCase{"model.layers.0.self_attn.q_proj.lora_magnitude_vector.default", kLayer, PeftPart::Magnitude,
                 "default"},
        NameCase{"model.layers.0.self_attn.q_proj.lora_magnitude_vector.default.weight", kLayer, PeftPart::Magnitude,
                 "default"},
        NameCase{"base_model.model.model.embed_tokens.lora_embedding_A", "model.embed_tokens", PeftPart::EmbeddingA},
        NameCase{"model.embed_tokens.lora_embedding_B.default", "model.embed_tokens", PeftPart::EmbeddingB, "default"},
        NameCase{"base_model.model.lm_head.weight", "lm_head", PeftPart::Weight},
        NameCase{"base_model.model.lm_head.modules_to_save.weight", "lm_head", PeftPart::Weight},
        NameCase{"base_model.model.lm_head.modules_to_save.default.weight", "lm_head", PeftPart::Weight, "default"},
        NameCase{"base_model.model.model.layers.0.self_attn.q_proj.base_layer.bias", kLayer, PeftPart::Bias},
        NameCase{"base_model.model.model.layers.0.self_attn.q_proj.bias", kLayer, PeftPart::Bias}));

TEST_P(PeftNameTest, isUnderstood) {
    const PeftTensorName parsed = parsePeftName(GetParam().name, "file");
    EXPECT_EQ(parsed.module, GetParam().module);
    EXPECT_EQ(parsed.part, GetParam().part);
    EXPECT_EQ(parsed.adapter, GetParam().adapter);
}

TEST(PeftName, whatIsNoPartIsRefusedByName) {
    for (const char* name : {"", "weight", "lora_A.weight", "x.lora_A", "x.lora_A.a.b.weight", "x.lora_C.weight",
                             "x.lora_A.bias", "prompt_embeddings", "x.ia3_l", "x.base_layer.weight_scale",
                             "x.lora_magnitude_vector.bias", "base_model.model.", "x.modules_to_save.a.b.weight"}) {
        SCOPED_TRACE(name);
        expectError(ErrorCode::Unsupported, std::string("adapter tensor '") + name + "'",
                    [&] { parsePeftName(name, "file"); });
    }
}

class PeftWeightsTest : public testing::Test {
protected:
    PeftWeights write(const std::vector<std::string>& names) const {
        std::vector<core::TensorDeclaration> declarations;
        for (const std::string& name : names) declarations.push_back({name, DType::F32, {1}});
        core::SafetensorsWriter writer(m_folder / kPeftWeightFile, declarations);
        for (const std::string& name : names) writer.write(name, std::vector<std::byte>(4));
        writer.finish();
        return PeftWeights::open(m_folder.path());
    }
    test::TemporaryFolder m_folder;
};

TEST_F(PeftWeightsTest, groupsByModule) {
    const PeftWeights weights = write({"base_model.model.a.q.lora_A.weight", "base_model.model.a.q.lora_B.weight",
                                       "base_model.model.a.q.base_layer.bias", "base_model.model.lm_head.weight"});
    ASSERT_EQ(weights.modules().size(), 2U);
    EXPECT_EQ(weights.modules().at("a.q").size(), 3U);
    EXPECT_EQ(weights.modules().at("lm_head").at(PeftPart::Weight)->name, "base_model.model.lm_head.weight");
}

TEST_F(PeftWeightsTest, theSamePartTwiceIsCorrupt) {
    expectError(ErrorCode::CorruptFile, "are the same part of an adapter", [&] {
        write({"base_model.model.a.q.lora_A.weight", "a.q.lora_A.default.weight"});
    });
}

TEST_F(PeftWeightsTest, severalAdaptersInOneFileAreRefused) {
    expectError(ErrorCode::Unsupported, "holds tensors of 2 adapters ('first', 'second')", [&] {
        write({"a.q.lora_A.first.weight", "a.q.lora_B.second.weight"});
    });
}

TEST_F(PeftWeightsTest, pickledWeightsAreRefusedWithTheReason) {
    test::writeText(m_folder / "adapter_model.bin", "PK");
    expectError(ErrorCode::Unsupported, "is a pickle file, which can run programs",
                [&] { PeftWeights::open(m_folder.path()); });
    test::writeText(m_folder / kPeftConfigFile, "{}");
    EXPECT_TRUE(isPeftFolder(m_folder.path()));
}

}  // namespace
}  // namespace wb::adapters
