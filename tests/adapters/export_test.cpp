// SPDX-License-Identifier: Apache-2.0
#include "adapters/export/exporters.h"

#include "adapters/export/certificate.h"
#include "adapters/peft.h"
#include "core/format/safetensors.h"
#include "tests/adapters/adapter_fixture.h"

#include <limits>
#include <nlohmann/json.hpp>

namespace wb::adapters {
namespace {

using test::expectError;
using test::strongAdapter;

class ExportTest : public testing::TestWithParam<DType> {
protected:
    ExportTest() : m_model(test::tinyModel(m_context, GetParam())) {
        for (uint64_t seed = 0; seed < 3; ++seed) m_sequences.push_back({test::someIds(15, 37, seed), 5});
    }

    std::vector<std::vector<float>> replay(core::LanguageModel& model, int32_t adapter) {
        return replayLogits(m_context, {model, adapter}, m_sequences);
    }

    // The logits of the tuned model, and its export in m_folder.
    std::vector<std::vector<float>> exportAs(const std::string& format) {
        m_adapter = strongAdapter(m_context, *m_model);
        m_adapter->attach(0);
        std::vector<std::vector<float>> original = replay(*m_model, 0);
        exporterOf(format).write({m_context, *m_model, m_adapter.get(), "tiny", {}}, m_folder.path());
        return original;
    }

    std::vector<std::vector<float>> reloadPeft() {
        const auto base = test::tinyModel(m_context, GetParam());
        const auto adapter = loadPeftAdapter(m_context, *base, m_folder.path());
        adapter->attach(0);
        return replay(*base, 0);
    }

    std::vector<std::vector<float>> reloadModel() {
        const core::ModelSource source = core::ModelSource::open(m_folder.path());
        core::LanguageModel model(m_context, source.config(), GetParam());
        core::loadWeights(m_context, model, source);
        return replay(model, -1);
    }

    Certificate certify(const std::vector<std::vector<float>>& original,
                        const std::vector<std::vector<float>>& reloaded) const {
        return compareReplays(m_sequences, original, reloaded, GetParam());
    }

    // Offset in the file of element `index` of a tensor.
    static size_t offsetOf(const std::filesystem::path& file, const std::string& tensor, size_t index) {
        const std::string bytes = test::readText(file);
        uint64_t headerBytes = 0;
        std::memcpy(&headerBytes, bytes.data(), sizeof headerBytes);
        const core::SafetensorsFile opened = core::SafetensorsFile::open(file);
        const core::TensorEntry* entry = opened.find(tensor);
        EXPECT_NE(entry, nullptr) << tensor;
        return sizeof headerBytes + headerBytes + entry->begin + index * dtypeBytes(*entry->dtype, 1);
    }

