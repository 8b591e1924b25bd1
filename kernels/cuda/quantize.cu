// SPDX-License-Identifier: Apache-2.0
// Blocks of 32 (NF4: 64) values, a half-precision scale then small numbers: x = scale * unit * number. The same bits as
// the CPU's; formulas in kernels/quantize.h and kernels/base/*_block.h.
#include "kernels/cuda/cuda_ops.h"
#include "kernels/cuda/stream.h"
#include "kernels/cuda/tile_layout.h"

namespace wb::kernels::cuda {
namespace {

constexpr int kThreads = 128;
constexpr int kWarps = kThreads / kWarpSize;
constexpr int kGroup = 32;  // columns, one a lane

// Where the bytes of a block lie: row by row as in files, or in tiles. Byte is const for reading.
template <class Format, class Byte>
struct RowBlocks {
    Byte* data;
    int64_t blocksPerRow;

    static constexpr bool isTiles() { return false; }
    static constexpr auto kBytes = static_cast<int64_t>(sizeof(typename Format::Block));
    __device__ Byte* block(int64_t row, int64_t b) const { return data + (row * blocksPerRow + b) * kBytes; }
    // Blocks are even numbers of bytes long, so that halves are aligned.
    __device__ auto* scale(int64_t row, int64_t b) const {
        using Half = std::conditional_t<std::is_const_v<Byte>, const __half, __half>;
        return reinterpret_cast<Half*>(block(row, b));
    }
    __device__ Byte* byteAt(int64_t row, int64_t b, int i) const { return block(row, b) + sizeof(__half) + i; }
};

template <class Format, class Byte>
struct TileBlocks {
    TileLayout<Format, Byte> tiles;

