// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/quantized_tiles.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/quantized_tiles.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h

#include "kernels/cpu/simd_inl.h"

HWY_BEFORE_NAMESPACE();
namespace wb::kernels::cpu::HWY_NAMESPACE {
namespace {

using Quad = hn::CappedTag<float, 4>;  // four lanes, on the scalar target one
using QuadInts = hn::RebindToSigned<Quad>;

HWY_INLINE void storeQuad(hn::Vec<Quad> v, float* out) {
    hn::StoreU(v, Quad(), out);
}
HWY_INLINE void storeQuad(hn::Vec<Quad> v, BFloat16* out) {
    hn::StoreU(narrowBf16(Quad(), v), hn::Rebind<uint16_t, Quad>(), reinterpret_cast<uint16_t*>(out));
}

template <class Out>
HWY_INLINE void storeNumbers(hn::Vec<QuadInts> numbers, int offset, hn::Vec<Quad> scale, Out* out) {
    const auto values = hn::Sub(numbers, hn::Set(QuadInts(), offset));
    storeQuad(hn::Mul(hn::ConvertTo(Quad(), values), scale), out);
}

// Four columns at a time, as a dword of the tile holds them.
// Four columns at a time, as a dword of the tile holds them.
template <class Format, class Out>
HWY_INLINE void widenGroup(const TileView<Format, const std::byte>& tiles, int64_t row, int64_t g, float factor,
                           Out* out) {
    const hn::Rebind<uint8_t, Quad> bytes;
    const QuadInts ints;
    const auto scale = hn::Set(Quad(), tiles.halfScale(row, g) * Format::kUnit * factor);
    const auto numbersOf = [](hn::Vec<QuadInts> stored) HWY_ATTR {
        if constexpr (Format::kGroups == 1) return stored;
        return hn::GatherIndex(QuadInts(), kNf4Levels.data(), stored);
    };
    for (size_t i = 0; i < Format::kDwords * 4; i += hn::Lanes(ints)) {
        const auto* dword = reinterpret_cast<const uint8_t*>(tiles.dword(row, g, i / 4));
        const auto stored = hn::PromoteTo(ints, hn::LoadU(bytes, dword + i % 4));
        if constexpr (Format::kDwords == 8) {
            storeNumbers(stored, Format::kOffset, scale, out + i);
        } else {
            storeNumbers(numbersOf(hn::And(stored, hn::Set(ints, 15))), Format::kOffset, scale, out + i);
            storeNumbers(numbersOf(hn::ShiftRight<4>(stored)), Format::kOffset, scale, out + 16 + i);
        }
    }
}

template <class Out>
void widenRange(const ConstView& weight, const TileRange& range, float factor, Out* out, int64_t stride) {
    withTiles(weight.dtype, [&]<class Format>() {
        const TileView<Format, const std::byte> tiles(weight.as<std::byte>(), weight.shape[1] / kGroupLength);
        // The rows of a tile share cache lines: group by group through all of them.
        for (int64_t first = range.beginRow; first < range.endRow;) {
            const int64_t last = std::min(range.endRow, (first / kTileRows + 1) * kTileRows);
            for (int64_t g = range.beginGroup; g < range.endGroup; ++g) {
                Out* column = out + (g - range.beginGroup) * kGroupLength;
                for (int64_t row = first; row < last; ++row) {
                    widenGroup<Format>(tiles, row, g, factor, column + (row - range.beginRow) * stride);
                }
            }
            first = last;
        }
    });
}

}  // namespace

void WidenTiles(const ConstView& weight, const TileRange& range, float factor, void* out, DType outType,
                int64_t stride) {
    if (outType == DType::BF16) {
        widenRange(weight, range, factor, static_cast<BFloat16*>(out), stride);
    } else {
        widenRange(weight, range, factor, static_cast<float*>(out), stride);
    }
}

}  // namespace wb::kernels::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace wb::kernels::cpu {

HWY_EXPORT(WidenTiles);

void widenTiles(const ConstView& weight, const TileRange& range, float factor, void* out, DType outType,
                int64_t stride) {
    HWY_DYNAMIC_DISPATCH(WidenTiles)(weight, range, factor, out, outType, stride);
}

}  // namespace wb::kernels::cpu
#endif  // HWY_ONCE
