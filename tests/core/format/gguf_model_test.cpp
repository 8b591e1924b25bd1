// SPDX-License-Identifier: Apache-2.0
// Models of every architecture written as GGUF and read again.
#include "core/format/gguf_model_writer.h"

#include "core/format/gguf.h"
#include "core/format/gguf_architectures.h"
#include "core/format/gguf_config.h"
#include "core/format/gguf_layout.h"
#include "core/format/model_folder.h"
#include "core/model/architectures/architectures.h"
#include "kernels/base/q4_block.h"
#include "tests/core/test_files.h"

#include <fmt/format.h>
#include <algorithm>
#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>
#include <tuple>

namespace wb::core {
namespace {

using test::TemporaryFolder;

std::filesystem::path goldenModel(std::string_view name) {
    return std::filesystem::path(WHETBENCH_SOURCE_DIR) / "tests/golden/models" / name;
}

// A golden model whose config says something else under some keys.
class PatchedModel {
public:
    PatchedModel(std::string_view name, const nlohmann::json& patch) {
        nlohmann::json config = nlohmann::json::parse(test::readText(goldenModel(name) / "config.json"));
        config.update(patch);
        test::writeText(m_folder / "config.json", config.dump());
        std::filesystem::copy_file(goldenModel(name) / "model.safetensors", m_folder / "model.safetensors");
    }
    ModelSource open() const { return ModelSource::open(m_folder.path()); }

private:
    TemporaryFolder m_folder;
};

std::vector<float> transposed(const std::vector<float>& values, int64_t rows, int64_t columns) {
    std::vector<float> result(values.size());
    for (int64_t r = 0; r < rows; ++r) {
        for (int64_t c = 0; c < columns; ++c) {
            result[static_cast<size_t>(c * rows + r)] = values[static_cast<size_t>(r * columns + c)];
        }
    }
    return result;
}

// The weights of a source in the order of memory: matrices [out, in].
struct MemoryWeight {
    GgufWeight weight;
    std::vector<float> values;
};

std::vector<MemoryWeight> memoryWeights(const ModelSource& source) {
    std::vector<MemoryWeight> weights;
    for (const ExpectedTensor& expected : expectedTensors(networkConfigOf(source.config()))) {
        MemoryWeight item{{expected.name, expected.shape},
                          std::vector<float>(static_cast<size_t>(source.tensor(expected.name).count()))};
        source.readTensorAsFloat(expected.name, item.values);
        if (expected.isTransposed) {
            item.values = transposed(item.values, expected.shape[0], expected.shape[1]);
            std::ranges::reverse(item.weight.shape);
        }
        weights.push_back(std::move(item));
    }
    return weights;
}

GgufMetadata someVocabulary(int64_t size) {
    std::vector<std::string> tokens;
    for (int64_t id = 0; id < size; ++id) tokens.push_back(fmt::format("t{}", id));
    return {{"tokenizer.ggml.model", std::string("gpt2")}, {"tokenizer.ggml.tokens", tokens}};
}

// Writes the model and returns the rounded weights that the writer promises.
std::vector<MemoryWeight> writeGguf(const ModelSource& source, GgufType type, const std::filesystem::path& path) {
    std::vector<MemoryWeight> weights = memoryWeights(source);
    std::vector<GgufWeight> declared;
    for (const MemoryWeight& item : weights) declared.push_back(item.weight);
    GgufModelWriter writer(path, "tiny", source.config(), type, someVocabulary(source.config().vocabularySize),
                           declared);
    for (MemoryWeight& item : weights) writer.write(item.weight.name, item.values);
    writer.finish();
    return weights;
}

void expectSameSizes(const ModelConfig& a, const ModelConfig& b) {
    EXPECT_EQ(a.hiddenSize, b.hiddenSize);
    EXPECT_EQ(a.intermediateSize, b.intermediateSize);
    EXPECT_EQ(a.numLayers, b.numLayers);
    EXPECT_EQ(a.numEncoderLayers, b.numEncoderLayers);
    EXPECT_EQ(a.numHeads, b.numHeads);
    EXPECT_EQ(a.numKvHeads, b.numKvHeads);
    EXPECT_EQ(a.headDim, b.headDim);
    EXPECT_EQ(a.rotaryDim, b.rotaryDim);
    EXPECT_EQ(a.vocabularySize, b.vocabularySize);
    EXPECT_EQ(a.maxPositions, b.maxPositions);
    EXPECT_EQ(a.normEps, b.normEps);
    EXPECT_EQ(a.ropeTheta, b.ropeTheta);
    EXPECT_EQ(a.slidingWindow, b.slidingWindow);
    EXPECT_EQ(a.slidingLayers, b.slidingLayers);
}

// Everything that the arithmetic of two networks is made of, apart from their names.
void expectSameNetwork(const NetworkConfig& a, const NetworkConfig& b) {
    ASSERT_EQ(a.decoder.blocks.size(), b.decoder.blocks.size());
    ASSERT_EQ(a.decoder.rotary.size(), b.decoder.rotary.size());
    EXPECT_FLOAT_EQ(a.decoder.embeddingScale, b.decoder.embeddingScale);
    EXPECT_FLOAT_EQ(a.head.softCap, b.head.softCap);
    EXPECT_FLOAT_EQ(a.head.logitScale, b.head.logitScale);
    for (size_t i = 0; i < a.decoder.rotary.size(); ++i) {
        ASSERT_EQ(a.decoder.rotary[i].frequencies.size(), b.decoder.rotary[i].frequencies.size());
        EXPECT_FLOAT_EQ(a.decoder.rotary[i].magnitude, b.decoder.rotary[i].magnitude);
        for (size_t k = 0; k < a.decoder.rotary[i].frequencies.size(); ++k) {
            const float expected = a.decoder.rotary[i].frequencies[k];
            EXPECT_NEAR(b.decoder.rotary[i].frequencies[k], expected, 1e-6F * expected);
        }
    }
    for (size_t i = 0; i < a.decoder.blocks.size(); ++i) {
        const BlockConfig& x = a.decoder.blocks[i];
        const BlockConfig& y = b.decoder.blocks[i];
        EXPECT_EQ(x.attention.window, y.attention.window) << "layer " << i;
        EXPECT_EQ(x.attention.rotary, y.attention.rotary) << "layer " << i;
        EXPECT_FLOAT_EQ(x.attention.softCap, y.attention.softCap) << "layer " << i;
        EXPECT_FLOAT_EQ(x.attention.scale, y.attention.scale) << "layer " << i;
        EXPECT_EQ(x.feedForward.activation, y.feedForward.activation) << "layer " << i;
        EXPECT_EQ(x.isParallel, y.isParallel) << "layer " << i;
    }
}

// Golden models have settings of all kinds, some of which llama.cpp lacks: those are put right first.
struct WrittenModel {
    const char* name;
    const char* patch = "{}";
};

class GgufModel : public testing::TestWithParam<WrittenModel> {
protected:
    const PatchedModel m_patched{GetParam().name, nlohmann::json::parse(GetParam().patch)};
    const ModelSource m_original = m_patched.open();
};

INSTANTIATE_TEST_SUITE_P(Written, GgufModel,
                         testing::Values(WrittenModel{"llama"}, WrittenModel{"llama_gqa"}, WrittenModel{"llama_tied"},
                                         WrittenModel{"llama_biases", R"({"hidden_act": "silu"})"},
                                         WrittenModel{"llama_rope_llama3"}, WrittenModel{"llama_rope_linear"},
                                         WrittenModel{"mistral"}, WrittenModel{"mistral_head_dim"},
                                         WrittenModel{"qwen2"}, WrittenModel{"gemma"},
                                         WrittenModel{"gemma2", R"({"query_pre_attn_scalar": 12})"},
                                         WrittenModel{"gemma3_text", R"({"query_pre_attn_scalar": 12})"},
                                         WrittenModel{"gpt2"},
                                         WrittenModel{"t5", R"({"relative_attention_max_distance": 128})"},
                                         WrittenModel{"t5_v1_1", R"({"relative_attention_max_distance": 128})"}),
                         [](const auto& test) { return std::string(test.param.name); });

TEST_P(GgufModel, RereadsAsTheSameModel) {
    const TemporaryFolder folder;
    const std::vector<MemoryWeight> weights = writeGguf(m_original, GgufType::F32, folder / "m.gguf");
    const ModelSource written = ModelSource::open(folder / "m.gguf");
    expectSameSizes(m_original.config(), written.config());
    const NetworkConfig network = networkConfigOf(m_original.config());
    expectSameNetwork(network, networkConfigOf(written.config()));
    EXPECT_TRUE(written.unusedTensors().empty());
    for (const MemoryWeight& item : weights) {
        std::vector<float> expected(item.values.size());
        std::vector<float> values(item.values.size());
        m_original.readTensorAsFloat(item.weight.name, expected);
        written.readTensorAsFloat(item.weight.name, values);
        const bool isNorm = item.weight.name.find("norm") != std::string::npos;
        for (size_t i = 0; i < values.size(); ++i) {
            // 1 + weight in single precision, and back.
            ASSERT_NEAR(values[i], expected[i], isNorm ? 1.3e-7F : 0.0F) << item.weight.name << " " << i;
        }
    }
}

TEST_P(GgufModel, RoundsAsTheWriterPromises) {
    for (const GgufType type : {GgufType::F16, GgufType::BF16, GgufType::Q8_0}) {
        SCOPED_TRACE(ggufTypeName(type));
        const TemporaryFolder folder;
        const std::vector<MemoryWeight> promised = writeGguf(m_original, type, folder / "m.gguf");
        const ModelSource written = ModelSource::open(folder / "m.gguf");
        const auto transposedNames = expectedTensors(networkConfigOf(written.config()));
        for (const MemoryWeight& item : promised) {
            std::vector<float> values(item.values.size());
            written.readTensorAsFloat(item.weight.name, values);
            const auto expected = std::ranges::find(transposedNames, item.weight.name, &ExpectedTensor::name);
            if (expected->isTransposed) values = transposed(values, expected->shape[0], expected->shape[1]);
            ASSERT_EQ(values, item.values) << item.weight.name;
        }
    }
}

TEST(GgufModelRefusals, SettingsThatLlamaCppLacksAreNamed) {
    const std::tuple<const char*, const char*, const char*> cases[] = {
        {"llama_biases", "{}", "activation 'gelu_pytorch_tanh'"},
        {"llama_rope_yarn", "{}", "'yarn'"},
        {"gemma2", "{}", "'query_pre_attn_scalar' 20"},
        {"gemma3_text", "{}", "'query_pre_attn_scalar' 10"},
        {"gpt2_scaled_by_layer", R"({"activation_function": "gelu_new"})", "'scale_attn_by_inverse_layer_idx'"},
        {"qwen2_window", "{}", "sliding window"},
        {"t5", "{}", "'relative_attention_max_distance' 24"},
        {"opt", "{}", "type 'opt'"},
        {"bart", "{}", "type 'bart'"},
    };
    for (const auto& [name, patch, part] : cases) {
        SCOPED_TRACE(name);
        const PatchedModel patched(name, nlohmann::json::parse(patch));
        WB_EXPECT_ERROR(ggufMetadataOf(patched.open().config()), ErrorCode::Unsupported, part);
    }
}

TEST(GgufModelHostile, EveryTruncationIsANamedError) {
    const TemporaryFolder folder;
    writeGguf(ModelSource::open(goldenModel("qwen2")), GgufType::F16, folder / "m.gguf");
    const std::string whole = test::readText(folder / "m.gguf");
    constexpr size_t kHead = 4096;
    ASSERT_GT(whole.size(), kHead);
    for (size_t length = 0; length < whole.size(); length += length < kHead ? 1 : 997) {
        test::writeText(folder / "cut.gguf", std::string_view(whole).substr(0, length));
        const auto failure = test::failureOf([&] { ModelSource::open(folder / "cut.gguf"); });
        ASSERT_TRUE(failure.has_value()) << "accepted when cut to " << length;
        ASSERT_EQ(failure->code, ErrorCode::CorruptFile) << failure->text;
    }
}

// What a file says beside its tensors, one thing changed.
TEST(GgufModelHostile, WrongMetadataIsRefusedByItsKey) {
    const ModelConfig config = ModelSource::open(goldenModel("gemma2")).config();
    const auto expect = [&](std::string_view key, const GgufField& value, ErrorCode code, std::string_view part) {
        SCOPED_TRACE(key);
        ModelConfig patched = config;
        const std::string from = "\"query_pre_attn_scalar\": 20";
        const size_t at = patched.sourceJson.find(from);
        ASSERT_NE(at, std::string::npos);
        patched.sourceJson.replace(at, from.size(), "\"query_pre_attn_scalar\": 12");
        GgufMetadata metadata = ggufMetadataOf(patched);
        const auto entry = std::ranges::find(metadata, key, &GgufEntry::key);
        if (entry == metadata.end()) {
            metadata.push_back({std::string(key), value});
        } else {
            entry->value = value;
        }
        const TemporaryFolder folder;
        GgufWriter(folder / "m.gguf", metadata, {}).finish();
        WB_EXPECT_ERROR(modelConfigFromGguf(GgufFile::open(folder / "m.gguf")), code, part);
    };
    expect("general.architecture", std::string("mamba"), ErrorCode::Unsupported, "'mamba'");
    expect("gemma2.block_count", std::string("two"), ErrorCode::CorruptFile, "'gemma2.block_count'");
    expect("gemma2.block_count", uint32_t{0}, ErrorCode::CorruptFile, "num_hidden_layers");
    expect("gemma2.block_count", uint32_t{4000000000}, ErrorCode::CorruptFile, "num_hidden_layers");
    expect("gemma2.attention.head_count", uint32_t{0}, ErrorCode::CorruptFile, "num_attention_heads");
    expect("gemma2.attention.head_count", std::vector<int32_t>{4, 2}, ErrorCode::Unsupported, "differs between layers");
    expect("gemma2.attention.value_length", uint32_t{6}, ErrorCode::Unsupported, "value length 6");
    expect("gemma2.rope.dimension_count", uint32_t{6}, ErrorCode::Unsupported, "rotary length 6");
    expect("gemma2.rope.scaling.type", std::string("longrope"), ErrorCode::Unsupported, "'longrope'");
    expect("gemma2.expert_count", uint32_t{8}, ErrorCode::Unsupported, "8 experts");
    expect("gemma2.attention.sliding_window_pattern", uint32_t{0}, ErrorCode::CorruptFile, "sliding_window_pattern");
    expect("gemma2.attention.sliding_window_pattern", std::vector<int32_t>{1}, ErrorCode::CorruptFile, "layer_types");
    expect("tokenizer.ggml.bos_token_id", uint32_t{3000000000}, ErrorCode::CorruptFile, "bos_token_id");
}

TEST(GgufModelHostile, TheWriterRefusesWhatItCannotHold) {
    const TemporaryFolder folder;
    const auto expect = [&](const GgufMetadata& metadata, const std::vector<GgufDeclaration>& tensors,
                            std::string_view part) {
        WB_EXPECT_ERROR(GgufWriter(folder / "m.gguf", metadata, tensors), ErrorCode::InvalidArgument, part);
    };
    expect({{"a", true}, {"a", false}}, {}, "declared twice");
    expect({{"", true}}, {}, "an empty name");
    expect({}, {{"t", GgufType::F32, {1}}, {"t", GgufType::F32, {1}}}, "declared twice");
    expect({}, {{"t", GgufType::Q8_0, {2, 33}}}, "cannot be stored as Q8_0");
    expect({}, {{"t", GgufType::F32, {}}}, "cannot be stored");
    expect({}, {{"t", GgufType::F32, {2, 0}}}, "cannot be stored");
    expect({}, {{"t", GgufType::F32, {1, 1, 1, 1, 1}}}, "cannot be stored");
    expect({}, {{std::string(64, 'n'), GgufType::F32, {1}}}, "longer than 63");
    GgufWriter writer(folder / "m.gguf", {}, {{"t", GgufType::F32, {2}}});
    const std::vector<std::byte> bytes(8);
    WB_EXPECT_ERROR(writer.write("u", bytes), ErrorCode::InvalidArgument, "'t' of 8");
    WB_EXPECT_ERROR(writer.write("t", std::span(bytes).first(4)), ErrorCode::InvalidArgument, "'t' of 8");
    WB_EXPECT_ERROR(writer.finish(), ErrorCode::InvalidArgument, "not written");
    EXPECT_FALSE(std::filesystem::exists(folder / "m.gguf"));
    const std::vector<float> large(32, 70000.0F);
    WB_EXPECT_ERROR(narrowForGguf(GgufType::F16, large, "w"), ErrorCode::Unsupported, "'w' holds 70000");
    EXPECT_EQ(narrowForGguf(GgufType::Q8_0, large, "w").size(), 34U);
    const std::vector<float> nan(32, std::nanf(""));
    WB_EXPECT_ERROR(narrowForGguf(GgufType::Q8_0, nan, "w"), ErrorCode::Unsupported, "nan");
    WB_EXPECT_ERROR(narrowForGguf(GgufType::Q8_0, std::span(large).first(31), "w"), ErrorCode::InvalidArgument, "31");
    EXPECT_EQ(ggufTypeFor(GgufType::Q8_0, "blk.0.attn_q.weight", std::vector<int64_t>{8, 48}), GgufType::F16);
    EXPECT_EQ(ggufTypeFor(GgufType::Q8_0, "blk.0.attn_q.weight", std::vector<int64_t>{8, 64}), GgufType::Q8_0);
    EXPECT_EQ(ggufTypeFor(GgufType::F16, "blk.0.attn_norm.weight", std::vector<int64_t>{8}), GgufType::F32);
    EXPECT_EQ(ggufTypeFor(GgufType::F16, "position_embd.weight", std::vector<int64_t>{8, 8}), GgufType::F32);
}

TEST(GgufModelHostile, RoundsToTheBlocksOfTheReference) {
    WB_NEED_SHARED_DATA(input, "quant_golden/input.f32");
    const std::string stored = test::readText(input);
    std::vector<float> values(stored.size() / sizeof(float));
    std::memcpy(values.data(), stored.data(), stored.size());
    for (const auto& [type, name] : {std::pair{GgufType::Q8_0, "Q8_0"}, std::pair{GgufType::F16, "F16"},
                                     std::pair{GgufType::BF16, "BF16"}, std::pair{GgufType::F32, "input"}}) {
        const std::string extension = type == GgufType::F32 ? "f32" : "bin";
        WB_NEED_SHARED_DATA(golden, fmt::format("quant_golden/{}.{}", name, extension));
        const std::vector<std::byte> bytes = narrowForGguf(type, values, name);
        const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
        EXPECT_TRUE(text == test::readText(golden)) << name;
    }
    WB_NEED_SHARED_DATA(fourBits, "quant_golden/Q4_0.bin");
    std::vector<Q4Block> blocks;
    for (size_t i = 0; i < values.size(); i += Q4Block::kLength) blocks.push_back(quantizeQ4(values.data() + i));
    const std::string_view text(reinterpret_cast<const char*>(blocks.data()), blocks.size() * sizeof(Q4Block));
    EXPECT_TRUE(text == test::readText(fourBits)) << "Q4_0";
}

TEST(GgufModelNames, RowsLieAsLlamaCppHasThem) {
    const auto rows = [](GgufLayout layout, size_t count, HeadRows heads) {
        return ggufRows(layout, count, heads, "t");
    };
    // Two heads of four rows: halves of a head against neighbouring pairs.
    EXPECT_EQ(rows(GgufLayout::RotaryPairs, 8, {2, 1}), (std::vector<size_t>{0, 2, 1, 3, 4, 6, 5, 7}));
    // Four queries and two keys of one row: q q k v, q q k v against q q q q, k k, v v.
    EXPECT_EQ(rows(GgufLayout::GroupedHeads, 8, {4, 2}), (std::vector<size_t>{0, 1, 4, 6, 2, 3, 5, 7}));
    EXPECT_EQ(rows(GgufLayout::GroupedHeads, 12, {2, 2}), (std::vector<size_t>{0, 1, 4, 5, 8, 9, 2, 3, 6, 7, 10, 11}));
    EXPECT_EQ(rows(GgufLayout::PlusOne, 3, {2, 1}), (std::vector<size_t>{0, 1, 2}));
    WB_EXPECT_ERROR(rows(GgufLayout::RotaryPairs, 6, {2, 1}), ErrorCode::CorruptFile, "6 rows for 2 heads");
    WB_EXPECT_ERROR(rows(GgufLayout::GroupedHeads, 9, {4, 2}), ErrorCode::CorruptFile, "9 rows");
    WB_EXPECT_ERROR(rows(GgufLayout::GroupedHeads, 8, {0, 0}), ErrorCode::CorruptFile, "0 heads");
    WB_EXPECT_ERROR(rows(GgufLayout::GroupedHeads, 8, {3, 2}), ErrorCode::CorruptFile, "3 heads");
}

TEST(GgufModelNames, EveryWeightOfAFamilyHasAPlace) {
    const std::pair<const char*, const char*> models[] = {
        {"llama", "llama_biases"}, {"qwen2", "qwen2"},           {"qwen3", "qwen3"},   {"gemma", "gemma"},
        {"gemma2", "gemma2"},      {"gemma3", "gemma3_text"},    {"phi2", "phi"},      {"phi3", "phi3"},
        {"gpt2", "gpt2"},          {"gptneox", "gpt_neox"},      {"falcon", "falcon"}, {"olmo2", "olmo2"},
        {"granite", "granite"},    {"starcoder2", "starcoder2"}, {"t5", "t5_v1_1"},
    };
    for (const auto& [architecture, model] : models) {
        if (!std::filesystem::exists(goldenModel(model))) continue;
        const ModelSource source = ModelSource::open(goldenModel(model));
        std::vector<std::string> names;
        for (const ExpectedTensor& expected : expectedTensors(networkConfigOf(source.config()))) {
            const GgufPlace place = ggufPlaceOf(ggufArchitectureNamed(architecture, "test"), expected.name);
            EXPECT_FALSE(place.name.empty()) << architecture << ": " << expected.name;
            names.push_back(place.name);
        }
        std::ranges::sort(names);
        EXPECT_EQ(std::ranges::adjacent_find(names), names.end()) << architecture;
    }
    const GgufArchitecture& llama = ggufArchitectureNamed("llama", "test");
    for (const char* name : {"model.layers.x.self_attn.q_proj.weight", "model.layers..self_attn.q_proj.weight",
                             "model.layers.1.attn.c_attn.weight", "model.embed_tokens", "", "lm_head.scale",
                             "model.layers.99999999999.self_attn.q_proj.weight"}) {
        EXPECT_EQ(ggufPlaceOf(llama, name).name, "") << name;
    }
    WB_EXPECT_ERROR(ggufArchitectureNamed("mamba", "x.gguf"), ErrorCode::Unsupported, "'mamba'");
    WB_EXPECT_ERROR(ggufArchitectureFor("opt"), ErrorCode::Unsupported, "type 'opt'");
}

}  // namespace
}  // namespace wb::core
