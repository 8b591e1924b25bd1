// SPDX-License-Identifier: Apache-2.0
#include "core/model/element_types.h"

namespace wb::core {

std::optional<ElementTypes> elementTypesNamed(std::string_view name) {
    if (name == "f32") return DType::F32;
    if (name == "bf16") return DType::BF16;
    if (name == "q8_0") return ElementTypes::quantized(DType::F32, DType::Q8_0);
    if (name == "q4_0") return ElementTypes::quantized(DType::F32, DType::Q4_0);
    return std::nullopt;
}

}  // namespace wb::core
