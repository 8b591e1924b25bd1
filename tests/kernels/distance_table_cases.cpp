// SPDX-License-Identifier: Apache-2.0
#include "kernels/distance_table.h"
#include "tests/kernels/op_case.h"

#include <fmt/format.h>

namespace wb::kernels::testing {
namespace {

OpCase tableCase(int64_t buckets, int64_t heads, const std::vector<int32_t>& bucketOfDistance) {
    OpCase c;
    const auto distances = static_cast<int64_t>(bucketOfDistance.size());
    c.name = fmt::format("distance_table_{}x{}x{}", buckets, heads, distances);
    c.tensors = {
        {"weight", {buckets, heads}},
        {"table", {heads, distances}, TensorKind::Sums, TensorRole::Output},
        {"dTable", {heads, distances}, TensorKind::Sums},
        {"dWeight", {buckets, heads}, TensorKind::Sums, TensorRole::Accumulated},
    };
    c.forward = [bucketOfDistance](const Context& context, const TensorBank& t) {
        distanceTableForward(context,
                             {.weight = t.at("weight"), .bucketOfDistance = bucketOfDistance, .table = t.at("table")});
    };
    c.backward = [bucketOfDistance](const Context& context, const TensorBank& t) {
        distanceTableBackward(
            context, {.dTable = t.at("dTable"), .bucketOfDistance = bucketOfDistance, .dWeight = t.at("dWeight")});
    };
    c.outputsAndUpstream = {{"table", "dTable"}};
    c.inputsAndGradients = {{"weight", "dWeight"}};
    c.reductionLength = distances;
    return c;
}

std::vector<int32_t> manyDistances(int32_t count, int32_t buckets) {
    std::vector<int32_t> bucketOfDistance;
    for (int32_t n = 0; n < count; ++n) bucketOfDistance.push_back(n * 7 % buckets);
    return bucketOfDistance;
}

}  // namespace

std::vector<OpCase> distanceTableCases() {
    return {
        tableCase(6, 5, manyDistances(200, 6)), tableCase(1, 1, {0}),
        tableCase(4, 3, {3, 3, 2, 1, 0, 1, 1}),  // bucket 3 twice at one end, all of them used
        tableCase(6, 5, {5, 0, 0, 0, 2}),        // some buckets by nobody
    };
}

}  // namespace wb::kernels::testing
