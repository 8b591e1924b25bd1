// SPDX-License-Identifier: Apache-2.0
#include "core/format/model_folder.h"
#include "core/model/architectures/architectures.h"

#include "core/format/safetensors.h"
#include "core/format/weight_hash.h"
#include "kernels/base/float_formats.h"
#include "tests/core/test_files.h"

#include <fmt/format.h>
#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>

namespace wb::core {
namespace {

using test::TemporaryFolder;

constexpr const char* kTinyConfig =
    R"({"model_type":"llama","hidden_size":8,"intermediate_size":12,"num_hidden_layers":2,
"num_attention_heads":2,"num_key_value_heads":1,"vocab_size":10,"max_position_embeddings":16,"torch_dtype":"float32",
"tie_word_embeddings":false,"bos_token_id":1,"eos_token_id":2})";

// The tensors of the tiny model, minus those named, plus extra ones, of the given types.
struct TinyModel {
    std::vector<TensorDeclaration> tensors;

    TinyModel() {
        for (const ExpectedTensor& tensor :
             expectedTensors(networkConfigOf(parseModelConfig(kTinyConfig, "config.json")))) {
            tensors.push_back({tensor.name, DType::F32, tensor.shape});
        }
    }
    TensorDeclaration& at(std::string_view name) { return *std::ranges::find(tensors, name, &TensorDeclaration::name); }
    void erase(std::string_view name) {
        std::erase_if(tensors, [&](const TensorDeclaration& tensor) { return tensor.name == name; });
    }
};

// Content that differs from tensor to tensor and element to element.
std::vector<std::byte> contentOf(const TensorDeclaration& tensor) {
    size_t count = 1;
    for (const int64_t extent : tensor.shape) count *= static_cast<size_t>(extent);
    std::vector<float> values(count);
    std::iota(values.begin(), values.end(), static_cast<float>(tensor.name.size()));
    std::vector<std::byte> bytes(dtypeBytes(tensor.dtype, count));
    if (tensor.dtype == DType::F32) std::memcpy(bytes.data(), values.data(), bytes.size());
    return bytes;
}

void writeTensors(const std::filesystem::path& path, const std::vector<TensorDeclaration>& tensors) {
    SafetensorsWriter writer(path, tensors);
    for (const TensorDeclaration& tensor : tensors) writer.write(tensor.name, contentOf(tensor));
    writer.finish();
}

void writeModel(const TemporaryFolder& folder, const TinyModel& model) {
    test::writeText(folder / "config.json", kTinyConfig);
    writeTensors(folder / "model.safetensors", model.tensors);
}

// Two shards and their index.
void writeShards(const TemporaryFolder& folder, const TinyModel& model) {
    test::writeText(folder / "config.json", kTinyConfig);
    const auto middle = model.tensors.begin() + 7;
    writeTensors(folder / "model-00001-of-00002.safetensors", {model.tensors.begin(), middle});
    writeTensors(folder / "model-00002-of-00002.safetensors", {middle, model.tensors.end()});
    nlohmann::json map;
    for (auto tensor = model.tensors.begin(); tensor != model.tensors.end(); ++tensor) {
        map[tensor->name] = fmt::format("model-0000{}-of-00002.safetensors", tensor < middle ? 1 : 2);
    }
    test::writeText(folder / "model.safetensors.index.json", nlohmann::json{{"weight_map", map}}.dump());
}

