// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/base/dtype.h"

#include <optional>
#include <string_view>

namespace wb::core {

// How a model is held in memory.
struct ElementTypes {
    DType compute = DType::F32;   // activations, norms, biases, positions, KV cache
    DType matrices = DType::F32;  // projections: compute, or tiles of quantised blocks
    DType tables = DType::F32;    // embedding and head

    ElementTypes() = default;
    // Everything in one type.
    ElementTypes(DType all) : compute(all), matrices(all), tables(all) {}  // NOLINT: the plain case reads as it is
    // Matrices in blocks: DType::Q8_0, Q4_0 or NF4. With four bits the embedding and the head have eight, since every
    // token's probability hangs on them.
    static ElementTypes quantized(DType compute, DType blocks) {
        ElementTypes types(compute);
        types.matrices = tilesOfRows(blocks);
        types.tables = DType::Q8_0x16;
        return types;
    }

    bool isQuantized() const { return isTiled(matrices); }
    // Rows that do not consist of whole blocks stay in the type of computation.
    DType matrixType(int64_t columns) const { return fitting(matrices, columns); }
    DType tableType(int64_t columns) const { return fitting(tables, columns); }

    bool operator==(const ElementTypes&) const = default;

private:
    DType fitting(DType wanted, int64_t columns) const {
        return columns % valuesPerBlock(wanted) != 0 ? compute : wanted;
    }
};

// "f32", "bf16", "q8_0", "q4_0", "nf4": those in blocks compute in F32. Nothing for another name.
std::optional<ElementTypes> elementTypesNamed(std::string_view name);
// The way back, for types that have such a name.
std::string_view elementTypesName(const ElementTypes& types);
inline constexpr std::string_view kElementTypeNames = "f32, bf16, q8_0, q4_0, nf4";

}  // namespace wb::core
