// SPDX-License-Identifier: Apache-2.0
#include "tests/adapters/adapter_fixture.h"

#include "adapters/export/certificate.h"
#include "kernels/base/philox.h"

#include <algorithm>
#include <cmath>

namespace wb::test {

std::unique_ptr<adapters::LowRankAdapter> strongAdapter(const kernels::Context& context, core::LanguageModel& model,
                                                        adapters::LoraConfig config, uint64_t seed) {
    auto adapter = std::make_unique<adapters::LowRankAdapter>(context, model, std::move(config));
    uint64_t stream = 0;
    adapter->visitParameters([&](core::Parameter& parameter) {
        std::vector<float> values(static_cast<size_t>(parameter.value.count()));
        for (size_t i = 0; i < values.size(); ++i)
            values[i] = 0.4F * (2.0F * philoxUnit(philoxWord(seed, i, stream)) - 1.0F);
        core::assignFloats(context, parameter.value, values);
        ++stream;
    });
    adapter->refresh(context);
    return adapter;
}

std::vector<float> logitsOf(const kernels::Context& context, core::LanguageModel& model, int32_t adapter) {
    const adapters::ReplaySequence sequence{someIds(19, model.config().vocabularySize, 3), 4};
    return adapters::replayLogits(context, {model, adapter}, std::span(&sequence, 1)).front();
}

double relativeError(const std::vector<float>& expected, const std::vector<float>& actual) {
    EXPECT_EQ(expected.size(), actual.size());
    double largest = 0;
    double error = 0;
    for (size_t i = 0; i < std::min(expected.size(), actual.size()); ++i) {
        largest = std::max(largest, std::abs(static_cast<double>(expected[i])));
        error = std::max(error, std::abs(static_cast<double>(expected[i]) - static_cast<double>(actual[i])));
    }
    return error / largest;
}

double roundingTolerance(DType dtype) {
    const double unitRoundoff = dtype == DType::BF16 ? 0x1p-9 : 0x1p-24;
    return unitRoundoff * std::sqrt(14.0 * 40.0) * 2.0;
}

std::vector<std::string> adaptedLayers(adapters::LowRankAdapter& adapter) {
    std::vector<std::string> names;
    adapter.visitDeltas([&names](core::LinearLayer& layer, core::LowRankDelta&) { names.push_back(layer.name); });
    return names;
}

void flipByte(const std::filesystem::path& file, size_t offset, uint8_t mask) {
    std::string bytes = readText(file);
    bytes.at(offset) = static_cast<char>(static_cast<uint8_t>(bytes[offset]) ^ mask);
    writeText(file, bytes);
}

}  // namespace wb::test
