// SPDX-License-Identifier: Apache-2.0
// Integer products of quantised rows with tiles of quantised weights, one set of functions an instruction set.
//
// For row t and output o, with groups g of 32 columns,
//   sum[t][o] = over g in order: sum = fma(float(dot_g), weightScale[o][g] * scale[t][g], sum)
//   dot_g     = over the group: (stored - offset) * value, exact in 32 bits; of NF4 level * value
// Every set gives the same bits: the integers are exact and the floats follow this one order.
#pragma once

#include "kernels/base/dtype.h"
#include "kernels/base/quantized_tiles.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace wb::kernels::cpu {

// 32 columns of a row of x: x = scale / unit of the weight's format * value.
struct ActivationBlock {
    std::array<int8_t, kGroupLength> values;  // in [-127, 127]
    float scale;
    int32_t correction;  // -offset * sum of values: stored weights exceed their value by offset
};
static_assert(sizeof(ActivationBlock) == 40);

struct TileProduct {
    const std::byte* tiles = nullptr;  // the first of one or two
    int64_t groups = 0;                // a row
    const ActivationBlock* x = nullptr;
    int64_t rows = 0;       // of x, up to the set's maxRows
    int64_t numTiles = 1;   // 1 or 2
    float* sums = nullptr;  // [rows][kPanelColumns]
};
inline constexpr int64_t kPanelColumns = 2 * kTileRows;
inline constexpr int64_t kMostRows = 6;  // that any set takes at a time

struct TileKernels {
    const char* name;
    int64_t maxRows;  // up to kMostRows
    void (*q8)(const TileProduct&);
    void (*q4)(const TileProduct&);
    void (*nf4)(const TileProduct&);

    auto of(DType tiled) const { return tiled == DType::Q8_0x16 ? q8 : tiled == DType::Q4_0x16 ? q4 : nf4; }
};

// What this processor has (and WHETBENCH_ISA leaves), best first; the last needs nothing.
const std::vector<TileKernels>& tileKernels();

}  // namespace wb::kernels::cpu
