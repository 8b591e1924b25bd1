// SPDX-License-Identifier: Apache-2.0
// What the table of cases does not reach: values that are not numbers, ids outside a table, ops without an F64 oracle
// of their own.
#include "kernels/embedding.h"
#include "kernels/expert_routing.h"
#include "kernels/rms_norm.h"
#include "kernels/row_norm.h"
#include "kernels/runtime/op_table.h"
#include "kernels/runtime/runtime.h"
#include "tests/cuda/device_bank.h"

#include <gtest/gtest.h>
#include <cmath>
#include <limits>
#include <set>
#include <vector>

namespace wb::kernels {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

class DeviceRows : public ::testing::Test {
protected:
    void SetUp() override {
        if (const std::string reason = testing::missingDevice(); !reason.empty()) GTEST_SKIP() << reason;
        m_runtime = std::make_unique<Runtime>(RuntimeOptions{.device = {DeviceType::Cuda}});
    }

    const Context& context() const { return m_runtime->context(); }

    template <class T>
    View put(const std::vector<T>& values, DType dtype, const Shape& shape) {
        m_buffers.push_back(
            m_runtime->context().allocator->allocate(arrayBytes(dtype, shape), MemoryOwner::Activations));
        void* data = m_buffers.back().data();
        if (!values.empty()) context().ops->copyFromHost(context(), data, values.data(), arrayBytes(dtype, shape));
        return {data, dtype, shape};
    }
    View putFloats(const std::vector<float>& values, const Shape& shape) { return put(values, DType::F32, shape); }
    View putIds(const std::vector<int32_t>& ids) {
        return put(ids, DType::I32, Shape{static_cast<int64_t>(ids.size())});
    }

    template <class T>
    std::vector<T> get(const View& view) const {
        std::vector<T> values(static_cast<size_t>(view.shape.count()));
        context().ops->copyToHost(context(), values.data(), view.data, view.bytes());
        return values;
    }

    std::unique_ptr<Runtime> m_runtime;
    std::vector<Buffer> m_buffers;
};

TEST_F(DeviceRows, rowNormIsOneOverTheLengthOfEachRow) {
    const View inverse = putFloats({-1, -1, -1}, Shape{3});
    rowNorm(context(), {.x = putFloats({3, 4, 0, 0, 0, -2}, Shape{3, 2}), .inverse = inverse});
    EXPECT_EQ(get<float>(inverse), (std::vector<float>{0.2F, 0.0F, 0.5F}));

    // A plain sum in F32 would lose ones long before the end.
    std::vector<float> ones(2 * 300000, 1.0F);
    const View lengths = putFloats({-1, -1}, Shape{2});
    rowNorm(context(), {.x = putFloats(ones, Shape{2, 300000}), .inverse = lengths});
    EXPECT_FLOAT_EQ(get<float>(lengths)[0], static_cast<float>(1 / std::sqrt(300000.0)));
    EXPECT_EQ(get<float>(lengths)[0], get<float>(lengths)[1]);
}

TEST_F(DeviceRows, anIdOutsideTheTableGivesNaNAndNoGradient) {
    const View table = putFloats({1, 2, 3, 4}, Shape{2, 2});
    const View ids = putIds({1, 2, -1, 0});
    const View out = putFloats(std::vector<float>(8, 77.0F), Shape{4, 2});
    embeddingForward(context(), {.table = table, .ids = ids, .out = out});
    const std::vector<float> found = get<float>(out);
    EXPECT_EQ(found[0], 3.0F);
    EXPECT_EQ(found[7], 2.0F);
    for (size_t i = 2; i < 6; ++i) EXPECT_TRUE(std::isnan(found[i])) << i;

    const View dTable = putFloats({10, 20, 30, 40}, Shape{2, 2});
    embeddingBackward(context(),
                      {.dOut = putFloats({1, 2, 3, 4, 5, 6, 7, 8}, Shape{4, 2}), .ids = ids, .dTable = dTable});
    EXPECT_EQ(get<float>(dTable), (std::vector<float>{17, 28, 31, 42}));
}

TEST_F(DeviceRows, aTokenThatFillsTheBatchAddsUpInItsOrder) {
    // 2^24 + 1 is 2^24 in F32: only in the order of t do the ones come before it and count.
    constexpr int64_t kTokens = 1501;
    std::vector<float> gradients(kTokens, 1.0F);
    gradients.back() = 0x1p24F;
    const View dTable = putFloats({0, 0, 0}, Shape{3, 1});
    embeddingBackward(context(), {.dOut = putFloats(gradients, Shape{kTokens, 1}),
                                  .ids = putIds(std::vector<int32_t>(kTokens, 1)),
                                  .dTable = dTable});
    EXPECT_EQ(get<float>(dTable), (std::vector<float>{0, 0x1p24F + 1500, 0}));
}

TEST_F(DeviceRows, routingOfNaNGivesValidExpertsAndNaNWeights) {
    const View logits = putFloats({kNan, 1, kNan, 2, kNan, kNan, kNan, kNan, 5, 5, 5, 5}, Shape{3, 4});
    const View weights = putFloats(std::vector<float>(9, 77.0F), Shape{3, 3});
    const View ids = put(std::vector<int32_t>(9, 77), DType::I32, Shape{3, 3});
    routeExpertsForward(context(), {.logits = logits, .weights = weights, .ids = ids});
    const std::vector<int32_t> chosen = get<int32_t>(ids);
    for (size_t row = 0; row < 3; ++row) {
        const std::set<int32_t> distinct(chosen.begin() + 3 * row, chosen.begin() + 3 * row + 3);
        EXPECT_EQ(distinct.size(), 3U) << row;
        EXPECT_GE(*distinct.begin(), 0);
        EXPECT_LT(*distinct.rbegin(), 4);
    }
    EXPECT_EQ((std::vector<int32_t>{chosen.begin() + 6, chosen.end()}), (std::vector<int32_t>{0, 1, 2}))
        << "among equals the lowest number wins";
    EXPECT_TRUE(std::isnan(get<float>(weights)[0]));
    EXPECT_FLOAT_EQ(get<float>(weights)[8], 0.25F);
}

TEST_F(DeviceRows, aNormWhoseWeightIsFrozenTakesNoScratch) {
    const View x = putFloats({1, 2, 3, 4}, Shape{1, 4});
    const View weight = putFloats({1, 1, 1, 1}, Shape{4});
    const View inverse = putFloats({0.5F}, Shape{1});
    const View dX = putFloats({0, 0, 0, 0}, Shape{1, 4});
    m_runtime->allocator().resetPeak();
    const int64_t before = m_runtime->allocator().stats().peakBytes;
    rmsNormBackward(context(), {.dOut = x, .s = x, .weight = weight, .invRms = inverse, .dX = dX});
    EXPECT_EQ(m_runtime->allocator().stats().peakBytes, before);
}

TEST_F(DeviceRows, refusesF64ByName) {
    const View x = putFloats({1, 2, 3, 4}, Shape{2, 2});
    const View wide{x.data, DType::F64, Shape{1, 2}};
    EXPECT_THROW(embeddingForward(context(), {.table = wide, .ids = putIds({0}), .out = wide}), Error);
    EXPECT_THROW(rowNorm(context(), {.x = wide, .inverse = View{x.data, DType::F64, Shape{1}}}), Error);
}

}  // namespace
}  // namespace wb::kernels
