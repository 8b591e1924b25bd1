// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/base/quantized_tiles.h"
#include "kernels/runtime/view.h"

#include <utility>

namespace wb::kernels::cpu {

// Calls f.operator()<Format>() with the format of tiles.
template <class F>
void withTiles(DType tiled, F&& f) {
    if (tiled == DType::Q8_0x16) {
        std::forward<F>(f).template operator()<Q8Tiles>();
    } else {
        std::forward<F>(f).template operator()<Q4Tiles>();
    }
}

// Part of a matrix of tiles.
struct TileRange {
    int64_t beginRow = 0;
    int64_t endRow = 0;
    int64_t beginBlock = 0;
    int64_t endBlock = 0;
};

// out[r - beginRow, ..] = factor * weight[r, blocks of the range], rows `stride` elements apart.
//   weight tiles; outType F32 or BF16.
void widenTiles(const ConstView& weight, const TileRange& range, float factor, void* out, DType outType,
                int64_t stride);

}  // namespace wb::kernels::cpu
