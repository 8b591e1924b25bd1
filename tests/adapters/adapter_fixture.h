// SPDX-License-Identifier: Apache-2.0
// A tiny model with a LoRA adapter that matters.
#pragma once

#include "adapters/low_rank_adapter.h"
#include "kernels/base/error.h"
#include "tests/core/model/tiny_model.h"
#include "tests/support/temporary_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace wb::test {

// `rank` 4, `alpha` 8, both matrices filled with seeded numbers: the outputs differ visibly from the base's.
std::unique_ptr<adapters::LowRankAdapter> strongAdapter(const kernels::Context& context, core::LanguageModel& model,
                                                        adapters::LoraConfig config = {.rank = 4, .alpha = 8},
                                                        uint64_t seed = 11);

// Logits of every position of a fixed sequence [T * V], with the adapter attached under the index (-1: the base).
std::vector<float> logitsOf(const kernels::Context& context, core::LanguageModel& model, int32_t adapter);

// The largest difference, as a share of the largest magnitude in `expected`.
double relativeError(const std::vector<float>& expected, const std::vector<float>& actual);

// What rounding may do to logits of the tiny model: unit roundoff times the root of all terms summed along a path
// through it (two layers of seven projections, each over at most 40 inputs).
double roundingTolerance(DType dtype);

// Names of the projections an adapter attaches to.
std::vector<std::string> adaptedLayers(adapters::LowRankAdapter& adapter);

// Changes one byte of a file.
void flipByte(const std::filesystem::path& file, size_t offset, uint8_t mask);

// Runs `action` and checks that it throws wb::Error with this code and these words.
template <class Action>
void expectError(ErrorCode code, const std::string& words, Action action) {
    try {
        action();
        ADD_FAILURE() << "nothing was thrown; expected: " << words;
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), code) << error.what();
        EXPECT_THAT(error.what(), testing::HasSubstr(words));
    }
}

}  // namespace wb::test
