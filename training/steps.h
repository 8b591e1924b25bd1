// SPDX-License-Identifier: Apache-2.0
// The arithmetic of training without any policy: one optimiser step, one evaluation.
#pragma once

#include "training/data/packer.h"
#include "training/tuning_model.h"

#include <cstdint>
#include <functional>

namespace wb::training {

struct StepResult {
    float loss = 0;      // mean over the step's label tokens
    float gradNorm = 0;  // before clipping
    int64_t tokens = 0;
    int64_t labelTokens = 0;
    bool wasApplied = true;  // false: loss or gradient was not finite, the weights are as before
};

struct StepOptions {
    float learningRate = 0;
    int64_t step = 1;          // counts from 1; also decides the dropout draws
    uint64_t dropoutSeed = 1;  // not 0
};

// Accumulates the gradients of all micro-batches, divided by the label tokens of the whole step, and updates once.
StepResult runStep(TuningModel& tuning, const SequenceSet& set, const StepPlan& plan, const StepOptions& options);

struct EvaluationResult {
    float loss = 0;  // mean negative log-likelihood per label token, nats
    double tokenAccuracy = 0;
    int64_t labelTokens = 0;
};

// Loss without gradients over all examples, with the adapter attached under an index (-1: none), in micro-batches of at
// most maxTokens. `isCancelled` is polled between them and ends the evaluation with ErrorCode::Cancelled.
EvaluationResult evaluate(core::LanguageModel& model, const kernels::Context& context, int32_t adapter,
                          const SequenceSet& set, int64_t maxTokens, const std::function<bool()>& isCancelled = {});

}  // namespace wb::training
