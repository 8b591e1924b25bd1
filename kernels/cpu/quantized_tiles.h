// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/base/error.h"
#include "kernels/base/quantized_tiles.h"
#include "kernels/runtime/view.h"

#include <utility>

namespace wb::kernels::cpu {

// Calls f.operator()<Format>() with the format of tiles.
template <class F>
void withTiles(DType tiled, F&& f) {
    switch (tiled) {
        case DType::Q8_0x16: return std::forward<F>(f).template operator()<Q8Tiles>();
        case DType::Q4_0x16: return std::forward<F>(f).template operator()<Q4Tiles>();
        case DType::NF4x16: return std::forward<F>(f).template operator()<Nf4Tiles>();
        default: break;
    }
    WB_CHECK(false, "the checks of the op let a type pass that is no tiles");
}

// Part of a matrix of tiles.
struct TileRange {
    int64_t beginRow = 0;
    int64_t endRow = 0;
    int64_t beginGroup = 0;  // of 32 columns
    int64_t endGroup = 0;
};

// out[r - beginRow, ..] = factor * weight[r, groups of the range], rows `stride` elements apart.
//   weight tiles; outType F32 or BF16.
void widenTiles(const ConstView& weight, const TileRange& range, float factor, void* out, DType outType,
                int64_t stride);

}  // namespace wb::kernels::cpu