    kernels::Runtime m_runtime = test::cpuRuntime();
    const kernels::Context& m_context = m_runtime.context();
    std::unique_ptr<core::LanguageModel> m_model;
    std::unique_ptr<LowRankAdapter> m_adapter;
    std::vector<ReplaySequence> m_sequences;
    test::TemporaryFolder m_folder;
};

INSTANTIATE_TEST_SUITE_P(Dtypes, ExportTest, testing::Values(DType::F32, DType::BF16),
                         [](const auto& test) { return std::string(dtypeName(test.param)); });

TEST_P(ExportTest, peftReloadsToTheSameBits) {
    const auto original = exportAs("peft");
    const auto reloaded = reloadPeft();
    EXPECT_EQ(reloaded, original);
    const Certificate certificate = certify(original, reloaded);
    EXPECT_TRUE(certificate.isOk);
    EXPECT_EQ(certificate.maxLogitError, 0);
    EXPECT_EQ(certificate.tokenAgreement, 1);
    EXPECT_EQ(certificate.prompts, 3);
    EXPECT_EQ(certificate.positions, 3 * 11) << "the last prompt position and ten answer tokens of each";
}

TEST_P(ExportTest, mergedFolderReloadsToTheMergedModelAndPassesTheCertificate) {
    const auto original = exportAs("safetensors");
    const auto reloaded = reloadModel();
    EXPECT_EQ(reloaded, replay(*m_model, -1)) << "the files hold the merged weights to the bit";
    const Certificate certificate = certify(original, reloaded);
    EXPECT_TRUE(GetParam() == DType::BF16 || certificate.isOk) << certificateJson(certificate);
    EXPECT_LE(certificate.maxLogitError, certificate.tolerance);
    EXPECT_GT(certificate.maxLogitError, 0) << "merging rounds";
}

TEST_P(ExportTest, aWholeModelExportsAsItIs) {
    const auto original = replay(*m_model, -1);
    exporterOf("safetensors").write({m_context, *m_model, nullptr, "tiny", {}}, m_folder.path());
    EXPECT_EQ(reloadModel(), original);
    expectError(ErrorCode::Unsupported, "export as safetensors", [&] {
        exporterOf("peft").write({m_context, *m_model, nullptr, "tiny", {}}, m_folder.path());
    });
}

TEST_P(ExportTest, companionsComeAlong) {
    const test::TemporaryFolder companions;
    test::writeText(companions / "tokenizer.json", std::string("{\0}", 3));
    exporterOf("safetensors")
        .write({m_context, *m_model, nullptr, "tiny", {companions / "tokenizer.json"}}, m_folder.path());
    EXPECT_EQ(test::readText(m_folder / "tokenizer.json"), std::string("{\0}", 3));
    expectError(ErrorCode::NotFound, "gone.json", [&] {
        exporterOf("safetensors")
            .write({m_context, *m_model, nullptr, "tiny", {companions / "gone.json"}}, m_folder.path());
    });
}

TEST_P(ExportTest, certificateFailsOnAChangedByteOfAMergedFile) {
    const auto original = exportAs("safetensors");
    const std::filesystem::path file = m_folder / "model.safetensors";
    const std::string untouched = test::readText(file);
    const std::string hash = core::ModelSource::open(m_folder.path()).weightHash();
    const size_t lastByte = dtypeBytes(GetParam(), 1) - 1;  // sign and upper exponent
    const auto row = static_cast<size_t>(m_sequences.front().ids.front()) * 24;
    const std::vector<std::pair<std::string, size_t>> places{{"model.embed_tokens.weight", row},
                                                             {"model.layers.0.self_attn.q_proj.weight", 3},
                                                             {"model.layers.0.self_attn.k_proj.bias", 1},
                                                             {"model.layers.1.mlp.down_proj.weight", 77},
                                                             {"model.layers.1.input_layernorm.weight", 5},
                                                             {"model.norm.weight", 23},
                                                             {"lm_head.weight", 100}};
    for (const auto& [tensor, element] : places) {
        SCOPED_TRACE(tensor);
        test::writeText(file, untouched);
        test::flipByte(file, offsetOf(file, tensor, element) + lastByte, 0x40);
        const Certificate certificate = certify(original, reloadModel());
        EXPECT_FALSE(certificate.isOk) << certificateJson(certificate);
        EXPECT_NE(core::ModelSource::open(m_folder.path()).weightHash(), hash);
    }
    // The lowest bit of one weight moves no logit beyond rounding, but the hash tells.
    test::writeText(file, untouched);
    test::flipByte(file, offsetOf(file, "model.norm.weight", 0), 0x01);
    EXPECT_NE(core::ModelSource::open(m_folder.path()).weightHash(), hash);
}

TEST_P(ExportTest, certificateFailsOnAChangedByteOfAnAdapterFile) {
    const auto original = exportAs("peft");
    const std::filesystem::path file = m_folder / "adapter_model.safetensors";
    const std::string hash = hashPeftFolder(m_folder.path());
    const std::string tensor = "base_model.model.model.layers.0.mlp.gate_proj.lora_A.weight";
    test::flipByte(file, offsetOf(file, tensor, 2) + dtypeBytes(GetParam(), 1) - 1, 0x40);
    EXPECT_FALSE(certify(original, reloadPeft()).isOk);
    EXPECT_NE(hashPeftFolder(m_folder.path()), hash);
}

TEST_P(ExportTest, certificateFailsOnNanAndInfinityOnEitherSide) {
    const auto original = replay(*m_model, -1);
    ASSERT_TRUE(certify(original, original).isOk);
    for (const float poison : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
                               -std::numeric_limits<float>::infinity()}) {
        for (const size_t at : {size_t{0}, original[1].size() / 2, original[1].size() - 1}) {
            auto poisoned = original;
            poisoned[1][at] = poison;
            EXPECT_FALSE(certify(original, poisoned).isOk) << poison << " at " << at;
            EXPECT_FALSE(certify(poisoned, original).isOk) << poison << " at " << at;
            EXPECT_FALSE(certify(poisoned, poisoned).isOk) << poison << " at " << at;
        }
    }
}

TEST_P(ExportTest, certificateFailsWithoutEvidence) {
    EXPECT_FALSE(compareReplays({}, {}, {}, GetParam()).isOk);
}

TEST_P(ExportTest, certificateFailsOnADifferentMostLikelyTokenEvenIfClose) {
    auto original = replay(*m_model, -1);
    // Two tokens as good as equal at an answer position: a hair decides, and greedy decoding would differ.
    const size_t row = 10 * 37;
    original[0][row] = 50.0F;
    original[0][row + 1] = 50.0F + 1e-5F;
    auto reloaded = original;
    std::swap(reloaded[0][row], reloaded[0][row + 1]);
    const Certificate certificate = certify(original, reloaded);
    EXPECT_LE(certificate.maxLogitError, certificate.tolerance);
    EXPECT_LT(certificate.tokenAgreement, 1);
    EXPECT_FALSE(certificate.isOk);
}

TEST_P(ExportTest, certificateJsonIsValidEvenWithNan) {
    auto original = replay(*m_model, -1);
    auto poisoned = original;
    poisoned[0][0] = std::numeric_limits<float>::quiet_NaN();
    const auto json = nlohmann::json::parse(certificateJson(certify(original, poisoned)));
    EXPECT_EQ(json.at("ok"), false);
    EXPECT_TRUE(json.at("max_logit_error").is_null());
}

TEST(Exporters, unknownFormatNamesTheKnownOnes) {
    expectError(ErrorCode::InvalidArgument, "unknown export format 'pickle'; there are peft, safetensors",
                [] { exporterOf("pickle"); });
}

}  // namespace
}  // namespace wb::adapters
