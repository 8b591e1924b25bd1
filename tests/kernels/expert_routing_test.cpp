// SPDX-License-Identifier: Apache-2.0
// What the table of cases cannot say about routing: ties, NaN, limits; and how wrong slots and columns are refused.
#include "kernels/expert_routing.h"

#include "kernels/base/error.h"
#include "kernels/columns.h"
#include "kernels/distance_table.h"
#include "kernels/elementwise.h"
#include "kernels/rows.h"
#include "kernels/runtime/runtime.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <cmath>
#include <functional>
#include <limits>
#include <set>
#include <vector>

namespace wb::kernels {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

View viewOf(std::vector<float>& values, const Shape& shape) {
    return {values.data(), DType::F32, shape};
}
View viewOf(std::vector<int32_t>& values, const Shape& shape) {
    return {values.data(), DType::I32, shape};
}

class ExpertRouting : public ::testing::Test {
protected:
    // Routes one row to `chosen` experts.
    void route(std::vector<float> logits, int64_t chosen, RoutingWeights normalisation = RoutingWeights::Softmax) {
        m_weights.assign(static_cast<size_t>(chosen), 0);
        m_ids.assign(static_cast<size_t>(chosen), -1);
        const auto experts = static_cast<int64_t>(logits.size());
        routeExpertsForward(context(), {.logits = viewOf(logits, {1, experts}),
                                        .weights = viewOf(m_weights, {1, chosen}),
                                        .ids = viewOf(m_ids, {1, chosen}),
                                        .normalisation = normalisation});
    }
    const Context& context() const { return m_runtime.context(); }
    std::string refusal(const std::function<void()>& call) const {
        try {
            call();
        } catch (const Error& error) {
            EXPECT_EQ(error.code(), ErrorCode::InvalidArgument);
            return error.what();
        }
        return "accepted";
    }

    Runtime m_runtime{{.numThreads = 2}};
    std::vector<float> m_weights;
    std::vector<int32_t> m_ids;
};

TEST_F(ExpertRouting, TheLowestNumberWinsAmongEquals) {
    route({1, 2, 2, 0, 2}, 2);
    EXPECT_THAT(m_ids, ElementsAre(1, 2));
    route({0, 0, 0, 0}, 3);
    EXPECT_THAT(m_ids, ElementsAre(0, 1, 2));
    EXPECT_THAT(m_weights, ElementsAre(0.25F, 0.25F, 0.25F));
}

TEST_F(ExpertRouting, NormalisedWeightsSumToOneEvenForHugeLogits) {
    route({1000, 999, -3000, 998}, 3, RoutingWeights::Normalised);
    EXPECT_THAT(m_ids, ElementsAre(0, 1, 3));
    EXPECT_FLOAT_EQ(m_weights[0] + m_weights[1] + m_weights[2], 1.0F);
    EXPECT_NEAR(m_weights[1] / m_weights[0], std::exp(-1.0F), 1e-6F);
}

TEST_F(ExpertRouting, ANanGivesValidIdsAndNanWeights) {
    const float nan = std::numeric_limits<float>::quiet_NaN();
    route({nan, 1, nan, nan}, 3);
    const std::set<int32_t> distinct(m_ids.begin(), m_ids.end());
    EXPECT_EQ(distinct.size(), 3U);
    EXPECT_GE(*distinct.begin(), 0);
    EXPECT_LT(*distinct.rbegin(), 4);
    for (const float weight : m_weights) EXPECT_TRUE(std::isnan(weight));
}

TEST_F(ExpertRouting, RefusesMoreExpertsThanThereAre) {
    EXPECT_THAT(refusal([&] { route({1, 2}, 3); }), HasSubstr("3 of 2 experts cannot be chosen"));
    EXPECT_THAT(refusal([&] { route({1, 2}, 0); }), HasSubstr("0 of 2 experts cannot be chosen"));
}

TEST_F(ExpertRouting, RowsAndColumnsOutsideTheMatrixAreRefused) {
    std::vector<float> x(6);
    std::vector<float> out(12);
    std::vector<int32_t> assignments{0, 6};
    EXPECT_THAT(refusal([&] {
                    gatherRows(context(), {.x = viewOf(x, {3, 2}),
                                           .assignments = viewOf(assignments, {2}),
                                           .weights = {},
                                           .out = viewOf(out, {2, 2}),
                                           .rowsPerSource = 2});
                }),
                HasSubstr("entry 1 of assignments is 6, expected [0, 6)"));
    std::vector<int32_t> slots{0, -1, 2};
    EXPECT_THAT(
        refusal([&] {
            combineRows(
                context(),
                {.rows = viewOf(x, {3, 2}), .slots = viewOf(slots, {3, 1}), .weights = {}, .out = viewOf(out, {3, 2})});
        }),
        HasSubstr("entry 1 of slots is -1"));
    EXPECT_THAT(refusal([&] {
                    gatherRows(context(), {.x = viewOf(x, {3, 2}),
                                           .assignments = {},
                                           .weights = viewOf(out, {3, 2}),
                                           .out = viewOf(out, {3, 2})});
                }),
                HasSubstr("2 rows per source without assignments"));
    const std::vector<int32_t> starts{0, 2};
    EXPECT_THAT(refusal([&] {
                    gatherColumns(context(), {.x = viewOf(x, {2, 3}), .starts = starts, .out = viewOf(out, {2, 2, 2})});
                }),
                HasSubstr("columns 2 to 4 lies outside the 3 columns"));
    const std::vector<int32_t> buckets{0, 3};
    EXPECT_THAT(refusal([&] {
                    distanceTableForward(
                        context(),
                        {.weight = viewOf(x, {3, 2}), .bucketOfDistance = buckets, .table = viewOf(out, {2, 2})});
                }),
                HasSubstr("bucket 3 of distance 1 is not in [0, 3)"));
    EXPECT_THAT(refusal([&] { softCap(context(), {.x = viewOf(x, {6}), .out = viewOf(out, {6}), .cap = 0.0F}); }),
                HasSubstr("cap is 0"));
}

}  // namespace
}  // namespace wb::kernels
