// SPDX-License-Identifier: Apache-2.0
// Private to core: rotary settings of config.json in their old and new forms.
#pragma once

#include "core/format/json_reader.h"
#include "core/format/model_config.h"

namespace wb::core {

// Fills ropeTheta, ropeScaling and rotaryDim from rope_theta, rope_scaling, partial_rotary_factor (v4) or
// rope_parameters (v5), and the older names of GPT-NeoX. `partialRotary` is what a silent file means; headDim and
// maxPositions must be set. Throws CorruptFile or Unsupported naming the key.
void readRope(const JsonObject& object, double partialRotary, ModelConfig& config);

// Writes what differs from `before` back under the keys the object uses; everything if isNew.
void writeRope(nlohmann::ordered_json& object, bool isNew, const ModelConfig& config, const ModelConfig& before);

}  // namespace wb::core
