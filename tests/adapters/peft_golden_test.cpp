// SPDX-License-Identifier: Apache-2.0
// Adapters that the peft library wrote: the same logits here, merged and not, and written again by this program.
#include "adapters/merge.h"
#include "adapters/peft.h"
#include "core/format/safetensors.h"
#include "tests/adapters/adapter_fixture.h"

#include <fmt/format.h>
#include <algorithm>
#include <nlohmann/json.hpp>

namespace wb::adapters {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

const fs::path kGolden = fs::path(WHETBENCH_SOURCE_DIR) / "tests/golden";
// Both sides compute in F32 and round differently.
constexpr double kTolerance = 1e-4;

std::vector<std::string> goldenCases() {
    std::vector<std::string> names;
    std::error_code error;
    for (const fs::directory_entry& entry : fs::directory_iterator(kGolden / "adapters", error))
        names.push_back(entry.path().filename().string());
    std::ranges::sort(names);
    return names;
}

struct Sequences {
    std::vector<int32_t> ids;
    std::vector<int32_t> bounds{0};

    void add(const json& sequences) {
        for (const json& one : sequences) {
            for (const json& id : one) ids.push_back(id.get<int32_t>());
            bounds.push_back(static_cast<int32_t>(ids.size()));
        }
    }
};

class PeftGoldenTest : public testing::TestWithParam<std::string> {
protected:
    void SetUp() override {
        m_expected = json::parse(test::readText(folder() / "expected.json"));
        const fs::path base = kGolden / "models" / m_expected.at("model").get<std::string>();
        if (!fs::exists(base)) GTEST_SKIP() << base << " is missing";
        const core::ModelSource source = core::ModelSource::open(base);
        m_model = std::make_unique<core::LanguageModel>(m_context, source.config(), DType::F32);
        core::loadWeights(m_context, *m_model, source);
    }

    fs::path folder() const { return kGolden / "adapters" / GetParam(); }

    std::vector<float> expectedLogits() const {
        const auto file = core::SafetensorsFile::open(folder() / "expected.safetensors");
        const auto bytes = file.bytes("logits");
        std::vector<float> logits(bytes.size() / sizeof(float));
        std::memcpy(logits.data(), bytes.data(), bytes.size());
        return logits;
    }

    // All sequences of the case under the adapter, and then all of them again under `second`, in one batch.
    std::vector<float> logits(int32_t adapter, int32_t second) {
        Sequences decoder;
        for (int copy = 0; copy < 2; ++copy) decoder.add(m_expected.at("sequences"));
        core::PackedInput input =
            core::packInput(m_context, decoder.ids, core::positionsOf(decoder.bounds), decoder.bounds);
        if (m_expected.contains("sources")) {
            Sequences source;
            for (int copy = 0; copy < 2; ++copy) source.add(m_expected.at("sources"));
            input.source = std::make_shared<const core::PackedInput>(
                core::packInput(m_context, source.ids, core::positionsOf(source.bounds), source.bounds));
        }
        const auto half = static_cast<int64_t>(decoder.ids.size() / 2);
        const std::vector<core::AdapterRows> rows{{0, half, adapter}, {half, 2 * half, second}};
        const core::Context pass{m_context, nullptr, nullptr, rows};
        const core::Tensor hidden = m_model->forward(pass, input).value;
        return core::toFloats(m_context, m_model->logits(m_context, hidden, rows));
    }

    static std::vector<float> firstHalf(const std::vector<float>& values) {
        return {values.begin(), values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2)};
    }
    static std::vector<float> secondHalf(const std::vector<float>& values) {
        return {values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2), values.end()};
    }

    kernels::Runtime m_runtime = test::cpuRuntime();
    const kernels::Context& m_context = m_runtime.context();
    std::unique_ptr<core::LanguageModel> m_model;
    json m_expected;
    test::TemporaryFolder m_copy;
};

