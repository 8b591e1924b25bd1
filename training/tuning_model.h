// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "adapters/low_rank_adapter.h"
#include "core/format/model_folder.h"
#include "core/model/language_model.h"
#include "core/model/weights.h"
#include "core/run/recipe.h"
#include "training/optimizers/adamw.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace wb::training {

// A model in training: the network, its adapter if the method is LoRA, and the optimiser. The same construction on the
// plan device costs nothing and counts the same bytes. Engine thread only; the context must outlive it.
class TuningModel {
public:
    // `source` holds the starting weights; absent means fresh weights from the recipe's seed (training from scratch).
    TuningModel(const kernels::Context& context, const core::ModelConfig& config, const core::ModelSource* source,
                const core::Recipe& recipe);

    const kernels::Context& context() const { return m_context; }
    core::LanguageModel& model() { return *m_model; }
    adapters::LowRankAdapter* adapter() { return m_adapter.get(); }
    // Index under which the adapter is attached, -1 without one.
    int32_t adapterIndex() const { return m_adapter ? 0 : -1; }
    AdamW& optimizer() { return *m_optimizer; }
    DType dtype() const { return m_model->dtype(); }

    int64_t parameterCount();
    int64_t trainableCount() const;

    // What training changes, by file name: the adapter's tensors, or all weights.
    std::vector<core::NamedTensor> trainedTensors();
    // Optimiser state for a checkpoint.
    std::vector<core::NamedTensor> optimizerTensors();
    // core::hashTensors of trainedTensors().
    std::string weightHash();

    // Adapter rows for a batch of `rows` rows; empty without an adapter.
    std::vector<core::AdapterRows> adapterRows(int64_t rows) const;

private:
    const kernels::Context& m_context;
    std::unique_ptr<core::LanguageModel> m_model;
    std::unique_ptr<adapters::LowRankAdapter> m_adapter;  // after the model: it detaches from it
    std::unique_ptr<AdamW> m_optimizer;
};

// The adapter settings of a recipe.
adapters::LoraConfig loraConfigOf(const core::Recipe& recipe);

}  // namespace wb::training