    static constexpr bool isTiles() { return true; }
    __device__ auto* scale(int64_t row, int64_t b) const {
        return tiles.scales(row / kTileRows, b * static_cast<int64_t>(Format::kGroups)) + row % kTileRows;
    }
    __device__ Byte* byteAt(int64_t row, int64_t b, int i) const {
        auto* dwords = tiles.dwords(row / kTileRows, b * static_cast<int64_t>(Format::kGroups));
        return reinterpret_cast<Byte*>(dwords + i / 4 * kTileRows + row % kTileRows) + i % 4;
    }
};

// Calls body(accessor) with the blocks of a view, in tiles or not.
template <class Byte, class View, class Body>
void withBlocks(const View& view, const Body& body) {
    withTileFormat(isTiled(view.dtype) ? view.dtype : tilesOfRows(view.dtype), [&]<class Format>() {
        auto* data = static_cast<Byte*>(view.data);
        if (isTiled(view.dtype)) {
            body(TileBlocks<Format, Byte>{{data, view.shape[1] / kGroup}}, Format{});
        } else {
            body(RowBlocks<Format, Byte>{data, view.shape[1] / static_cast<int64_t>(Format::Block::kLength)}, Format{});
        }
    });
}

// The magnitude of the largest value of the warp; `extreme` gets that value, of equal ones the first.
__device__ inline float largestOfWarp(float x, float& extreme) {
    const float largest = warpMax(fabsf(x));
    const unsigned who = __ballot_sync(kAllLanes, fabsf(x) == largest ? 1 : 0);
    extreme = __shfl_sync(kAllLanes, x, __ffs(static_cast<int>(who)) - 1);
    return largest;
}

// As quantizeQ8 and quantizeQ4; the roundings are spelled out, fused operations would change them.
__device__ inline uint32_t q8Byte(float x, float scale) {
    const float inverse = scale > 0 ? 1.0F / scale : 0.0F;
    const float rounded = roundf(__fmul_rn(x, inverse));
    return static_cast<uint32_t>(static_cast<int>(fminf(fmaxf(rounded, -127.0F), 127.0F))) & 0xFFU;
}
__device__ inline uint32_t q4Nibble(float x, float scale) {
    const float inverse = scale != 0 ? 1.0F / scale : 0.0F;
    return static_cast<uint32_t>(min(15, static_cast<int>(__fadd_rn(__fmul_rn(x, inverse), 8.5F))));
}
__device__ inline uint32_t nf4Nibble(float x, float largest) {
    const float ratio = largest > 0 ? x / largest : 0.0F;
    return [ratio]<size_t... n>(std::index_sequence<n...>) {
        return ((ratio > std::integral_constant<float, nf4Edge(n)>::value ? 1U : 0U) + ...);
    }
    (std::make_index_sequence<15>());
}

// Lanes 0..15 write the nibbles of a group: their own below, those of lane + 16 above.
template <class Blocks>
__device__ inline void storeNibbles(const Blocks& out, int64_t row, int64_t b, int firstByte, int lane,
                                    uint32_t nibble) {
    const uint32_t above = __shfl_sync(kAllLanes, nibble, (lane + 16) % kWarpSize);
    if (lane < 16) *out.byteAt(row, b, firstByte + lane) = static_cast<std::byte>(nibble | above << 4);
}

// A warp a block; rows behind the last one, which fill up a tile, are blocks of zeros.
template <class Format, class Blocks>
__global__ void __launch_bounds__(kThreads)
    quantizeKernel(const float* x, Blocks out, int64_t rows, int64_t allRows, int64_t blocks) {
    const int lane = static_cast<int>(threadIdx.x) % kWarpSize;
    const int64_t index = int64_t{blockIdx.x} * kWarps + threadIdx.x / kWarpSize;
    if (index >= allRows * blocks) return;
    const int64_t row = index / blocks;
    const int64_t b = index % blocks;
    const bool isInside = row < rows;
    const float* source = x + (row * blocks + b) * static_cast<int64_t>(Format::Block::kLength);
    const float first = isInside ? source[lane] : 0.0F;
    float extreme = 0;
    float scale = 0;
    if constexpr (Format::kGroups == 2) {
        const float second = isInside ? source[kGroup + lane] : 0.0F;
        const float largest = warpMax(fmaxf(fabsf(first), fabsf(second)));
        scale = fminf(largest, kLargestHalf);
        storeNibbles(out, row, b, 0, lane, isInside ? nf4Nibble(first, largest) : 0U);
        storeNibbles(out, row, b, 16, lane, isInside ? nf4Nibble(second, largest) : 0U);
    } else if constexpr (Format::kDwords == 8) {
        scale = largestOfWarp(first, extreme) / 127.0F;
        const uint32_t flipped = Blocks::isTiles() ? 0x80U : 0U;
        *out.byteAt(row, b, lane) = static_cast<std::byte>(q8Byte(first, scale) ^ flipped);
    } else {
        largestOfWarp(first, extreme);
        scale = extreme / -8.0F;
        storeNibbles(out, row, b, 0, lane, isInside ? q4Nibble(first, scale) : 0U);
        if (!isInside) scale = 0;
    }
    if (lane == 0) *out.scale(row, b) = __float2half_rn(scale);
}

// A warp a block of a row: files have their blocks so, and few of them are widened.
template <class Format, class T>
__global__ void __launch_bounds__(kThreads)
    widenRowsKernel(RowBlocks<Format, const std::byte> in, T* out, int64_t rows) {
    __shared__ float levels[16];
    if constexpr (Format::kGroups == 2) copyNf4Levels(levels);
    __syncthreads();
    const int lane = static_cast<int>(threadIdx.x) % kWarpSize;
    const int64_t index = int64_t{blockIdx.x} * kWarps + threadIdx.x / kWarpSize;
    if (index >= rows * in.blocksPerRow) return;
    const int64_t row = index / in.blocksPerRow;
    const int64_t b = index % in.blocksPerRow;
    const float scale = unitScale<Format>(*in.scale(row, b));
#pragma unroll
    for (int g = 0; g < static_cast<int>(Format::kGroups); ++g) {
        float number = 0;
        if constexpr (Format::kDwords == 8) {
            number = static_cast<float>(static_cast<int8_t>(*in.byteAt(row, b, lane)));
        } else {
            const auto byte = static_cast<uint32_t>(*in.byteAt(row, b, 16 * g + lane % 16));
            number = numberAt<Format>(byte, lane < 16 ? 0 : 4, levels);
        }
        out[index * static_cast<int64_t>(Format::Block::kLength) + g * kGroup + lane] =
            fromFloat<T>(__fmul_rn(scale, number));
    }
}

// A warp 16 rows of a group: dwords as they lie, through shared memory, to rows of 32 columns.
template <class Format, class T>
__global__ void __launch_bounds__(kThreads)
    widenTilesKernel(TileLayout<Format> tiles, T* out, int64_t rows, int64_t numTiles) {
    constexpr int kDwords = static_cast<int>(Format::kDwords);
    constexpr int kDwordsPerLane = kDwords * 16 / kWarpSize;
    __shared__ float levels[16];
    struct alignas(16) Group {
        uint32_t dwords[kDwords * 16];
    };
    __shared__ Group staged[kWarps];
    if constexpr (Format::kGroups == 2) copyNf4Levels(levels);
    __syncthreads();
    const int lane = static_cast<int>(threadIdx.x) % kWarpSize;
    const int warp = static_cast<int>(threadIdx.x) / kWarpSize;
    const int64_t index = int64_t{blockIdx.x} * kWarps + warp;
    if (index >= numTiles * tiles.groups) return;
    const int64_t tile = index / tiles.groups;
    const int64_t g = index % tiles.groups;
    const auto pack = loadPack<kDwordsPerLane>(tiles.dwords(tile, g) + kDwordsPerLane * lane);
    storePack(&staged[warp].dwords[kDwordsPerLane * lane], pack);
    const float scale = unitScale<Format>(tiles.scales(tile, g)[lane % 16]);
    __syncwarp();
    const int j = Format::kDwords == 8 ? lane / 4 : lane % 16 / 4;
    const int number = Format::kDwords == 8 ? lane % 4 : lane % 4 + lane / 16 * 4;
#pragma unroll 4
    for (int r = 0; r < 16; ++r) {
        const float rowScale = __shfl_sync(kAllLanes, scale, r);
        const int64_t row = tile * kTileRows + r;
        if (row >= rows) break;
        const float value = __fmul_rn(rowScale, numberAt<Format>(staged[warp].dwords[16 * j + r], number, levels));
        out[row * tiles.groups * kGroup + g * kGroup + lane] = fromFloat<T>(value);
    }
}

// A thread a dword. Of tiles, neighbours are rows.
template <class Format>
__global__ void __launch_bounds__(kThreads)
    tileKernel(RowBlocks<Format, const std::byte> in, TileBlocks<Format, std::byte> out, int64_t rows, int64_t count) {
    constexpr auto kDwords = static_cast<int64_t>(Format::kDwords * Format::kGroups);  // of a block
    const int64_t index = int64_t{blockIdx.x} * kThreads + threadIdx.x;
    if (index >= count) return;
    const int64_t inTile = index % (kTileRows * kDwords);
    const int64_t block = index / (kTileRows * kDwords);
    const int64_t row = block / in.blocksPerRow * kTileRows + inTile % kTileRows;
    const int64_t b = block % in.blocksPerRow;
    const int j = static_cast<int>(inTile / kTileRows);
    uint32_t word = 0;
    __half scale = __float2half_rn(0.0F);
    if (row < rows) {
        // Blocks of rows begin at even addresses only.
        const auto* halves = reinterpret_cast<const uint16_t*>(in.byteAt(row, b, 4 * j));
        word = static_cast<uint32_t>(halves[0]) | static_cast<uint32_t>(halves[1]) << 16;
        scale = *in.scale(row, b);
    }
    *reinterpret_cast<uint32_t*>(out.byteAt(row, b, 4 * j)) = word ^ Format::kFlipped;
    if (j == 0) *out.scale(row, b) = scale;
}

template <class Format>
__global__ void __launch_bounds__(kThreads)
    untileKernel(TileBlocks<Format, const std::byte> in, RowBlocks<Format, std::byte> out, int64_t count) {
    constexpr auto kDwords = static_cast<int64_t>(Format::kDwords * Format::kGroups);
    const int64_t index = int64_t{blockIdx.x} * kThreads + threadIdx.x;
    if (index >= count) return;
    const int64_t block = index / kDwords;
    const int64_t row = block / out.blocksPerRow;
    const int64_t b = block % out.blocksPerRow;
    const int j = static_cast<int>(index % kDwords);
    const uint32_t word = *reinterpret_cast<const uint32_t*>(in.byteAt(row, b, 4 * j)) ^ Format::kFlipped;
    auto* halves = reinterpret_cast<uint16_t*>(out.byteAt(row, b, 4 * j));
    halves[0] = static_cast<uint16_t>(word);
    halves[1] = static_cast<uint16_t>(word >> 16);
    if (j == 0) *out.scale(row, b) = *in.scale(row, b);
}

int64_t tilesOf(int64_t rows) {
    return (rows + kTileRows - 1) / kTileRows;
}

}  // namespace

void quantize(const Context& context, const QuantizeArgs& args) {
    const int64_t rows = args.x.shape[0];
    const int64_t allRows = isTiled(args.out.dtype) ? tilesOf(rows) * kTileRows : rows;
    withBlocks<std::byte>(args.out, [&]<class Blocks, class Format>(const Blocks& out, Format) {
        const int64_t blocks = args.x.shape[1] / static_cast<int64_t>(Format::Block::kLength);
        launch(streamOf(context), {blocksFor(allRows * blocks, kWarps), kThreads}, quantizeKernel<Format, Blocks>,
               args.x.as<float>(), out, rows, allRows, blocks);
    });
}

void dequantize(const Context& context, const DequantizeArgs& args) {
    const int64_t rows = args.out.shape[0];
    withType("dequantize", args.out.dtype, [&](auto tag) {
        using T = typename decltype(tag)::Type;
        withBlocks<const std::byte>(args.quantized, [&]<class Blocks, class Format>(const Blocks& in, Format) {
            if constexpr (Blocks::isTiles()) {
                const int64_t numTiles = tilesOf(rows);
                launch(streamOf(context), {blocksFor(numTiles * in.tiles.groups, kWarps), kThreads},
                       widenTilesKernel<Format, T>, in.tiles, args.out.as<T>(), rows, numTiles);
            } else {
                launch(streamOf(context), {blocksFor(rows * in.blocksPerRow, kWarps), kThreads},
                       widenRowsKernel<Format, T>, in, args.out.as<T>(), rows);
            }
        });
    });
}

void retile(const Context& context, const RetileArgs& args) {
    const Shape& shape = args.in.shape;
    const DType tiled = isTiled(args.in.dtype) ? args.in.dtype : args.out.dtype;
    withTileFormat(tiled, [&]<class Format>() {
        const int64_t blocks = shape[1] / static_cast<int64_t>(Format::Block::kLength);
        constexpr auto kDwords = static_cast<int64_t>(Format::kDwords * Format::kGroups);
        if (isTiled(args.in.dtype)) {
            const int64_t count = shape[0] * blocks * kDwords;
            launch(streamOf(context), {blocksFor(count, kThreads), kThreads}, untileKernel<Format>,
                   TileBlocks<Format, const std::byte>{{args.in.as<std::byte>(), shape[1] / kGroup}},
                   RowBlocks<Format, std::byte>{args.out.as<std::byte>(), blocks}, count);
        } else {
            const int64_t count = tilesOf(shape[0]) * kTileRows * blocks * kDwords;
            launch(streamOf(context), {blocksFor(count, kThreads), kThreads}, tileKernel<Format>,
                   RowBlocks<Format, const std::byte>{args.in.as<std::byte>(), blocks},
                   TileBlocks<Format, std::byte>{{args.out.as<std::byte>(), shape[1] / kGroup}}, shape[0], count);
        }
    });
}

}  // namespace wb::kernels::cuda
