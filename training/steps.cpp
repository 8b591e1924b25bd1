// SPDX-License-Identifier: Apache-2.0
#include "training/steps.h"

#include "kernels/base/error.h"
#include "kernels/step_summary.h"

#include <cmath>
#include <memory>

namespace wb::training {
namespace {

using core::Tensor;
using kernels::MemoryOwner;

struct BatchTensors {
    core::PackedInput input;
    Tensor labels;
};

BatchTensors upload(const kernels::Context& context, const PackedBatch& batch) {
    BatchTensors tensors{core::packInput(context, batch.ids, batch.positions, batch.cuSeqlens),
                         Tensor::fromInts(context, batch.labels, MemoryOwner::Activations)};
    if (const PackedSource& source = batch.source; !source.ids.empty()) {
        tensors.input.source = std::make_shared<const core::PackedInput>(
            core::packInput(context, source.ids, source.positions, source.cuSeqlens));
    }
    return tensors;
}

// The losses of the micro-batches of a step or of an evaluation, added up on the device.
class LossSum {
public:
    explicit LossSum(const kernels::Context& context)
        : m_context(context), m_sum(Tensor::empty(context, DType::F64, Shape{1}, MemoryOwner::Workspace)) {}

    void add(const Tensor& losses) {
        kernels::lossSum(m_context, {.losses = losses.view(), .sum = m_sum.view(), .accumulates = m_hasLosses});
        m_hasLosses = true;
    }
    // [1] F64, once something was added.
    const Tensor& tensor() const { return m_sum; }
    // Waits for the device.
    double value() const {
        double sum = 0;
        if (m_hasLosses) core::copyToHost(m_context, m_sum, &sum, sizeof(sum));
        return sum;
    }

private:
    const kernels::Context& m_context;
    Tensor m_sum;
    bool m_hasLosses = false;
};

void runMicroBatch(TuningModel& tuning, const PackedBatch& batch, float gradScale, core::RandomStream& dropout,
                   LossSum& lossSum) {
    const kernels::Context& context = tuning.context();
    const BatchTensors tensors = upload(context, batch);
    const auto rows = tuning.adapterRows(static_cast<int64_t>(batch.ids.size()));
    core::Tape tape(context);
    const core::Context pass{context, &tape, &dropout, rows};
    core::LmLoss loss = [&] {
        const core::Var hidden = tuning.model().forward(pass, tensors.input);
        return tuning.model().loss(pass, hidden, tensors.labels, gradScale);
    }();
    lossSum.add(loss.losses.value);
    tape.backward(loss.losses, loss.losses.value);
}

int64_t countCorrect(const kernels::Context& context, const Tensor& predictions, const std::vector<int32_t>& labels) {
    std::vector<int32_t> predicted(labels.size());
    core::copyToHost(context, predictions, predicted.data(), predicted.size() * sizeof(int32_t));
    int64_t correct = 0;
    for (size_t i = 0; i < labels.size(); ++i)
        correct += labels[i] != kIgnoredLabel && predicted[i] == labels[i] ? 1 : 0;
    return correct;
}

}  // namespace

StepQueue::StepQueue(TuningModel& tuning) : m_tuning(tuning) {
    for (size_t i = 0; i < kCapacity; ++i) {
        m_slots.push_back({core::HostCopy(tuning.context(), kernels::kNumStepNumbers * sizeof(float)), {}});
    }
}

void StepQueue::start(const SequenceSet& set, const StepPlan& plan, const StepOptions& options) {
    WB_CHECK(unfinished() < kCapacity, "older steps are finished first");
    // Draws of step s start at s * 2^40: no two steps share a draw, and a resumed step repeats its own.
    core::RandomStream dropout{options.dropoutSeed, static_cast<uint64_t>(options.step) << 40};
    const float gradScale = 1.0F / static_cast<float>(std::max<int64_t>(plan.labelTokens, 1));
    const kernels::Context& context = m_tuning.context();
    LossSum lossSum(context);
    StepResult result;
    for (const MicroBatch& micro : plan.microBatches) {
        const PackedBatch batch = set.pack(micro.examples);
        runMicroBatch(m_tuning, batch, gradScale, dropout, lossSum);
        result.tokens += batch.tokens();
        result.labelTokens += batch.labelTokens;
    }
    AdamW& optimizer = m_tuning.optimizer();
    const Tensor& summary = optimizer.summarize(lossSum.tensor(), std::max<int64_t>(result.labelTokens, 1));
    Slot& slot = m_slots[m_started++ % kCapacity];
    slot.result = result;
    slot.numbers.start(summary);
    optimizer.update(options.learningRate, options.step);
    if (m_tuning.adapter() != nullptr) m_tuning.adapter()->refresh(context);
    optimizer.clearGradients();
}

StepResult StepQueue::finish() {
    WB_CHECK(unfinished() > 0, "a step was started");
    Slot& slot = m_slots[m_finished++ % kCapacity];
    StepResult result = slot.result;
    const std::span<const float> numbers = slot.numbers.wait<float>();
    result.loss = numbers[kernels::kStepLoss];
    result.gradNorm = numbers[kernels::kStepGradientNorm];
    result.wasApplied = std::isfinite(result.loss) && std::isfinite(result.gradNorm);
    return result;
}

StepResult runStep(TuningModel& tuning, const SequenceSet& set, const StepPlan& plan, const StepOptions& options) {
    StepQueue queue(tuning);
    queue.start(set, plan, options);
    return queue.finish();
}

EvaluationResult evaluate(core::LanguageModel& model, const kernels::Context& context, int32_t adapter,
                          const SequenceSet& set, int64_t maxTokens, const std::function<bool()>& isCancelled) {
    EvaluationResult result;
    LossSum lossSum(context);
    int64_t correct = 0;
    for (const StepPlan& plan : planInOrder(set, maxTokens).steps) {
        for (const MicroBatch& micro : plan.microBatches) {
            if (isCancelled && isCancelled()) throw Error{ErrorCode::Cancelled, "evaluation was cancelled"};
            const PackedBatch batch = set.pack(micro.examples);
            const BatchTensors tensors = upload(context, batch);
            std::vector<core::AdapterRows> rows;
            if (adapter >= 0) {
                rows.push_back({.begin = 0, .end = static_cast<int64_t>(batch.ids.size()), .adapter = adapter});
            }
            const core::Context pass{context, nullptr, nullptr, rows};
            const core::LmLoss loss = model.loss(pass, model.forward(pass, tensors.input), tensors.labels, 0.0F);
            lossSum.add(loss.losses.value);
            correct += countCorrect(context, loss.predictions, batch.labels);
            result.labelTokens += batch.labelTokens;
        }
    }
    const auto count = static_cast<double>(std::max<int64_t>(result.labelTokens, 1));
    result.loss = static_cast<float>(lossSum.value() / count);
    result.tokenAccuracy = static_cast<double>(correct) / count;
    return result;
}

}  // namespace wb::training
