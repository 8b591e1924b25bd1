// SPDX-License-Identifier: Apache-2.0
// The arithmetic of training without any policy: one optimiser step, one evaluation.
#pragma once

#include "core/tensor/host_copy.h"
#include "training/data/packer.h"
#include "training/tuning_model.h"

#include <cstdint>
#include <functional>
#include <vector>

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

// Gives training steps to the device. Nothing inside a step waits for the device: what a step gave is read when it is
// asked for, while later steps may already be under way. Engine thread only; borrows the model.
class StepQueue {
public:
    static constexpr size_t kCapacity = 2;

    explicit StepQueue(TuningModel& tuning);

    // Accumulates the gradients of all micro-batches, divided by the label tokens of the whole step, and updates once.
    // At most kCapacity steps may be unfinished.
    void start(const SequenceSet& set, const StepPlan& plan, const StepOptions& options);
    size_t unfinished() const { return m_started - m_finished; }
    // What the oldest unfinished step gave; waits for it alone.
    StepResult finish();

private:
    struct Slot {
        core::HostCopy numbers;
        StepResult result;
    };

    TuningModel& m_tuning;
    std::vector<Slot> m_slots;
    size_t m_started = 0;
    size_t m_finished = 0;
};

// One step from start to end.
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