TEST(ModelFolder, OneFileAndShardsGiveTheSameModel) {
    const TemporaryFolder whole;
    const TemporaryFolder shards;
    writeModel(whole, {});
    writeShards(shards, {});
    const ModelSource a = ModelSource::open(whole.path());
    const ModelSource b = ModelSource::open(shards.path());
    EXPECT_EQ(a.tensors().size(), 2U * 9U + 3U);
    EXPECT_EQ(b.weightFiles().size(), 2U);
    EXPECT_EQ(a.weightHash(), b.weightHash());
    EXPECT_EQ(a.weightHash().size(), 64U);
    std::vector<float> values(80);
    b.readTensorAsFloat("lm_head.weight", values);
    EXPECT_EQ(values[3], 3.0F + static_cast<float>(std::string("lm_head.weight").size()));
    WB_EXPECT_ERROR(b.readTensorAsFloat("lm_head.weight", std::span(values).first(79)), ErrorCode::InvalidArgument,
                    "79");
    WB_EXPECT_ERROR(b.readTensor("nothing"), ErrorCode::NotFound, "'nothing'");
    EXPECT_TRUE(ModelSource::open(whole / "model.safetensors").weightHash() == a.weightHash());
    EXPECT_TRUE(ModelSource::open(whole / "config.json").weightHash() == a.weightHash());
}

TEST(ModelFolder, TheHashDependsOnNamesTypesShapesAndBytes) {
    const std::vector<std::byte> bytes(8);
    const auto hashOf = [&](std::string_view name, DType dtype, std::vector<int64_t> shape) {
        WeightHash hash;
        hash.begin(name, dtype, shape);
        hash.update(bytes);
        return hash.finish();
    };
    const std::string base = hashOf("a", DType::F32, {2});
    EXPECT_NE(base, hashOf("b", DType::F32, {2}));
    EXPECT_NE(base, hashOf("a", DType::I32, {2}));
    EXPECT_NE(base, hashOf("a", DType::F32, {1, 2}));
    WeightHash pieces;
    pieces.begin("a", DType::F32, std::vector<int64_t>{2});
    pieces.update(std::span(bytes).first(3));
    pieces.update(std::span(bytes).subspan(3));
    EXPECT_EQ(pieces.finish(), base);
    WeightHash unsorted;
    unsorted.begin("b", DType::F32, std::vector<int64_t>{});
    WB_EXPECT_ERROR(unsorted.begin("a", DType::F32, std::vector<int64_t>{}), ErrorCode::InvalidArgument, "ascend");
}

TEST(ModelFolder, NamesMissingAndUnexpectedTensorsTogether) {
    const TemporaryFolder folder;
    TinyModel model;
    model.erase("model.layers.1.mlp.up_proj.weight");
    model.tensors.push_back({"model.layers.2.mlp.up_proj.weight", DType::F32, {12, 8}});
    writeModel(folder, model);
    WB_EXPECT_ERROR(ModelSource::open(folder.path()), ErrorCode::CorruptFile,
                    "missing (1): model.layers.1.mlp.up_proj.weight");
    WB_EXPECT_ERROR(ModelSource::open(folder.path()), ErrorCode::CorruptFile,
                    "unexpected (1): model.layers.2.mlp.up_proj.weight");
}

TEST(ModelFolder, IgnoresKnownBuffersAndListsForeignHeads) {
    const TemporaryFolder folder;
    TinyModel model;
    model.tensors.push_back({"model.layers.0.self_attn.rotary_emb.inv_freq", DType::F32, {2}});
    model.tensors.push_back({"v_head.summary.weight", DType::F32, {1, 8}});
    writeModel(folder, model);
    const ModelSource source = ModelSource::open(folder.path());
    EXPECT_EQ(source.unusedTensors(), std::vector<std::string>{"v_head.summary.weight"});
    EXPECT_EQ(source.tensors().size(), 21U);
}

TEST(ModelFolder, NamesWrongShapesTypesAndAMissingHead) {
    {
        const TemporaryFolder folder;
        TinyModel model;
        model.at("model.norm.weight").shape = {9};
        writeModel(folder, model);
        WB_EXPECT_ERROR(ModelSource::open(folder.path()), ErrorCode::CorruptFile,
                        "'model.norm.weight' has shape [9], the config asks for [8]");
    }
    {
        const TemporaryFolder folder;
        TinyModel model;
        model.at("model.norm.weight").dtype = DType::I8;
        writeModel(folder, model);
        WB_EXPECT_ERROR(ModelSource::open(folder.path()), ErrorCode::Unsupported, "stored as I8");
    }
    {
        const TemporaryFolder folder;
        TinyModel model;
        model.erase("lm_head.weight");
        writeModel(folder, model);
        WB_EXPECT_ERROR(ModelSource::open(folder.path()), ErrorCode::CorruptFile, "tie_word_embeddings");
    }
}

