// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "training/data/sequence_set.h"

namespace wb::training {

struct PackOptions {
    int64_t batchSize = 16;    // examples per optimiser step: the effective batch size
    int64_t maxTokens = 4096;  // tokens per micro-batch; must hold the longest example
    uint64_t seed = 42;
};

// Where training stands in its data. Together with the set and PackOptions it decides every later batch.
struct DataCursor {
    int64_t epoch = 0;
    int64_t step = 0;  // optimiser steps done in this epoch

    bool operator==(const DataCursor&) const = default;
};

struct MicroBatch {
    std::vector<int32_t> examples;  // indices into the SequenceSet
    int64_t tokens = 0;
};

struct StepPlan {
    std::vector<MicroBatch> microBatches;
    int64_t examples = 0;
    int64_t labelTokens = 0;  // of the whole step: what the loss is divided by
};

// All optimiser steps of one epoch. Every example occurs exactly once.
struct BatchPlan {
    std::vector<StepPlan> steps;

    int64_t tokens() const;
    int64_t microBatches() const;
    // Tokens over the tokens all micro-batches could hold.
    double fill(int64_t maxTokens) const;
};

// Shuffles the examples by (seed, epoch), takes batchSize of them per step and packs each step by first-fit decreasing
// into micro-batches of at most maxTokens. The examples of a step do not depend on maxTokens.
// Throws InvalidArgument if the longest example does not fit, naming the numbers.
BatchPlan planEpoch(const SequenceSet& set, const PackOptions& options, int64_t epoch);

// For evaluation: all examples in their own order, as many as fit in each micro-batch; one step per micro-batch.
BatchPlan planInOrder(const SequenceSet& set, int64_t maxTokens);

// Number of steps of every epoch: ceil(examples / batchSize).
int64_t stepsPerEpoch(const SequenceSet& set, const PackOptions& options);

// The cursor after one more step.
DataCursor advance(DataCursor cursor, int64_t stepsInEpoch);

// The micro-batch with the most tokens among the first `epochs` epochs: what a memory plan has to hold.
MicroBatch heaviestMicroBatch(const SequenceSet& set, const PackOptions& options, int64_t epochs);

// A permutation of 0..count-1, the same on every machine for the same seed and stream.
std::vector<int32_t> shuffledOrder(int64_t count, uint64_t seed, uint64_t stream);

}  // namespace wb::training
