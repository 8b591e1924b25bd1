// SPDX-License-Identifier: Apache-2.0
#include "training/data/packer.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "kernels/base/error.h"

namespace wb::training {
namespace {

// SplitMix64 (Steele, Lea, Flood 2014): tiny, and the same bits everywhere, which std::shuffle does not promise.
uint64_t nextRandom(uint64_t& state) {
    state += 0x9e3779b97f4a7c15ULL;
    uint64_t z = state;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
}

// Uniform in [0, bound) without modulo bias: values of the incomplete last interval are drawn again.
uint64_t uniformBelow(uint64_t& state, uint64_t bound) {
    const uint64_t threshold = (0 - bound) % bound;
    uint64_t value = nextRandom(state);
    while (value < threshold) value = nextRandom(state);
    return value % bound;
}

void checkBudget(const SequenceSet& set, int64_t maxTokens) {
    const int64_t longest = set.longest();
    if (longest <= maxTokens) return;
    throw Error{ErrorCode::InvalidArgument,
                fmt::format("the longest example has {} tokens but a micro-batch holds {}: raise the tokens per "
                            "micro-batch or lower the maximum length",
                            longest, maxTokens)};
}

// First-fit decreasing: longest example first, each into the first micro-batch with room; at most 22 % over the
// optimum.
std::vector<MicroBatch> firstFitDecreasing(const SequenceSet& set, std::vector<int32_t> examples, int64_t maxTokens) {
    std::stable_sort(examples.begin(), examples.end(), [&set](int32_t a, int32_t b) {
        return set.length(static_cast<size_t>(a)) > set.length(static_cast<size_t>(b));
    });
    std::vector<MicroBatch> bins;
    for (const int32_t example : examples) {
        const int64_t length = set.length(static_cast<size_t>(example));
        auto bin = std::find_if(bins.begin(), bins.end(),
                                [&](const MicroBatch& candidate) { return candidate.tokens + length <= maxTokens; });
        if (bin == bins.end()) bin = bins.insert(bins.end(), MicroBatch{});
        bin->examples.push_back(example);
        bin->tokens += length;
    }
    return bins;
}

StepPlan makeStep(const SequenceSet& set, std::vector<MicroBatch> microBatches) {
    StepPlan step;
    for (const MicroBatch& batch : microBatches) {
        step.examples += static_cast<int64_t>(batch.examples.size());
        for (const int32_t example : batch.examples) step.labelTokens += set.labelTokens(static_cast<size_t>(example));
    }
    step.microBatches = std::move(microBatches);
    return step;
}

}  // namespace

std::vector<int32_t> shuffledOrder(int64_t count, uint64_t seed, uint64_t stream) {
    std::vector<int32_t> order(static_cast<size_t>(count));
    std::iota(order.begin(), order.end(), 0);
    uint64_t state = seed;
    state = nextRandom(state) ^ (stream * 0xd1342543de82ef95ULL);
    for (size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[uniformBelow(state, i)]);
    return order;
}

int64_t stepsPerEpoch(const SequenceSet& set, const PackOptions& options) {
    const auto examples = static_cast<int64_t>(set.size());
    return (examples + options.batchSize - 1) / options.batchSize;
}

BatchPlan planEpoch(const SequenceSet& set, const PackOptions& options, int64_t epoch) {
    if (options.batchSize < 1)
        throw Error{ErrorCode::InvalidArgument,
                    fmt::format("batch size is {}: it must be at least 1", options.batchSize)};
    checkBudget(set, options.maxTokens);
    const auto count = static_cast<int64_t>(set.size());
    const std::vector<int32_t> order = shuffledOrder(count, options.seed, static_cast<uint64_t>(epoch));
    BatchPlan plan;
    plan.steps.reserve(static_cast<size_t>(stepsPerEpoch(set, options)));
    for (int64_t begin = 0; begin < count; begin += options.batchSize) {
        const int64_t end = std::min(count, begin + options.batchSize);
        plan.steps.push_back(
            makeStep(set, firstFitDecreasing(set, {order.begin() + begin, order.begin() + end}, options.maxTokens)));
    }
    return plan;
}

BatchPlan planInOrder(const SequenceSet& set, int64_t maxTokens) {
    checkBudget(set, maxTokens);
    BatchPlan plan;
    MicroBatch current;
    const auto flush = [&] {
        if (!current.examples.empty()) plan.steps.push_back(makeStep(set, {std::move(current)}));
        current = {};
    };
    for (size_t i = 0; i < set.size(); ++i) {
        if (current.tokens + set.length(i) > maxTokens) flush();
        current.examples.push_back(static_cast<int32_t>(i));
        current.tokens += set.length(i);
    }
    flush();
    return plan;
}

int64_t BatchPlan::tokens() const {
    int64_t total = 0;
    for (const StepPlan& step : steps)
        for (const MicroBatch& batch : step.microBatches) total += batch.tokens;
    return total;
}

int64_t BatchPlan::microBatches() const {
    int64_t total = 0;
    for (const StepPlan& step : steps) total += static_cast<int64_t>(step.microBatches.size());
    return total;
}

double BatchPlan::fill(int64_t maxTokens) const {
    const int64_t room = microBatches() * maxTokens;
    return room == 0 ? 0.0 : static_cast<double>(tokens()) / static_cast<double>(room);
}

DataCursor advance(DataCursor cursor, int64_t stepsInEpoch) {
    ++cursor.step;
    if (cursor.step >= stepsInEpoch) cursor = {cursor.epoch + 1, 0};
    return cursor;
}

MicroBatch heaviestMicroBatch(const SequenceSet& set, const PackOptions& options, int64_t epochs) {
    MicroBatch heaviest;
    for (int64_t epoch = 0; epoch < epochs; ++epoch) {
        for (StepPlan& step : planEpoch(set, options, epoch).steps)
            for (MicroBatch& batch : step.microBatches)
                if (batch.tokens > heaviest.tokens) heaviest = std::move(batch);
    }
    return heaviest;
}

}  // namespace wb::training