TEST(ModelFolder, AStoredHeadOfItsOwnCountsWhateverTheConfigSays) {
    std::string tied = kTinyConfig;
    tied.replace(tied.find("\"tie_word_embeddings\":false"), 27, "\"tie_word_embeddings\":true ");
    const TemporaryFolder own;
    writeModel(own, {});
    test::writeText(own / "config.json", tied);
    const ModelSource source = ModelSource::open(own.path());
    EXPECT_FALSE(source.config().tieWordEmbeddings);
    EXPECT_TRUE(source.has("lm_head.weight"));

    const TemporaryFolder none;
    TinyModel model;
    model.erase("lm_head.weight");
    writeModel(none, model);
    test::writeText(none / "config.json", tied);
    EXPECT_TRUE(ModelSource::open(none.path()).config().tieWordEmbeddings);
}

TEST(ModelFolder, NamesWhatAFolderLacks) {
    const TemporaryFolder folder;
    WB_EXPECT_ERROR(ModelSource::open(folder / "nowhere"), ErrorCode::NotFound, "nowhere");
    WB_EXPECT_ERROR(ModelSource::open(folder.path()), ErrorCode::NotFound, "config.json");
    test::writeText(folder / "config.json", kTinyConfig);
    WB_EXPECT_ERROR(ModelSource::open(folder.path()), ErrorCode::NotFound, "model.safetensors");
    test::writeText(folder / "pytorch_model.bin", std::string("\x80\x02}q\x01.", 6));
    WB_EXPECT_ERROR(ModelSource::open(folder.path()), ErrorCode::Unsupported, "pickle");
    WB_EXPECT_ERROR(ModelSource::open(folder / "pytorch_model.bin"), ErrorCode::Unsupported, "pickle");
}

TEST(ModelFolder, NamesAMissingShardAndADisagreeingIndex) {
    const TemporaryFolder folder;
    writeShards(folder, {});
    const auto index = nlohmann::json::parse(test::readText(folder / "model.safetensors.index.json"));
    const auto openWith = [&](const nlohmann::json& changed) {
        test::writeText(folder / "model.safetensors.index.json", changed.dump());
        ModelSource::open(folder.path());
    };
    nlohmann::json wrong = index;
    wrong["weight_map"]["model.norm.weight"] = "model-00001-of-00002.safetensors";
    WB_EXPECT_ERROR(openWith(wrong), ErrorCode::CorruptFile, "missing: model.norm.weight in model-00001");
    wrong["weight_map"]["model.norm.weight"] = "../secret.safetensors";
    WB_EXPECT_ERROR(openWith(wrong), ErrorCode::CorruptFile, "no plain file name");
    wrong["weight_map"]["model.norm.weight"] = 7;
    WB_EXPECT_ERROR(openWith(wrong), ErrorCode::CorruptFile, "model.norm.weight");
    WB_EXPECT_ERROR(openWith({{"weight_map", nullptr}}), ErrorCode::CorruptFile, "weight_map");
    std::filesystem::remove(folder / "model-00002-of-00002.safetensors");
    WB_EXPECT_ERROR(openWith(index), ErrorCode::NotFound, "model-00002-of-00002.safetensors");
}

