// SPDX-License-Identifier: Apache-2.0
#include "adapters/export/certificate.h"
#include "adapters/export/exporters.h"
#include "core/format/gguf.h"
#include "core/format/model_folder.h"
#include "core/model/weights.h"
#include "kernels/quantize.h"
#include "tests/adapters/adapter_fixture.h"
#include "tests/core/test_files.h"

#include <fmt/format.h>
#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

namespace wb::adapters {
namespace {

namespace fs = std::filesystem;
using test::expectError;
using test::strongAdapter;

// A golden model in memory, with a byte-level vocabulary of as many tokens as it has rows.
class GgufExport : public testing::Test {
protected:
    void load(const char* name, const nlohmann::json& patch = nlohmann::json::object()) {
        const fs::path golden = fs::path(WHETBENCH_SOURCE_DIR) / "tests/golden/models" / name;
        nlohmann::json config = nlohmann::json::parse(test::readText(golden / "config.json"));
        config.update(patch);
        test::writeText(m_source / "config.json", config.dump());
        fs::copy_file(golden / "model.safetensors", m_source / "model.safetensors");
        m_model = open(m_source.path());
        nlohmann::json vocabulary;
        for (int64_t id = 0; id < m_model->config().vocabularySize; ++id) vocabulary[fmt::format("t{}", id)] = id;
        test::writeText(m_source / "vocab.json", vocabulary.dump());
        test::writeText(m_source / "merges.txt", "#version: 0.2\nt 1\n");
        // Said aloud, because a T5 would otherwise be taken to cut words as its own tokenizer does.
        test::writeText(m_source / "tokenizer_config.json", R"({"tokenizer_class": "GPT2Tokenizer"})");
        for (int32_t seed = 0; seed < 3; ++seed) {
            ReplaySequence sequence{{}, 4};
            for (int32_t t = 0; t < 12; ++t) {
                const auto size = static_cast<int32_t>(m_model->config().vocabularySize);
                sequence.ids.push_back((7 * t + 13 * seed + t * t) % size);
            }
            m_sequences.push_back(std::move(sequence));
        }
    }

    void clear() {
        m_sequences.clear();
        for (const fs::path& folder : {m_source.path(), m_folder.path()}) {
            for (const auto& entry : fs::directory_iterator(folder)) fs::remove(entry.path());
        }
    }

    std::unique_ptr<core::LanguageModel> open(const fs::path& path, const core::ElementTypes& types = {}) {
        const core::ModelSource source = core::ModelSource::open(path);
        auto model = std::make_unique<core::LanguageModel>(m_context, source.config(), types);
        core::loadWeights(m_context, *model, source);
        return model;
    }

    std::vector<std::vector<float>> replay(core::LanguageModel& model, int32_t adapter = -1) {
        return replayLogits(m_context, {model, adapter}, m_sequences);
    }

    std::vector<fs::path> companions() const {
        return {m_source / "vocab.json", m_source / "merges.txt", m_source / "tokenizer_config.json"};
    }

    void write(const std::string& type, LowRankAdapter* adapter = nullptr) {
        exporterOf("gguf").write({.context = m_context,
                                  .model = *m_model,
                                  .adapter = adapter,
                                  .baseModel = "models/tiny",
                                  .companions = companions(),
                                  .ggufType = type,
                                  .ggufBase = {}},
                                 m_folder.path());
    }

    Certificate certify(const std::vector<std::vector<float>>& expected) {
        const auto reloaded = open(m_folder / "model.gguf");
        return compareReplays(m_sequences, expected, replay(*reloaded), DType::F32);
    }

