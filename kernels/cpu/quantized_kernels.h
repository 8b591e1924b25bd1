// SPDX-License-Identifier: Apache-2.0
// Integer products of quantised rows with tiles of quantised weights, one set of functions an instruction set.
//
// For row t and output o, with blocks b of 32 columns,
//   sum[t][o] = over b in order: sum = fma(float(dot_b), weightScale[o][b] * scale[t][b], sum)
//   dot_b     = over the block: (stored - offset) * value, exact in 32 bits
// Every set gives the same bits: the integers are exact and the floats follow this one order.
#pragma once

#include "kernels/base/quantized_tiles.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace wb::kernels::cpu {

// 32 columns of a row of x: x = scale * value.
struct ActivationBlock {
    std::array<int8_t, kBlockLength> values;  // in [-127, 127]
    float scale;
    int32_t correction;  // -offset * sum of values: stored weights exceed their value by offset
};
static_assert(sizeof(ActivationBlock) == 40);

struct TileProduct {
    const std::byte* tiles = nullptr;  // the first of one or two
    int64_t blocks = 0;                // a row
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
};

// What this processor has (and WHETBENCH_ISA leaves), best first; the last needs nothing.
const std::vector<TileKernels>& tileKernels();

}  // namespace wb::kernels::cpu
