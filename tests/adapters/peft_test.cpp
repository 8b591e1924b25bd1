// SPDX-License-Identifier: Apache-2.0
#include "adapters/peft.h"

#include "core/format/hf_config.h"
#include "core/format/safetensors.h"
#include "tests/adapters/adapter_fixture.h"

#include <nlohmann/json.hpp>

namespace wb::adapters {
namespace {

using nlohmann::json;
using test::expectError;
using test::logitsOf;
using test::readText;
using test::strongAdapter;
using test::writeText;
using testing::HasSubstr;

class PeftTest : public testing::Test {
protected:
    PeftTest() : m_model(test::tinyModel(m_context, DType::F32)) {}

    // Writes a strong adapter of the tiny model and returns its logits.
    std::vector<float> writeStrong(const LoraConfig& config = {.rank = 4, .alpha = 8}) {
        const auto adapter = strongAdapter(m_context, *m_model, config);
        adapter->attach(0);
        std::vector<float> logits = logitsOf(m_context, *m_model, 0);
        writePeftAdapter(m_context, *adapter, {.lora = config, .baseModel = "tiny", .sourceJson = {}}, m_folder.path());
        return logits;
    }

    std::vector<float> logitsWith(const std::filesystem::path& folder) {
        const auto adapter = loadPeftAdapter(m_context, *m_model, folder);
        adapter->attach(2);
        return logitsOf(m_context, *m_model, 2);
    }

    json config() const { return json::parse(readText(configFile())); }
    void setConfig(const json& value) { writeText(configFile(), value.dump()); }
    std::filesystem::path configFile() const { return m_folder / "adapter_config.json"; }
    std::filesystem::path weightFile() const { return m_folder / "adapter_model.safetensors"; }

    // Rewrites the weights with some tensors renamed, reshaped or left out.
    void rewriteWeights(const std::function<std::optional<core::TensorDeclaration>(core::TensorDeclaration)>& change) {
        std::vector<core::TensorDeclaration> declarations;
        std::vector<std::vector<std::byte>> contents;
        {
            const auto file = core::SafetensorsFile::open(weightFile());
            for (const core::TensorEntry& entry : file.tensors()) {
                const auto bytes = file.bytes(entry);
                auto changed = change({entry.name, *entry.dtype, entry.shape});
                if (!changed) continue;
                declarations.push_back(std::move(*changed));
                contents.emplace_back(bytes.begin(), bytes.end());
            }
        }
        core::SafetensorsWriter writer(weightFile(), declarations);
        for (size_t i = 0; i < contents.size(); ++i) {
            size_t bytes = dtypeBytes(declarations[i].dtype, 1);
            for (const int64_t extent : declarations[i].shape) bytes *= static_cast<size_t>(extent);
            contents[i].resize(bytes);
            writer.write(declarations[i].name, contents[i]);
        }
        writer.finish();
    }

