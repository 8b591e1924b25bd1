// SPDX-License-Identifier: Apache-2.0
// Blocks of 32 (NF4: 64) values, a half-precision scale then small numbers. x = scale * unit * number.
#include "kernels/cpu/cpu_ops.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/quantized_tiles.h"

#include "kernels/base/error.h"

namespace wb::kernels::cpu {
namespace {

int valueOf(const Q8Block& block, size_t i) {
    return block.values[i];
}
int valueOf(const Q4Block& block, size_t i) {
    return block.nibble(i) - Q4Tiles::kOffset;
}

int valueOf(const Nf4Block& block, size_t i) {
    return block.level(i);
}

template <class Block>
float scaleOf(const Block& block) {
    if constexpr (std::is_same_v<Block, Nf4Block>) return static_cast<float>(block.scale) * kNf4Unit;
    return static_cast<float>(block.scale);
}

template <class Block>
Block quantized(const float* x) {
    if constexpr (std::is_same_v<Block, Q8Block>) {
        return quantizeQ8(x);
    } else if constexpr (std::is_same_v<Block, Q4Block>) {
        return quantizeQ4(x);
    } else {
        return quantizeNf4(x);
    }
}

// Calls f.operator()<Block>() with the block of a format row by row.
template <class F>
void withBlocks(DType rows, F&& f) {
    withTiles(tilesOfRows(rows), [&]<class Format>() { f.template operator()<typename Format::Block>(); });
}

template <class Block, class T>
void widenBlocks(const Block* blocks, T* out, int64_t begin, int64_t end) {
    for (int64_t b = begin; b < end; ++b) {
        const float scale = scaleOf(blocks[b]);
        T* row = out + b * static_cast<int64_t>(Block::kLength);
        for (size_t i = 0; i < Block::kLength; ++i) row[i] = T(scale * static_cast<float>(valueOf(blocks[b], i)));
    }
}

void widenRows(const Context& context, const DequantizeArgs& args) {
    withBlocks(args.quantized.dtype, [&]<class Block>() {
        const auto* blocks = args.quantized.as<Block>();
        constexpr auto kLength = static_cast<int64_t>(Block::kLength);
        parallelFor(context, args.quantized.shape.count() / kLength, kLength, [&](int64_t begin, int64_t end) {
            if (args.out.dtype == DType::BF16) {
                widenBlocks(blocks, args.out.as<BFloat16>(), begin, end);
            } else {
                widenBlocks(blocks, args.out.as<float>(), begin, end);
            }
        });
    });
}

// Calls body(tiles, row, b) for block b of every row of a matrix in tiles, and of those that fill up the last tile.
template <class Format, class Byte, class Body>
void forBlocks(const Context& context, Byte* data, const Shape& shape, const Body& body) {
    const int64_t blocks = shape[1] / static_cast<int64_t>(Format::Block::kLength);
    const TileView<Format, Byte> tiles(data, shape[1] / kGroupLength);
    const int64_t numTiles = (shape[0] + kTileRows - 1) / kTileRows;
    parallelFor(context, numTiles, kTileRows * shape[1], [&](int64_t begin, int64_t end) {
        for (int64_t row = begin * kTileRows; row < end * kTileRows; ++row) {
            for (int64_t b = 0; b < blocks; ++b) body(tiles, row, b);
        }
    });
}

template <class Format>
int64_t firstGroup(int64_t block) {
    return block * static_cast<int64_t>(Format::kGroups);
}
template <class Format>
int64_t firstValue(int64_t block) {
    return block * static_cast<int64_t>(Format::Block::kLength);
}

// The oracle's widening: exact.
void widenToDouble(const Context& context, const DequantizeArgs& args) {
    withTiles(args.quantized.dtype, [&]<class Format>() {
        const Shape& shape = args.quantized.shape;
        forBlocks<Format>(context, args.quantized.as<std::byte>(), shape,
                          [&](const TileView<Format, const std::byte>& tiles, int64_t row, int64_t b) {
                              if (row >= shape[0]) return;
                              const auto block = takeBlock(tiles, row, firstGroup<Format>(b));
                              double* out = args.out.as<double>() + row * shape[1] + firstValue<Format>(b);
                              for (size_t i = 0; i < block.kLength; ++i) {
                                  out[i] = static_cast<double>(scaleOf(block)) * valueOf(block, i);
                              }
                          });
    });
}

void widenAllTiles(const Context& context, const DequantizeArgs& args) {
    const int64_t columns = args.quantized.shape[1];
    const int64_t rows = args.quantized.shape[0];
    const size_t rowBytes = dtypeBytes(args.out.dtype, static_cast<size_t>(columns));
    parallelFor(context, (rows + kTileRows - 1) / kTileRows, kTileRows * columns, [&](int64_t begin, int64_t end) {
        const int64_t first = begin * kTileRows;
        widenTiles(args.quantized, {first, std::min(end * kTileRows, rows), 0, columns / kGroupLength}, 1.0F,
                   args.out.as<std::byte>() + static_cast<size_t>(first) * rowBytes, args.out.dtype, columns);
    });
}

}  // namespace

void dequantize(const Context& context, const DequantizeArgs& args) {
    if (!isTiled(args.quantized.dtype)) return widenRows(context, args);
    if (args.out.dtype == DType::F64) return widenToDouble(context, args);
    widenAllTiles(context, args);
}

void quantize(const Context& context, const QuantizeArgs& args) {
    const auto* x = args.x.as<float>();
    const int64_t columns = args.x.shape[1];
    if (isTiled(args.out.dtype)) {
        return withTiles(args.out.dtype, [&]<class Format>() {
            using Block = typename Format::Block;
            forBlocks<Format>(context, args.out.as<std::byte>(), args.out.shape,
                              [&](const TileView<Format, std::byte>& tiles, int64_t row, int64_t b) {
                                  const bool isInside = row < args.x.shape[0];
                                  const float* source = x + row * columns + firstValue<Format>(b);
                                  putBlock(tiles, row, firstGroup<Format>(b),
                                           isInside ? quantized<Block>(source) : Block{});
                              });
        });
    }
    withBlocks(args.out.dtype, [&]<class Block>() {
        auto* blocks = args.out.as<Block>();
        constexpr auto kLength = static_cast<int64_t>(Block::kLength);
        parallelFor(context, args.x.shape.count() / kLength, 4 * kLength, [&](int64_t begin, int64_t end) {
            for (int64_t b = begin; b < end; ++b) blocks[b] = quantized<Block>(x + b * kLength);
        });
    });
}

void retile(const Context& context, const RetileArgs& args) {
    const DType tiled = isTiled(args.in.dtype) ? args.in.dtype : args.out.dtype;
    const Shape& shape = args.in.shape;
    withTiles(tiled, [&]<class Format>() {
        using Block = typename Format::Block;
        const int64_t blocks = shape[1] / static_cast<int64_t>(Block::kLength);
        if (isTiled(args.in.dtype)) {
            auto* out = args.out.as<Block>();
            return forBlocks<Format>(context, args.in.as<std::byte>(), shape,
                                     [&](const TileView<Format, const std::byte>& tiles, int64_t row, int64_t b) {
                                         if (row < shape[0])
                                             out[row * blocks + b] = takeBlock(tiles, row, firstGroup<Format>(b));
                                     });
        }
        const auto* in = args.in.as<Block>();
        forBlocks<Format>(context, args.out.as<std::byte>(), shape,
                          [&](const TileView<Format, std::byte>& tiles, int64_t row, int64_t b) {
                              putBlock(tiles, row, firstGroup<Format>(b),
                                       row < shape[0] ? in[row * blocks + b] : Block{});
                          });
    });
}

}  // namespace wb::kernels::cpu
