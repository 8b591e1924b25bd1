// SPDX-License-Identifier: Apache-2.0
// Every op of the engine, once. A device type fills what it has; a missing entry is Unsupported with the op's name.
#pragma once

#include "kernels/activation.h"
#include "kernels/adamw8bit.h"
#include "kernels/attention.h"
#include "kernels/column_scale.h"
#include "kernels/columns.h"
#include "kernels/distance_table.h"
#include "kernels/elementwise.h"
#include "kernels/embedding.h"
#include "kernels/expert_routing.h"
#include "kernels/gated_activation.h"
#include "kernels/layer_norm.h"
#include "kernels/linear.h"
#include "kernels/linear_group.h"
#include "kernels/lm_head_loss.h"
#include "kernels/optimizer.h"
#include "kernels/quantize.h"
#include "kernels/rms_norm.h"
#include "kernels/rotary.h"
#include "kernels/row_norm.h"
#include "kernels/rows.h"
#include "kernels/runtime/dispatch.h"
#include "kernels/step_summary.h"

namespace wb::kernels {

struct OpTable {
    DeviceType device = DeviceType::Cpu;  // whose kernels these are

    OpEntry<EmbeddingForwardArgs> embeddingForward{"embedding_forward"};
    OpEntry<EmbeddingBackwardArgs> embeddingBackward{"embedding_backward"};
    OpEntry<LinearForwardArgs> linearForward{"linear_forward"};
    OpEntry<LinearGroupArgs> linearGroup{"linear_group"};
    OpEntry<LinearBackwardInputArgs> linearBackwardInput{"linear_backward_input"};
    OpEntry<LinearBackwardWeightArgs> linearBackwardWeight{"linear_backward_weight"};
    OpEntry<RmsNormForwardArgs> rmsNormForward{"rms_norm_forward"};
    OpEntry<RmsNormBackwardArgs> rmsNormBackward{"rms_norm_backward"};
    OpEntry<LayerNormForwardArgs> layerNormForward{"layer_norm_forward"};
    OpEntry<LayerNormBackwardArgs> layerNormBackward{"layer_norm_backward"};
    OpEntry<RotaryArgs> rotary{"rotary"};
    OpEntry<AttentionForwardArgs> attentionForwardMath{"attention_forward"};
    OpEntry<AttentionForwardArgs> attentionForwardMemoryEfficient{"attention_forward"};
    OpEntry<AttentionForwardArgs> attentionForwardFlash{"attention_forward"};
    OpEntry<AttentionBackwardArgs> attentionBackwardMath{"attention_backward"};
    OpEntry<AttentionBackwardArgs> attentionBackwardMemoryEfficient{"attention_backward"};
    OpEntry<AttentionBackwardArgs> attentionBackwardFlash{"attention_backward"};
    OpEntry<KvCacheStoreArgs> kvCacheStore{"kv_cache_store"};
    OpEntry<PagedAttentionArgs> pagedAttention{"paged_attention"};
    OpEntry<GatedActivationForwardArgs> gatedActivationForward{"gated_activation_forward"};
    OpEntry<GatedActivationBackwardArgs> gatedActivationBackward{"gated_activation_backward"};
    OpEntry<ActivationForwardArgs> activationForward{"activation_forward"};
    OpEntry<ActivationBackwardArgs> activationBackward{"activation_backward"};
    OpEntry<GatherColumnsArgs> gatherColumns{"gather_columns"};
    OpEntry<ScatterAddColumnsArgs> scatterAddColumns{"scatter_add_columns"};
    OpEntry<DistanceTableForwardArgs> distanceTableForward{"distance_table_forward"};
    OpEntry<DistanceTableBackwardArgs> distanceTableBackward{"distance_table_backward"};
    OpEntry<RouteExpertsForwardArgs> routeExpertsForward{"route_experts_forward"};
    OpEntry<RouteExpertsBackwardArgs> routeExpertsBackward{"route_experts_backward"};
    OpEntry<GatherRowsArgs> gatherRows{"gather_rows"};
    OpEntry<CombineRowsArgs> combineRows{"combine_rows"};
    OpEntry<CombineRowsBackwardWeightsArgs> combineRowsBackwardWeights{"combine_rows_backward_weights"};
    OpEntry<AddArgs> add{"add"};
    OpEntry<ScaleArgs> scale{"scale"};
    OpEntry<SoftCapArgs> softCap{"soft_cap"};
    OpEntry<FillArgs> fill{"fill"};
    OpEntry<CastArgs> cast{"cast"};
    OpEntry<DropoutArgs> dropout{"dropout"};
    OpEntry<ColumnScaleForwardArgs> columnScaleForward{"column_scale_forward"};
    OpEntry<ColumnScaleBackwardArgs> columnScaleBackward{"column_scale_backward"};
    OpEntry<RowNormArgs> rowNorm{"row_norm"};
    OpEntry<LmHeadLossArgs> lmHeadLoss{"lm_head_loss"};
    OpEntry<LossSumArgs> lossSum{"loss_sum"};
    OpEntry<GlobalNormArgs> globalNorm{"global_norm"};
    OpEntry<StepSummaryArgs> stepSummary{"step_summary"};
    OpEntry<AdamWArgs> adamW{"adamw"};
    OpEntry<AdamW8bitArgs> adamW8bit{"adamw8bit"};
    OpEntry<QuantizeArgs> quantize{"quantize"};
    OpEntry<DequantizeArgs> dequantize{"dequantize"};
    OpEntry<RetileArgs> retile{"retile"};

    // Copies in the order of the device's work. copyFromHost has read `source` when it returns; copyToHost waits until
    // `target` is written.
    void (*copyFromHost)(const Context&, void* target, const void* source, size_t bytes) = nullptr;
    void (*copyToHost)(const Context&, void* target, const void* source, size_t bytes) = nullptr;
    // Waits until the device has done everything it was given. Throws Device if something of it failed.
    void (*synchronize)(const Context&) = nullptr;
};

// The CPU's table, always complete.
const OpTable& cpuOpTable();

}  // namespace wb::kernels