TEST(ModelFolder, ListsTheFilesACopyNeeds) {
    const TemporaryFolder folder;
    writeModel(folder, {});
    test::writeText(folder / "tokenizer.json", "{}");
    test::writeText(folder / "chat_template.jinja", "x");
    test::writeText(folder / "notes.txt", "x");
    EXPECT_EQ(companionFilesOf(folder.path()),
              (std::vector<std::filesystem::path>{folder / "tokenizer.json", folder / "chat_template.jinja"}));
    // Every file that a tokenizer or a template is read from: a copy without it would behave differently.
    for (const char* name : {"tokenizer.model", "spiece.model", "sentencepiece.bpe.model", "tokenizer_config.json",
                             "special_tokens_map.json", "added_tokens.json", "vocab.json", "merges.txt",
                             "chat_template.json", "generation_config.json"}) {
        test::writeText(folder / name, "x");
        const auto files = companionFilesOf(folder.path());
        EXPECT_NE(std::ranges::find(files, folder / name), files.end()) << name;
    }
}

TEST(ModelFolder, AFolderAndItsGgufAreTheSameWeights) {
    WB_NEED_SHARED_DATA(folder, "models/stories260K/hf");
    WB_NEED_SHARED_DATA(gguf, "models/stories260K/stories260K-f32.gguf");
    const ModelSource a = ModelSource::open(folder);
    const ModelSource b = ModelSource::open(gguf);
    EXPECT_FALSE(a.isGguf());
    EXPECT_TRUE(b.isGguf());
    EXPECT_EQ(a.config().hiddenSize, 64);
    EXPECT_TRUE(a.config().tieWordEmbeddings);
    EXPECT_EQ(expectedTensors(networkConfigOf(a.config())), expectedTensors(networkConfigOf(b.config())));
    EXPECT_EQ(a.config().ropeTheta, b.config().ropeTheta);
    EXPECT_NEAR(a.config().normEps, b.config().normEps, 1e-12);
    EXPECT_EQ(b.config().maxPositions, a.config().maxPositions);
    EXPECT_EQ(b.generationConfig().eosTokenIds, a.generationConfig().eosTokenIds);
    EXPECT_EQ(a.weightHash(), b.weightHash()) << "row order or names differ";
    EXPECT_EQ(companionFilesOf(folder).size(), 5U);
}

TEST(ModelFolder, BFloat16GgufIsTheRoundedModel) {
    WB_NEED_SHARED_DATA(folder, "models/stories260K/hf");
    WB_NEED_SHARED_DATA(gguf, "models/stories260K/stories260K-bf16.gguf");
    const ModelSource exact = ModelSource::open(folder);
    const ModelSource rounded = ModelSource::open(gguf);
    for (const ModelTensor& tensor : rounded.tensors()) {
        std::vector<float> a(static_cast<size_t>(tensor.count()));
        std::vector<float> b(a.size());
        exact.readTensorAsFloat(tensor.name, a);
        rounded.readTensorAsFloat(tensor.name, b);
        if (tensor.dtype == DType::BF16) {
            for (float& value : a) value = static_cast<float>(BFloat16(value));
        }
        EXPECT_EQ(a, b) << tensor.name;
    }
}

TEST(ModelFolder, AQuantisedGgufIsTheModelUpToItsRounding) {
    WB_NEED_SHARED_DATA(folder, "models/stories260K/hf");
    WB_NEED_SHARED_DATA(gguf, "models/stories260K/stories260K-q4_k_m-mixed.gguf");
    const ModelSource exact = ModelSource::open(folder);
    const ModelSource quantised = ModelSource::open(gguf);
    ASSERT_EQ(quantised.tensors().size(), exact.tensors().size());
    for (const ModelTensor& tensor : quantised.tensors()) {
        std::vector<float> a(static_cast<size_t>(tensor.count()));
        std::vector<float> b(a.size());
        exact.readTensorAsFloat(tensor.name, a);
        quantised.readTensorAsFloat(tensor.name, b);
        double errorSquared = 0;
        double squared = 0;
        for (size_t i = 0; i < a.size(); ++i) {
            errorSquared += std::pow(static_cast<double>(a[i]) - b[i], 2);
            squared += std::pow(static_cast<double>(a[i]), 2);
        }
        EXPECT_LT(std::sqrt(errorSquared / squared), 0.1) << tensor.name;
    }
}

}  // namespace
}  // namespace wb::core