INSTANTIATE_TEST_SUITE_P(Cases, PeftGoldenTest, testing::ValuesIn(goldenCases()),
                         [](const auto& test) { return test.param; });
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(PeftGoldenTest);

TEST_P(PeftGoldenTest, givesTheLogitsOfTheLibraryBesideTheBase) {
    const std::vector<float> base = logits(-1, -1);
    const auto adapter = loadPeftAdapter(m_context, *m_model, folder());
    adapter->attach(1);
    const std::vector<float> both = logits(1, -1);
    const std::vector<float> expected = expectedLogits();
    const double error = test::relativeError(expected, firstHalf(both));
    RecordProperty("relative_error", fmt::format("{:.2e}", error));
    EXPECT_LT(error, kTolerance);
    EXPECT_GT(test::relativeError(expected, firstHalf(base)), 0.02) << "the adapter must matter";
    EXPECT_LT(test::relativeError(secondHalf(base), secondHalf(both)), 1e-6) << "rows of the base beside it";
    adapter->detach();
    EXPECT_EQ(logits(-1, 1), base) << "a detached adapter leaves nothing behind";
}

TEST_P(PeftGoldenTest, isWrittenAgainWithTheSameLogits) {
    const auto adapter = loadPeftAdapter(m_context, *m_model, folder());
    adapter->attach(0);
    // As an export writes it: from the adapter alone.
    writePeftAdapter(m_context, *adapter, {.lora = adapter->config(), .baseModel = "base", .sourceJson = {}},
                     m_copy.path());
    const auto again = loadPeftAdapter(m_context, *m_model, m_copy.path());
    again->attach(1);
    const std::vector<float> both = logits(0, 1);
    EXPECT_EQ(firstHalf(both), secondHalf(both));
    EXPECT_EQ(hashAdapter(m_context, *again), hashAdapter(m_context, *adapter));
    EXPECT_EQ(again->parameterCount(), adapter->parameterCount());
}

TEST_P(PeftGoldenTest, mergesIntoTheWeightsOrSaysWhyNot) {
    const auto adapter = loadPeftAdapter(m_context, *m_model, folder());
    adapter->attach(0);
    if (!m_expected.at("can_merge").get<bool>()) {
        test::expectError(ErrorCode::Unsupported, "export as peft", [&] { mergeAdapter(m_context, *adapter); });
        return;
    }
    mergeAdapter(m_context, *adapter);
    EXPECT_LT(test::relativeError(expectedLogits(), firstHalf(logits(-1, -1))), kTolerance);
}

TEST_P(PeftGoldenTest, adaptsTheModulesThatTheLibraryAdapts) {
    const auto adapter = loadPeftAdapter(m_context, *m_model, folder());
    std::vector<std::string> modules;
    for (const core::NamedTensor& tensor : adapter->storedTensors()) {
        for (const char* suffix : {".lora_A.weight", ".lora_embedding_A"}) {
            if (tensor.name.ends_with(suffix))
                modules.push_back(tensor.name.substr(0, tensor.name.size() - std::strlen(suffix)));
        }
    }
    std::ranges::sort(modules);
    EXPECT_EQ(modules, m_expected.at("adapted").get<std::vector<std::string>>());
}

// The configuration alone, as a recipe would give it, chooses the same modules and sizes.
TEST_P(PeftGoldenTest, theConfigurationAloneMeansTheSameAdapter) {
    const auto read = loadPeftAdapter(m_context, *m_model, folder());
    const PeftConfig peft = readPeftConfig(folder());
    const ModuleMatcher matcher(peft.lora);
    std::vector<std::string> fromConfig;
    m_model->visitLinears([&](const core::LinearLayer& layer) {
        if (matcher.isTarget(layer.name, true)) fromConfig.push_back(layer.name);
    });
    EXPECT_EQ(fromConfig, test::adaptedLayers(*read));
}

}  // namespace
}  // namespace wb::adapters
