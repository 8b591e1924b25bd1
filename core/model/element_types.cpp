// SPDX-License-Identifier: Apache-2.0
#include "core/model/element_types.h"

#include "kernels/base/error.h"

#include <array>

namespace wb::core {
namespace {

struct NamedTypes {
    std::string_view name;
    ElementTypes types;
};

const std::array<NamedTypes, 5>& namedTypes() {
    static const std::array<NamedTypes, 5> all{{{"f32", DType::F32},
                                                {"bf16", DType::BF16},
                                                {"q8_0", ElementTypes::quantized(DType::F32, DType::Q8_0)},
                                                {"q4_0", ElementTypes::quantized(DType::F32, DType::Q4_0)},
                                                {"nf4", ElementTypes::quantized(DType::F32, DType::NF4)}}};
    return all;
}

}  // namespace

std::optional<ElementTypes> elementTypesNamed(std::string_view name) {
    for (const NamedTypes& one : namedTypes()) {
        if (one.name == name) return one.types;
    }
    return std::nullopt;
}

std::string_view elementTypesName(const ElementTypes& types) {
    for (const NamedTypes& one : namedTypes()) {
        if (one.types == types) return one.name;
    }
    throw Error{ErrorCode::Internal, "these element types have no name"};
}

}  // namespace wb::core
