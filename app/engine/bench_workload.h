// SPDX-License-Identifier: Apache-2.0
// What the model benchmarks time: the same code that trains and generates, on random weights and random tokens.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "adapters/low_rank_adapter.h"
#include "core/model/language_model.h"
#include "core/run/recipe.h"
#include "kernels/runtime/context.h"

namespace wb::app {

// Something that can be done again and again, each time as much.
class BenchWorkload {
public:
    virtual ~BenchWorkload() = default;
    // What each run needs anew and what does not count.
    virtual void prepare() {}
    virtual void run() = 0;
    // Tokens of one run.
    virtual int64_t tokens() const = 0;
    // Of the last run, where it has one.
    virtual std::optional<float> loss() const { return std::nullopt; }
};

struct TrainWorkloadOptions {
    core::TuneMethod method = core::TuneMethod::Full;
    DType dtype = DType::F32;
    core::ActivationCheckpointing activationCheckpointing = core::ActivationCheckpointing::None;
    int64_t sequences = 1;  // of a step, which takes them in one batch
    int64_t tokens = 512;   // of each
};

// A whole training step of random tokens, each of which is learnt: forward, loss, backward, clipping, AdamW.
// LoRA has rank 16 on every projection. Throws InvalidArgument for an element type that cannot be trained.
std::unique_ptr<BenchWorkload> makeTrainWorkload(const kernels::Context& context, const core::ModelConfig& config,
                                                 const TrainWorkloadOptions& options);

// A model with random weights and one fresh adapter of rank 16 on every projection, for generating.
class BenchModel {
public:
    // Q8_0, Q4_0 and NF4 are the types of the matrices: such a model computes in F32.
    BenchModel(const kernels::Context& context, const core::ModelConfig& config, DType dtype, bool hasAdapter);

    const kernels::Context& context() const { return m_context; }
    core::LanguageModel& model() { return *m_model; }
    // Bytes of weights that one pass reads: all but the embedding where the head has a table of its own.
    int64_t bytesReadPerPass();

private:
    const kernels::Context& m_context;
    std::unique_ptr<core::LanguageModel> m_model;
    std::unique_ptr<adapters::LowRankAdapter> m_adapter;
};

// The prompt of one request of a generation session, up to its first new token.
std::unique_ptr<BenchWorkload> makePrefillWorkload(BenchModel& model, int64_t tokens);

struct DecodeWorkloadOptions {
    int64_t tokens = 128;        // new ones of each sequence, greedy, after a short prompt
    int64_t baseStreams = 1;     // sequences of the base in one batch
    int64_t adapterStreams = 0;  // and of the adapter
};

// New tokens of a generation session, without the prompts.
std::unique_ptr<BenchWorkload> makeDecodeWorkload(BenchModel& model, const DecodeWorkloadOptions& options);

}  // namespace wb::app
