// SPDX-License-Identifier: Apache-2.0
#include "training/memory_plan.h"

#include "core/run/recipe_fields.h"
#include "kernels/attention.h"
#include "kernels/runtime/runtime.h"
#include "training/sample_prompts.h"
#include "training/steps.h"

#include <algorithm>
#include <fstream>
#include <map>
#include <string>
#include <tuple>

namespace wb::training {
namespace {

// Only the heaviest shapes can be the peak; simulating more than these finds nothing new.
constexpr size_t kMaxPlannedShapes = 512;

struct MicroShape {
    int64_t tokens = 0;
    int64_t longest = 0;
    int64_t sequences = 0;

    auto operator<=>(const MicroShape&) const = default;
};

MicroShape shapeOf(const SequenceSet& set, const MicroBatch& micro) {
    MicroShape shape{micro.tokens, 0, static_cast<int64_t>(micro.examples.size())};
    for (const int32_t example : micro.examples) {
        shape.longest = std::max(shape.longest, set.length(static_cast<size_t>(example)));
    }
    return shape;
}

// One step plan for each distinct shape of micro-batch, heaviest first.
std::vector<StepPlan> heaviestSteps(const TrainingSetup& setup) {
    const SequenceSet& train = setup.data.prepared.train;
    std::map<MicroShape, MicroBatch, std::greater<>> byShape;
    const int64_t epochs = (setup.totalSteps + setup.stepsPerEpoch - 1) / setup.stepsPerEpoch;
    for (int64_t epoch = 0; epoch < epochs; ++epoch) {
        int64_t step = epoch * setup.stepsPerEpoch;
        for (const StepPlan& plan : planEpoch(train, setup.packing, epoch).steps) {
            if (++step > setup.totalSteps) break;
            for (const MicroBatch& micro : plan.microBatches) byShape.emplace(shapeOf(train, micro), micro);
        }
    }
    std::vector<StepPlan> steps;
    for (const auto& [shape, micro] : byShape) {
        if (steps.size() == kMaxPlannedShapes) break;
        steps.push_back({.microBatches = {micro}, .examples = shape.sequences, .labelTokens = shape.tokens});
    }
    return steps;
}

}  // namespace

int64_t availableMemory(Device /*device*/) {
    std::ifstream file("/proc/meminfo");
    std::string key;
    int64_t kibibytes = 0;
    std::string unit;
    while (file >> key >> kibibytes >> unit) {
        if (key == "MemAvailable:") return kibibytes * 1024;
    }
    return 0;
}

MemoryPlan planMemory(const TrainingSetup& setup, Device device, int numThreads) {
    kernels::Runtime runtime({.device = {.type = DeviceType::Plan},
                              .numThreads = numThreads,
                              .attention = kernels::AttentionBackend::Auto,
                              .memoryLimitBytes = std::nullopt});
    runtime.setAttention(kernels::parseAttentionBackend(core::choiceName(setup.recipe.attention)));
    const kernels::Context& context = runtime.context();
    TuningModel tuning(context, setup.config, nullptr, setup.recipe);
    const PreparedData& prepared = setup.data.prepared;
    for (const StepPlan& step : heaviestSteps(setup)) runStep(tuning, prepared.train, step, {.learningRate = 0.0F});
    if (prepared.validation.size() > 0) {
        evaluate(tuning.model(), context, tuning.adapterIndex(), prepared.validation, setup.packing.maxTokens);
    }
    generateSamples(tuning, setup);

    const kernels::MemoryStats& stats = runtime.allocator().stats();
    MemoryPlan plan{
        .peakBytes = stats.peakBytes, .byOwner = stats.peakByOwner, .availableBytes = availableMemory(device)};
    plan.fits = plan.peakBytes <= plan.availableBytes;
    return plan;
}

}  // namespace wb::training
