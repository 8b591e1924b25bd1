// SPDX-License-Identifier: Apache-2.0
#include "training/memory_plan.h"

#include "core/run/recipe_fields.h"
#include "kernels/attention.h"
#include "kernels/runtime/plugin_loader.h"
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

// What decides the memory of a micro-batch.
struct MicroShape {
    int64_t tokens = 0;  // of both sides
    int64_t sourceTokens = 0;
    int64_t longest = 0;  // of the decoder's sequences
    int64_t longestSource = 0;
    int64_t sequences = 0;

    auto operator<=>(const MicroShape&) const = default;
};

MicroShape shapeOf(const SequenceSet& set, const MicroBatch& micro) {
    MicroShape shape{.tokens = micro.tokens, .sequences = static_cast<int64_t>(micro.examples.size())};
    for (const int32_t index : micro.examples) {
        const auto example = static_cast<size_t>(index);
        const int64_t source = set.sourceLength(example);
        shape.sourceTokens += source;
        shape.longest = std::max(shape.longest, set.length(example) - source);
        shape.longestSource = std::max(shape.longestSource, source);
    }
    return shape;
}

using MicroBatchesByShape = std::map<MicroShape, MicroBatch, std::greater<>>;

// Of an encoder-decoder's two sides the decoder's weighs more: the heaviest on that side may be the peak, too.
MicroBatchesByShape heaviestShapes(const MicroBatchesByShape& all) {
    std::vector<MicroShape> shapes;
    for (const auto& [shape, micro] : all) shapes.push_back(shape);
    MicroBatchesByShape heaviest;
    const auto take = [&](auto weight) {
        std::ranges::stable_sort(shapes, std::greater<>(), weight);
        const size_t count = std::min(shapes.size(), kMaxPlannedShapes);
        for (size_t i = 0; i < count; ++i) heaviest.emplace(shapes[i], all.at(shapes[i]));
    };
    take([](const MicroShape& shape) { return shape.tokens; });
    take([](const MicroShape& shape) { return shape.tokens - shape.sourceTokens; });
    return heaviest;
}

// One step plan for each distinct shape of micro-batch, heaviest first.
std::vector<StepPlan> heaviestSteps(const TrainingSetup& setup) {
    const SequenceSet& train = setup.data.prepared.train;
    MicroBatchesByShape byShape;
    const int64_t epochs = (setup.totalSteps + setup.stepsPerEpoch - 1) / setup.stepsPerEpoch;
    for (int64_t epoch = 0; epoch < epochs; ++epoch) {
        int64_t step = epoch * setup.stepsPerEpoch;
        for (const StepPlan& plan : planEpoch(train, setup.packing, epoch).steps) {
            if (++step > setup.totalSteps) break;
            for (const MicroBatch& micro : plan.microBatches) byShape.emplace(shapeOf(train, micro), micro);
        }
    }
    std::vector<StepPlan> steps;
    for (const auto& [shape, micro] : heaviestShapes(byShape)) {
        steps.push_back({.microBatches = {micro}, .examples = shape.sequences, .labelTokens = shape.tokens});
    }
    return steps;
}

}  // namespace

int64_t availableMemory(Device device) {
    if (device.type == DeviceType::Cuda) return kernels::availableDeviceMemory(device);
    std::ifstream file("/proc/meminfo");
    std::string key;
    int64_t kibibytes = 0;
    std::string unit;
    while (file >> key >> kibibytes >> unit) {
        if (key == "MemAvailable:") return kibibytes * 1024;
    }
    return 0;
}

MemoryPlan planMemory(const TrainingSetup& setup, Device device, int numThreads, int64_t heldBytes) {
    kernels::Runtime runtime({.device = {.type = DeviceType::Plan},
                              .numThreads = numThreads,
                              .attention = kernels::AttentionBackend::Auto,
                              .memoryLimitBytes = std::nullopt,
                              .planFor = device});
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
    MemoryPlan plan{.peakBytes = stats.peakBytes,
                    .byOwner = stats.peakByOwner,
                    .availableBytes = availableMemory(device) + heldBytes};
    plan.fits = plan.peakBytes <= plan.availableBytes;
    return plan;
}

}  // namespace wb::training