    kernels::Runtime m_runtime = test::cpuRuntime();
    const kernels::Context& m_context = m_runtime.context();
    test::TemporaryFolder m_source;
    test::TemporaryFolder m_folder;
    std::unique_ptr<core::LanguageModel> m_model;
    std::vector<ReplaySequence> m_sequences;
};

TEST_F(GgufExport, everyFamilyReloadsToItsLogits) {
    const std::pair<const char*, nlohmann::json> models[] = {
        {"llama_gqa", {}},
        {"llama_rope_llama3", {}},
        {"mistral", {}},
        {"qwen2", {}},
        {"gemma", {}},
        {"gemma2", {{"query_pre_attn_scalar", 12}}},
        {"gemma3_text", {{"query_pre_attn_scalar", 12}}},
        {"gpt2", {}},
        {"t5", {{"relative_attention_max_distance", 128}}},
        {"t5_v1_1", {{"relative_attention_max_distance", 128}}},
    };
    for (const auto& [name, patch] : models) {
        SCOPED_TRACE(name);
        clear();
        load(name, patch.is_null() ? nlohmann::json::object() : patch);
        const auto original = replay(*m_model);
        write("f32");
        const Certificate certificate = certify(original);
        EXPECT_TRUE(certificate.isOk) << certificateJson(certificate);
    }
}

TEST_F(GgufExport, aRoundedFileIsTheRoundedModelToTheBit) {
    load("qwen2");
    const auto original = replay(*m_model);
    for (const char* type : {"f16", "bf16", "q8_0"}) {
        write(type);
        const auto rounded = replay(*m_model);
        EXPECT_NE(rounded, original) << "the model in memory is rounded too";
        EXPECT_EQ(certify(rounded).maxLogitError, 0) << type;
        m_model = open(m_source.path());
        fs::remove(m_folder / "model.gguf");
    }
}

TEST_F(GgufExport, blocksOfAFileAreHeldAsTheyAreAndGiveItsLogits) {
    load("llama_gqa");
    write("q8_0");
    const core::ModelSource source = core::ModelSource::open(m_folder / "model.gguf");
    const auto widened = replay(*open(m_folder / "model.gguf"));
    m_model = open(m_folder / "model.gguf", *core::elementTypesNamed("q8_0"));
    size_t numTaken = 0;
    for (const core::NamedTensor& weight : core::storedWeights(*m_model)) {
        if (!isTiled(weight.tensor.dtype())) continue;
        ASSERT_EQ(source.tensor(weight.name).dtype, DType::Q8_0) << weight.name;
        std::vector<std::byte> blocks(source.readTensor(weight.name).bytes.size());
        kernels::retile(m_context,
                        {.in = weight.tensor.view(), .out = {blocks.data(), DType::Q8_0, weight.tensor.shape()}});
        EXPECT_TRUE(std::ranges::equal(blocks, source.readTensor(weight.name).bytes)) << weight.name;
        ++numTaken;
    }
    EXPECT_GT(numTaken, 10U);
    // What is left is the rounding of activations; random weights make much of it.
    const auto held = replay(*m_model);
    double error = 0;
    double length = 0;
    for (size_t i = 0; i < held.size(); ++i) {
        ASSERT_EQ(held[i].size(), widened[i].size());
        for (size_t j = 0; j < held[i].size(); ++j) {
            error += std::pow(static_cast<double>(held[i][j] - widened[i][j]), 2);
            length += std::pow(static_cast<double>(widened[i][j]), 2);
        }
    }
    EXPECT_LT(std::sqrt(error / length), 0.05);
    WB_EXPECT_ERROR(write("f32"), ErrorCode::Unsupported, "rounded to blocks");
}

TEST_F(GgufExport, anAdapterIsMerged) {
    load("llama_gqa");
    const auto adapter = strongAdapter(m_context, *m_model);
    adapter->attach(0);
    const auto tuned = replay(*m_model, 0);
    EXPECT_FALSE(compareReplays(m_sequences, tuned, replay(*m_model), DType::F32).isOk) << "the adapter matters";
    write("f32", adapter.get());
    const Certificate certificate = certify(tuned);
    EXPECT_TRUE(certificate.isOk) << certificateJson(certificate);
}

TEST_F(GgufExport, aChangedByteFailsTheCertificate) {
    load("qwen2");
    const auto original = replay(*m_model);
    write("f32");
    const fs::path file = m_folder / "model.gguf";
    {
        const core::GgufFile opened = core::GgufFile::open(file);
        const std::string bytes = test::readText(file);
        const auto weight = opened.find("blk.0.attn_q.weight")->bytes;
        const std::string_view needle(reinterpret_cast<const char*>(weight.data()), weight.size());
        const size_t offset = bytes.find(needle);
        ASSERT_NE(offset, std::string::npos);
        test::flipByte(file, offset + 3, 0x40);
    }
    EXPECT_FALSE(certify(original).isOk);
}

TEST_F(GgufExport, theVocabularyOfAGgufBaseGoesAlong) {
    load("qwen2");
    write("f32");
    const test::TemporaryFolder again;
    exporterOf("gguf").write({.context = m_context,
                              .model = *m_model,
                              .adapter = nullptr,
                              .baseModel = "tiny",
                              .companions = {},
                              .ggufType = "f16",
                              .ggufBase = m_folder / "model.gguf"},
                             again.path());
    const core::GgufFile first = core::GgufFile::open(m_folder / "model.gguf");
    const core::GgufFile second = core::GgufFile::open(again / "model.gguf");
    for (const auto& [key, value] : first.metadata()) {
        if (!key.starts_with("tokenizer.")) continue;
        EXPECT_EQ(second.metadata().at(key), value) << key;
    }
    EXPECT_EQ(second.integer("general.file_type"), 1);
    EXPECT_EQ(second.text("general.name"), "tiny");
}

TEST_F(GgufExport, theModelfileLimitsTheContextToAWindowThatLlamaCppIgnores) {
    load("mistral");
    write("f32");
    const int64_t window = m_model->config().slidingWindow;
    ASSERT_GT(window, 0);
    const std::string modelfile = test::readText(m_folder / "Modelfile");
    EXPECT_NE(modelfile.find("FROM ./model.gguf\n"), std::string::npos);
    EXPECT_NE(modelfile.find(fmt::format("PARAMETER num_ctx {}\n", window)), std::string::npos) << modelfile;
    EXPECT_NE(modelfile.find("TEMPLATE \"\"\"{{ .Prompt }}\"\"\"\n"), std::string::npos);
}

TEST_F(GgufExport, whatCannotBeWrittenIsNamed) {
    load("qwen2");
    expectError(ErrorCode::InvalidArgument, "'q4_0' is no element type", [&] { write("q4_0"); });
    fs::remove(m_source / "vocab.json");
    expectError(ErrorCode::NotFound, "no tokenizer.json", [&] {
        exporterOf("gguf").write({.context = m_context,
                                  .model = *m_model,
                                  .adapter = nullptr,
                                  .baseModel = "tiny",
                                  .companions = {m_source / "merges.txt"},
                                  .ggufType = "f16",
                                  .ggufBase = {}},
                                 m_folder.path());
    });
    EXPECT_FALSE(fs::exists(m_folder / "model.gguf"));
}

}  // namespace
}  // namespace wb::adapters
