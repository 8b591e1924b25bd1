// SPDX-License-Identifier: Apache-2.0
#include "training/steps.h"

#include "kernels/base/error.h"

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

// Sum over tokens on the host, in row order: the same bits whatever the device did in parallel.
double sumOf(const kernels::Context& context, const Tensor& losses) {
    double sum = 0;
    for (const float loss : core::toFloats(context, losses)) sum += loss;
    return sum;
}

double runMicroBatch(TuningModel& tuning, const PackedBatch& batch, float gradScale, core::RandomStream& dropout) {
    const kernels::Context& context = tuning.context();
    const BatchTensors tensors = upload(context, batch);
    const auto rows = tuning.adapterRows(static_cast<int64_t>(batch.ids.size()));
    core::Tape tape(context);
    const core::Context pass{context, &tape, &dropout, rows};
    core::LmLoss loss = [&] {
        const core::Var hidden = tuning.model().forward(pass, tensors.input);
        return tuning.model().loss(pass, hidden, tensors.labels, gradScale);
    }();
    const double sum = sumOf(context, loss.losses.value);
    tape.backward(loss.losses, loss.losses.value);
    return sum;
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

StepResult runStep(TuningModel& tuning, const SequenceSet& set, const StepPlan& plan, const StepOptions& options) {
    // Draws of step s start at s * 2^40: no two steps share a draw, and a resumed step repeats its own.
    core::RandomStream dropout{options.dropoutSeed, static_cast<uint64_t>(options.step) << 40};
    const float gradScale = 1.0F / static_cast<float>(std::max<int64_t>(plan.labelTokens, 1));
    StepResult result;
    double sum = 0;
    for (const MicroBatch& micro : plan.microBatches) {
        const PackedBatch batch = set.pack(micro.examples);
        sum += runMicroBatch(tuning, batch, gradScale, dropout);
        result.tokens += batch.tokens();
        result.labelTokens += batch.labelTokens;
    }
    result.loss = static_cast<float>(sum / static_cast<double>(std::max<int64_t>(result.labelTokens, 1)));
    result.gradNorm = tuning.optimizer().gradientNorm();
    result.wasApplied = std::isfinite(result.loss) && std::isfinite(result.gradNorm);
    if (result.wasApplied) {
        tuning.optimizer().update(options.learningRate, options.step, result.gradNorm);
        if (tuning.adapter() != nullptr) tuning.adapter()->refresh(tuning.context());
    }
    tuning.optimizer().clearGradients();
    return result;
}

EvaluationResult evaluate(core::LanguageModel& model, const kernels::Context& context, int32_t adapter,
                          const SequenceSet& set, int64_t maxTokens, const std::function<bool()>& isCancelled) {
    EvaluationResult result;
    double sum = 0;
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
            sum += sumOf(context, loss.losses.value);
            correct += countCorrect(context, loss.predictions, batch.labels);
            result.labelTokens += batch.labelTokens;
        }
    }
    const auto count = static_cast<double>(std::max<int64_t>(result.labelTokens, 1));
    result.loss = static_cast<float>(sum / count);
    result.tokenAccuracy = static_cast<double>(correct) / count;
    return result;
}

}  // namespace wb::training