    kernels::Runtime m_runtime = test::cpuRuntime();
    const kernels::Context& m_context = m_runtime.context();
    std::unique_ptr<core::LanguageModel> m_model;
    test::TemporaryFolder m_folder;
};

TEST_F(PeftTest, writtenAndReadAgainGivesTheSameBits) {
    const std::vector<float> logits = writeStrong();
    EXPECT_EQ(logitsWith(m_folder.path()), logits);
    // File to file: every byte of every tensor, and the hash.
    const test::TemporaryFolder copy;
    const auto adapter = loadPeftAdapter(m_context, *m_model, m_folder.path());
    writePeftAdapter(m_context, *adapter, readPeftConfig(m_folder.path()), copy.path());
    EXPECT_EQ(readText(copy / "adapter_model.safetensors"), readText(weightFile()));
    EXPECT_EQ(json::parse(readText(copy / "adapter_config.json")), config());
    EXPECT_EQ(hashPeftFolder(copy.path()), hashPeftFolder(m_folder.path()));
    EXPECT_EQ(hashAdapter(m_context, *adapter), hashPeftFolder(m_folder.path()));
}

TEST_F(PeftTest, theFilesAreWhatOtherToolsExpect) {
    writeStrong({.rank = 4, .alpha = 8, .dropout = 0.25, .targets = {"q_proj", "v_proj"}});
    const json written = config();
    EXPECT_EQ(written.at("peft_type"), "LORA");
    EXPECT_EQ(written.at("task_type"), "CAUSAL_LM");
    EXPECT_EQ(written.at("base_model_name_or_path"), "tiny");
    EXPECT_EQ(written.at("r"), 4);
    EXPECT_TRUE(written.at("lora_alpha").is_number_integer()) << "other readers want a whole number where it is one";
    EXPECT_EQ(written.at("lora_alpha"), 8);
    EXPECT_EQ(written.at("lora_dropout"), 0.25);
    EXPECT_EQ(written.at("target_modules"), (json{"q_proj", "v_proj"}));
    EXPECT_EQ(written.at("bias"), "none");
    EXPECT_EQ(written.at("use_rslora"), false);
    const auto weights = core::SafetensorsFile::open(weightFile());
    EXPECT_EQ(weights.tensors().size(), 8U);
    const core::TensorEntry* a = weights.find("base_model.model.model.layers.1.self_attn.v_proj.lora_A.weight");
    const core::TensorEntry* b = weights.find("base_model.model.model.layers.1.self_attn.v_proj.lora_B.weight");
    ASSERT_NE(a, nullptr);
    ASSERT_NE(b, nullptr);
    EXPECT_THAT(a->shape, testing::ElementsAre(4, 24));
    EXPECT_THAT(b->shape, testing::ElementsAre(12, 4));
    EXPECT_EQ(weights.metadata().at("format"), "pt");
}

TEST_F(PeftTest, unknownKeysAndTheirOrderStay) {
    writeStrong();
    std::string text = readText(configFile());
    text.insert(text.find('{') + 1,
                R"("zz_future": {"deep": [1, null, "x"]}, "revision": "main", "aa_number": 1e-3, )");
    writeText(configFile(), text);
    const auto adapter = loadPeftAdapter(m_context, *m_model, m_folder.path());
    const test::TemporaryFolder copy;
    writePeftAdapter(m_context, *adapter, readPeftConfig(m_folder.path()), copy.path());
    const auto again = nlohmann::ordered_json::parse(readText(copy / "adapter_config.json"));
    EXPECT_EQ(again.begin().key(), "zz_future");
    EXPECT_EQ(json(again), config());
}

TEST_F(PeftTest, alphaWithAFractionSurvives) {
    const std::vector<float> logits = writeStrong({.rank = 4, .alpha = 6.5});
    EXPECT_EQ(config().at("lora_alpha"), 6.5);
    EXPECT_EQ(logitsWith(m_folder.path()), logits);
}

TEST_F(PeftTest, rankStabilisedScaleIsReadAndWritten) {
    const std::vector<float> logits = writeStrong({.rank = 4, .alpha = 8, .usesRankStabilisedScale = true});
    EXPECT_EQ(config().at("use_rslora"), true);
    EXPECT_EQ(logitsWith(m_folder.path()), logits);
    json changed = config();
    changed["use_rslora"] = false;
    setConfig(changed);
    EXPECT_NE(logitsWith(m_folder.path()), logits);
}

TEST_F(PeftTest, tensorsDecideWhichLayersAreAdapted) {
    // Layer 0 only, though target_modules names both layers' projections.
    writeStrong({.rank = 4, .alpha = 8, .targets = {"q_proj", "v_proj"}});
    rewriteWeights([](core::TensorDeclaration tensor) -> std::optional<core::TensorDeclaration> {
        if (tensor.name.find("layers.1.") != std::string::npos) return std::nullopt;
        return tensor;
    });
    const auto adapter = loadPeftAdapter(m_context, *m_model, m_folder.path());
    EXPECT_THAT(test::adaptedLayers(*adapter),
                testing::ElementsAre("model.layers.0.self_attn.q_proj", "model.layers.0.self_attn.v_proj"));
}

TEST_F(PeftTest, targetModulesAsAnExpressionAreAccepted) {
    const std::vector<float> logits = writeStrong();
    json changed = config();
    changed["target_modules"] = ".*(q|k|v|o|gate|up|down)_proj";
    setConfig(changed);
    EXPECT_EQ(logitsWith(m_folder.path()), logits);
}

TEST_F(PeftTest, halfPrecisionAdapterLoadsOntoF32AndBack) {
    const auto half = test::tinyModel(m_context, DType::BF16);
    const auto adapter = strongAdapter(m_context, *half);
    writePeftAdapter(m_context, *adapter, {.lora = adapter->config(), .baseModel = "tiny", .sourceJson = {}},
                     m_folder.path());
    const auto wide = loadPeftAdapter(m_context, *m_model, m_folder.path());
    const auto narrow = loadPeftAdapter(m_context, *half, m_folder.path());
    EXPECT_EQ(hashAdapter(m_context, *narrow), hashAdapter(m_context, *adapter));
    std::vector<std::vector<float>> values;
    adapter->visitParameters([&](core::Parameter& p) { values.push_back(core::toFloats(m_context, p.value)); });
    size_t i = 0;
    wide->visitParameters([&](core::Parameter& p) { EXPECT_EQ(core::toFloats(m_context, p.value), values[i++]); });
}

TEST_F(PeftTest, eachUnsupportedFeatureIsRefusedByName) {
    writeStrong();
    const json good = config();
    const std::vector<std::pair<std::string, json>> features{
        {"bias", "vera_only"},
        {"megatron_config", {{"a", 1}}},
        {"trainable_token_indices", {1, 2}},
        {"target_parameters", {"feed_forward.experts.gate_up_proj"}},
        {"layer_replication", json::array({{0, 1}, {0, 2}})},
        {"alora_invocation_tokens", {5, 6}},
        {"use_qalora", true},
        {"use_bdlora", {{"nblocks", 2}}},
        {"arrow_config", {{"top_k", 3}}},
        {"kasa_config", {{"a", 1}}},
        {"velora_config", {{"num_groups", 4}}},
        {"monteclora_config", {{"num_samples", 8}}},
        {"ensure_weight_tying", true},
        {"init_lora_weights", "pissa"},
        {"init_lora_weights", "pissa_niter_4"},
        {"init_lora_weights", "olora"},
        {"init_lora_weights", "corda"},
        {"init_lora_weights", "loftq"},
        {"init_lora_weights", "lora_ga"},
        {"init_lora_weights", "something_new"},
        {"peft_type", "IA3"},
        {"peft_type", "ADALORA"},
        {"peft_type", "LOHA"},
        {"peft_type", "PREFIX_TUNING"},
        {"peft_type", "PROMPT_TUNING"},
        {"task_type", "SEQ_CLS"},
        {"task_type", "FEATURE_EXTRACTION"},
    };
    for (const auto& [key, value] : features) {
        json changed = good;
        changed[key] = value;
        setConfig(changed);
        SCOPED_TRACE(key + " = " + value.dump());
        expectError(ErrorCode::Unsupported, key, [&] { readPeftConfig(m_folder.path()); });
    }
}

TEST_F(PeftTest, keysThatAskForNothingAreAccepted) {
    const std::vector<float> logits = writeStrong();
    const json good = config();
    const std::vector<std::pair<std::string, json>> harmless{
        {"use_dora", false},
        {"use_dora", nullptr},
        {"bias", "none"},
        {"modules_to_save", nullptr},
        {"modules_to_save", json::array()},
        {"rank_pattern", json::object()},
        {"task_type", nullptr},
        {"init_lora_weights", true},
        {"init_lora_weights", false},
        {"init_lora_weights", "gaussian"},
        {"init_lora_weights", "eva"},
        {"init_lora_weights", "orthogonal"},
        {"init_lora_weights", "mica"},
        {"fan_in_fan_out", true},  // tells how the model stores its weights, not the adapter
        {"layers_to_transform", {0, 1}},
        {"rank_pattern", {{"no_such", 2}}},
        {"alpha_pattern", {{"no_such", 2}}},
        {"bias", "all"},  // the file brings none
        {"eva_config", {{"rho", 2.0}}},
        {"megatron_core", "megatron.core"},
        {"loftq_config", json::object()},
        {"layer_replication", nullptr},
        {"qalora_group_size", 16},
        {"exclude_modules", nullptr},
    };
    for (const auto& [key, value] : harmless) {
        json changed = good;
        changed[key] = value;
        setConfig(changed);
        SCOPED_TRACE(key + " = " + value.dump());
        EXPECT_EQ(logitsWith(m_folder.path()), logits);
    }
}

TEST_F(PeftTest, damagedConfigsAreNamedErrors) {
    writeStrong();
    const json good = config();
    for (const char* text : {"", "{", "[]", "null", "\"LORA\"", "{\"peft_type\": }", "\xff\xfe{}", "1e999"}) {
        SCOPED_TRACE(text);
        writeText(configFile(), text);
        expectError(ErrorCode::CorruptFile, "adapter_config.json", [&] { readPeftConfig(m_folder.path()); });
    }
    const std::vector<std::pair<std::string, json>> wrongValues{
        {"r", 0},
        {"r", -4},
        {"r", 65537},
        {"r", "8"},
        {"r", 1.5},
        {"r", 1e300},
        {"r", nullptr},
        {"r", true},
        {"r", json::array({8})},
        {"lora_alpha", "16"},
        {"lora_alpha", nullptr},
        {"lora_dropout", "x"},
        {"use_rslora", 1.5},
        {"use_dora", "yes"},
        {"lora_dropout", 1.0},
        {"lora_alpha", true},
        {"rank_pattern", {{"q_proj", 0}}},
        {"rank_pattern", {{"q_proj", 2.5}}},
        {"rank_pattern", json::array({1})},
        {"alpha_pattern", {{"q_proj", "8"}}},
        {"layers_to_transform", {0.5}},
        {"layers_to_transform", "all"},
        {"modules_to_save", {1}},
        {"exclude_modules", 3},
        {"target_modules", 7},
        {"target_modules", json::array({1, 2})},
        {"peft_type", 3},
    };
    for (const auto& [key, value] : wrongValues) {
        json changed = good;
        changed[key] = value;
        setConfig(changed);
        SCOPED_TRACE(key + " = " + value.dump());
        expectError(ErrorCode::CorruptFile, "adapter_config.json", [&] { readPeftConfig(m_folder.path()); });
    }
    std::filesystem::remove(configFile());
    expectError(ErrorCode::NotFound, "adapter_config.json", [&] { readPeftConfig(m_folder.path()); });
    writeText(configFile(), std::string(100000, '['));
    expectError(ErrorCode::CorruptFile, "adapter_config.json", [&] { readPeftConfig(m_folder.path()); });
}

TEST_F(PeftTest, truncatedWeightsAreNamedErrors) {
    writeStrong({.rank = 2, .alpha = 8, .targets = {"q_proj"}});
    const std::string whole = readText(weightFile());
    // Every length of the header, then in larger steps.
    for (size_t length = 0; length < whole.size(); length += length < 600 ? 1 : 97) {
        writeText(weightFile(), whole.substr(0, length));
        expectError(ErrorCode::CorruptFile, "adapter_model.safetensors",
                    [&] { loadPeftAdapter(m_context, *m_model, m_folder.path()); });
    }
    std::filesystem::remove(weightFile());
    expectError(ErrorCode::NotFound, "adapter_model.safetensors",
                [&] { loadPeftAdapter(m_context, *m_model, m_folder.path()); });
}

TEST_F(PeftTest, anAdapterOfAnotherModelIsRefusedByLayer) {
    writeStrong();
    const auto shallow = test::tinyModel(m_context, DType::F32, {.layers = 1});
    expectError(ErrorCode::InvalidArgument,
                "adapts 'model.layers.1.mlp.down_proj', which this llama model does not have; the adapter belongs to "
                "another model",
                [&] { loadPeftAdapter(m_context, *shallow, m_folder.path()); });
    // A failed load must leave nothing attached.
    EXPECT_EQ(logitsOf(m_context, *shallow, 0), logitsOf(m_context, *shallow, -1));
}

TEST_F(PeftTest, tensorsOfTheWrongShapeAreRefusedWithBothShapes) {
    writeStrong();
    const std::string wide = "base_model.model.model.layers.0.mlp.up_proj.lora_B.weight";
    rewriteWeights([&](core::TensorDeclaration tensor) -> std::optional<core::TensorDeclaration> {
        if (tensor.name == wide) tensor.shape = {41, 4};
        return tensor;
    });
    expectError(ErrorCode::InvalidArgument, wide + "' is 41x4, the model needs 40x4",
                [&] { loadPeftAdapter(m_context, *m_model, m_folder.path()); });
}

TEST_F(PeftTest, aRankThatIsNotTheTensorsIsRefusedBeforeMemoryIsTaken) {
    writeStrong();
    json changed = config();
    changed["r"] = 60000;
    setConfig(changed);
    const int64_t before = m_runtime.allocator().stats().allocations;
    expectError(ErrorCode::InvalidArgument, "4x40, the model needs 60000x40",
                [&] { loadPeftAdapter(m_context, *m_model, m_folder.path()); });
    EXPECT_EQ(m_runtime.allocator().stats().allocations, before) << "a number in a file must not decide about memory";
}

TEST_F(PeftTest, halfAnAdapterIsRefused) {
    writeStrong();
    const std::string lost = "base_model.model.model.layers.1.self_attn.o_proj.lora_B.weight";
    rewriteWeights([&](core::TensorDeclaration tensor) -> std::optional<core::TensorDeclaration> {
        if (tensor.name == lost) return std::nullopt;
        return tensor;
    });
    expectError(ErrorCode::CorruptFile, "tensor '" + lost + "' is missing",
                [&] { loadPeftAdapter(m_context, *m_model, m_folder.path()); });
}

TEST_F(PeftTest, tensorsThatAreNoLoraPairAreRefusedByName) {
    for (const char* name :
         {"base_model.model.model.layers.0.self_attn.q_proj.lora_C.weight", "base_model.model.prompt_embeddings",
          "lora_A.weight", "model.layers.0.self_attn.q_proj.lora_A.weight_scale", "q_proj.lora_A.a.b.weight"}) {
        writeStrong({.rank = 2, .alpha = 8, .targets = {"q_proj"}});
        bool isFirst = true;
        rewriteWeights([&](core::TensorDeclaration tensor) -> std::optional<core::TensorDeclaration> {
            if (isFirst) tensor.name = name;
            isFirst = false;
            return tensor;
        });
        expectError(ErrorCode::Unsupported, std::string("adapter tensor '") + name + "'",
                    [&] { loadPeftAdapter(m_context, *m_model, m_folder.path()); });
    }
}

TEST_F(PeftTest, anAdaptedHeadMustBeAskedFor) {
    writeStrong({.rank = 2, .alpha = 8, .targets = {"q_proj"}});
    rewriteWeights([](core::TensorDeclaration tensor) -> std::optional<core::TensorDeclaration> {
        const size_t at = tensor.name.find("model.layers.0.self_attn.q_proj");
        if (at != std::string::npos) tensor.name.replace(at, 31, "lm_head");
        return tensor;
    });
    expectError(ErrorCode::InvalidArgument, "adapts 'lm_head', which adapter_config.json does not ask for",
                [&] { loadPeftAdapter(m_context, *m_model, m_folder.path()); });
}

TEST_F(PeftTest, anEmptyAdapterIsRefused) {
    writeStrong();
    rewriteWeights(
        [](const core::TensorDeclaration&) -> std::optional<core::TensorDeclaration> { return std::nullopt; });
    expectError(ErrorCode::CorruptFile, "holds no adapter tensors",
                [&] { loadPeftAdapter(m_context, *m_model, m_folder.path()); });
}

class RealAdapterTest : public PeftTest {
protected:
    // Skips the test if the file is not there.
    std::filesystem::path shared(const std::string& name) const {
        const char* given = std::getenv("WHETBENCH_SHARED_DATA");
        const std::filesystem::path data = given != nullptr ? given : WHETBENCH_SOURCE_DIR "/../shared/data";
        return data / "adapters" / name;
    }
};

TEST_F(RealAdapterTest, eachLoadsOrIsRefusedByWhatItNeeds) {
    struct Case {
        const char* folder;
        ErrorCode code;
        const char* words;
    };
    const Case cases[] = {
        {"gpt2_tigrinya_lora", ErrorCode::InvalidArgument,
         "adapts 'transformer.h.0.attn.c_attn', which this llama model does not have"},
        {"opt125m_lora_bf16", ErrorCode::InvalidArgument,
         "adapts 'model.decoder.layers.0.self_attn.q_proj', which this llama model does not have"},
        {"t5small_lora", ErrorCode::NotFound, "adapter_config.json"},
    };
    for (const Case& one : cases) {
        SCOPED_TRACE(one.folder);
        if (!std::filesystem::exists(shared(one.folder))) GTEST_SKIP() << shared(one.folder) << " is missing";
        EXPECT_TRUE(isPeftFolder(shared(one.folder)));
        expectError(one.code, one.words, [&] { loadPeftAdapter(m_context, *m_model, shared(one.folder)); });
    }
}

// The published models have too many weights for a test: on the plan device there are only names and shapes.
TEST_F(RealAdapterTest, eachFitsTheModelItWasMadeFor) {
    struct Case {
        const char* folder;
        const char* model;
        size_t layers;
    };
    const Case cases[] = {
        {"gpt2_tigrinya_lora",
         R"({"model_type": "gpt2", "vocab_size": 50257, "n_positions": 1024, "n_embd": 768, "n_layer": 12, "n_head": 12,
             "activation_function": "gelu_new", "layer_norm_epsilon": 1e-5, "bos_token_id": 50256,
             "eos_token_id": 50256})",
         36},
        {"opt125m_lora_bf16",
         R"({"model_type": "opt", "vocab_size": 50272, "hidden_size": 768, "num_hidden_layers": 12, "ffn_dim": 3072,
             "max_position_embeddings": 2048, "num_attention_heads": 12, "do_layer_norm_before": true,
             "word_embed_proj_dim": 768, "activation_function": "relu", "pad_token_id": 1, "bos_token_id": 2,
             "eos_token_id": 2})",
         24},
        {"t5small_lora",
         R"({"model_type": "t5", "vocab_size": 32128, "d_model": 512, "d_kv": 64, "d_ff": 2048, "num_layers": 6,
             "num_heads": 8, "relative_attention_num_buckets": 32, "is_encoder_decoder": true, "pad_token_id": 0,
             "eos_token_id": 1, "decoder_start_token_id": 0})",
         36},
    };
    const kernels::Runtime plan({.device = {DeviceType::Plan}});
    for (const Case& one : cases) {
        SCOPED_TRACE(one.folder);
        if (!std::filesystem::exists(shared(one.folder))) GTEST_SKIP() << shared(one.folder) << " is missing";
        std::filesystem::path folder = shared(one.folder);
        if (!std::filesystem::exists(folder / kPeftConfigFile)) {
            std::filesystem::copy_file(folder / kPeftWeightFile, weightFile());
            setConfig(
                {{"peft_type", "LORA"}, {"task_type", "SEQ_2_SEQ_LM"}, {"r", 16}, {"target_modules", {"q", "v"}}});
            folder = m_folder.path();
        }
        core::LanguageModel model(plan.context(), core::parseModelConfig(one.model, "config.json"), DType::F32);
        const auto adapter = loadPeftAdapter(plan.context(), model, folder);
        EXPECT_EQ(test::adaptedLayers(*adapter).size(), one.layers);
        EXPECT_EQ(adaptsTransposed(*adapter),
                  readPeftConfig(folder).sourceJson.find("fan_in_fan_out\": true") != std::string::npos);
    }
}

TEST_F(RealAdapterTest, aRealConfigIsReadAndKeptWhole) {
    const auto folder = shared("opt125m_lora_bf16");
    if (!std::filesystem::exists(folder)) GTEST_SKIP() << folder << " is missing";
    const PeftConfig real = readPeftConfig(folder);
    EXPECT_EQ(real.lora.rank, 16);
    EXPECT_EQ(real.lora.alpha, 32);
    EXPECT_EQ(real.lora.dropout, 0.05);
    EXPECT_EQ(real.baseModel, "facebook/opt-125m");
    // Written with another adapter's tensors, every key stays.
    const auto adapter =
        strongAdapter(m_context, *m_model, {.rank = 16, .alpha = 32, .dropout = 0.05, .targets = {"q_proj", "v_proj"}});
    writePeftAdapter(m_context, *adapter, real, m_folder.path());
    EXPECT_EQ(config(), json::parse(readText(folder / "adapter_config.json")));
}

}  // namespace
}  // namespace wb::adapters
