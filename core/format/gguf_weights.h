// SPDX-License-Identifier: Apache-2.0
// Private to core: the weights of a GGUF file as those of a Hugging Face folder.
#pragma once

#include "core/format/gguf_layout.h"
#include "core/format/weight_files.h"

namespace wb::core {

// The weights that the config asks for under their Hugging Face names, in their order of rows and columns; block types
// other than Q8_0 and Q4_0 as F32. Tensors that belong to none of these keep their own names. The file's own frequency
// factors are part of the config and left out.
WeightFiles openGgufWeights(GgufFile file, const ModelConfig& config);

}  // namespace wb::core
