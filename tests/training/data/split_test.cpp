// SPDX-License-Identifier: Apache-2.0
#include "training/data/split.h"

#include <gmock/gmock.h>

#include <numeric>
#include <set>

namespace wb::training {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::vector<int32_t> rowsTo(int count) {
    std::vector<int32_t> rows(static_cast<size_t>(count));
    std::iota(rows.begin(), rows.end(), 0);
    return rows;
}

DataSplit split(int count, int groupSize, const SplitOptions& options) {
    std::vector<uint64_t> keys;
    for (int i = 0; i < count; ++i) keys.push_back(static_cast<uint64_t>(i / groupSize));
    return splitByGroup(rowsTo(count), keys, options);
}

TEST(Split, TakesATenthButAtMostTwoHundredRows) {
    EXPECT_EQ(split(400, 1, {}).validation.size(), 40U);
    EXPECT_EQ(split(5000, 1, {}).validation.size(), 200U);
    EXPECT_EQ(split(3, 1, {}).validation.size(), 1U);
    EXPECT_EQ(split(2, 1, {}).train.size(), 1U);
}

TEST(Split, DividesAllRowsWithoutRepeats) {
    const DataSplit result = split(123, 1, {});
    std::set<int32_t> all(result.train.begin(), result.train.end());
    all.insert(result.validation.begin(), result.validation.end());
    EXPECT_EQ(all.size(), 123U);
    EXPECT_EQ(result.train.size() + result.validation.size(), 123U);
    EXPECT_TRUE(std::is_sorted(result.train.begin(), result.train.end()));
    EXPECT_TRUE(std::is_sorted(result.validation.begin(), result.validation.end()));
}

TEST(Split, KeepsRowsOfOneGroupTogether) {
    const DataSplit result = split(400, 7, {});
    std::set<int32_t> trainGroups;
    for (const int32_t row : result.train) trainGroups.insert(row / 7);
    for (const int32_t row : result.validation) EXPECT_FALSE(trainGroups.contains(row / 7)) << row;
    EXPECT_GT(result.keptTogether, 0);
    EXPECT_LE(result.validation.size(), 40U);
    EXPECT_GE(result.validation.size(), 34U);
}

TEST(Split, SeedDecides) {
    EXPECT_EQ(split(100, 1, {.seed = 1}).validation, split(100, 1, {.seed = 1}).validation);
    EXPECT_NE(split(100, 1, {.seed = 1}).validation, split(100, 1, {.seed = 2}).validation);
}

TEST(Split, IsOffWhereItCannotBe) {
    EXPECT_THAT(split(100, 1, {.validationShare = 0.0}).validation, IsEmpty());
    EXPECT_THAT(split(100, 100, {}).validation, IsEmpty()) << "a single group cannot be divided";
    EXPECT_THAT(split(1, 1, {}).train, ElementsAre(0));
    EXPECT_THAT(split(0, 1, {}).train, IsEmpty());
}

TEST(Split, TakesTheSmallestGroupIfAllAreTooLarge) {
    const std::vector<uint64_t> keys{1, 1, 1, 1, 2, 2, 1, 1, 1, 1};
    const DataSplit result = splitByGroup(rowsTo(10), keys, {});
    EXPECT_THAT(result.validation, ElementsAre(4, 5));
}

}  // namespace
}  // namespace wb::training
