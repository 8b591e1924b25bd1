// SPDX-License-Identifier: Apache-2.0
// A small seeded model for tests.
#pragma once

#include "core/model/language_model.h"
#include "core/model/weights.h"
#include "kernels/runtime/runtime.h"

#include <memory>
#include <vector>

namespace wb::test {

struct TinyModelOptions {
    int64_t layers = 2;
    bool hasBias = true;
    bool isTied = false;
    int64_t window = 0;
    int64_t vocabulary = 37;  // no multiple of the padding
    int64_t hidden = 24;      // 32 for rows of whole blocks
};

core::ModelConfig tinyConfig(const TinyModelOptions& options = {});

kernels::Runtime cpuRuntime(kernels::AttentionBackend attention = kernels::AttentionBackend::Auto);

// Fresh weights with a larger spread than training would use, so that every path matters; biases too.
std::unique_ptr<core::LanguageModel> tinyModel(const kernels::Context& context, const core::ElementTypes& types,
                                               const TinyModelOptions& options = {});

// `count` ids below the vocabulary, fixed by the seed.
std::vector<int32_t> someIds(int64_t count, int64_t vocabulary, uint64_t seed);

}  // namespace wb::test
