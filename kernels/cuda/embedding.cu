// SPDX-License-Identifier: Apache-2.0
// out[t] = scale table[ids[t]], the table plain or in tiles of quantised blocks
// dTable[ids[t]] += scale dOut[t], in the order of t for every row
//
// Backward first sorts the pairs (id, t): pieces of kSortBlock by a bitonic network in shared memory, then runs of
// twice the length by ranks, every pair counting by bisection how many of the other run come before it. That is
// 1 + log2(T / kSortBlock) launches over 8 T bytes and no memory of the size of the vocabulary. Pairs are distinct, so
// there is one order and equal ids stay in that of t. Then every run of equal ids is added up in its order by one block
// for some columns: dOut is read once, and each row of dTable that occurs is read and written once. A token that fills
// the whole batch makes its blocks the critical path: T loads after each other, kAhead of them on their way together.
#include "kernels/cuda/cuda_ops.h"
#include "kernels/cuda/packs.h"
#include "kernels/cuda/tile_layout.h"

#include <bit>

namespace wb::kernels::cuda {
namespace {

constexpr int kSortThreads = 512;
constexpr int kSortBlock = 2 * kSortThreads;
constexpr int kSumThreads = 128;
constexpr int64_t kGroupColumns = 32;       // of a tile that lie together
constexpr int kAhead = 8;                   // rows of dOut on their way together
constexpr uint64_t kNobody = ~uint64_t{0};  // sorts behind everything

template <class T>
struct Looked {
    const T* table;
    const int32_t* ids;
    T* out;
    int64_t vocabulary;
    int64_t columns;
    float scale;

    template <int N>
    __device__ void at(int64_t row, int column) const {
        const int32_t id = ids[row];
        const bool isKnown = id >= 0 && id < vocabulary;
        Pack<T, N> pack;
        if (isKnown) pack = loadPack<N>(table + id * columns + column);
#pragma unroll
        for (int i = 0; i < N; ++i) {
            // NaN shows in the loss; the host cannot look at ids on the device.
            pack.values[i] = fromFloat<T>(isKnown ? scale * toFloat(pack.values[i]) : NAN);
        }
        storePack(out + row * columns + column, pack);
    }
};

// Rows of tiles of quantised blocks. A thread takes a dword, whose numbers are neighbours in the row by fours.
template <class Format, class T>
__global__ void __launch_bounds__(kPackThreads)
    lookUpTilesKernel(TileLayout<Format> table, const int32_t* ids, T* out, int64_t vocabulary, float scale) {
    __shared__ float levels[16];
    if constexpr (Format::kGroups == 2) copyNf4Levels(levels);
    __syncthreads();
    constexpr int kDwords = Format::kDwords;
    constexpr int kNumbers = kNumbersPerDword<Format>;
    const int64_t row = blockIdx.x;
    const int64_t place = int64_t{blockIdx.y} * kPackThreads + threadIdx.x;
    const int64_t group = place / kDwords;
    const int dword = static_cast<int>(place % kDwords);
    if (group >= table.groups) return;
    const int32_t id = ids[row];
    float numbers[kNumbers] = {};
    float unit = NAN;
    if (id >= 0 && id < vocabulary) {
        const int64_t tile = id / kTileRows;
        const int lane = static_cast<int>(id % kTileRows);
        unit = unitScale<Format>(table.scales(tile, group)[lane]) * scale;
        numbersOf<Format>(table.dwords(tile, group)[dword * kTileRows + lane], levels, numbers);
    }
#pragma unroll
    for (int first = 0; first < kNumbers; first += 4) {
        Pack<T, 4> pack;
#pragma unroll
        for (int i = 0; i < 4; ++i) pack.values[i] = fromFloat<T>(unit * numbers[first + i]);
        storePack(out + (row * table.groups + group) * kGroupColumns + columnOf<Format>(dword, first), pack);
    }
}

void lookUpTiles(const Context& context, const EmbeddingForwardArgs& args) {
    withTileFormat(args.table.dtype, [&]<class Format>() {
        withType("embedding_forward", args.out.dtype, [&](auto tag) {
            using T = typename decltype(tag)::Type;
            const int64_t groups = args.table.shape[1] / kGroupColumns;
            const dim3 grid(static_cast<unsigned>(args.ids.shape[0]),
                            blocksFor(groups * static_cast<int64_t>(Format::kDwords), kPackThreads));
            launch(streamOf(context), {grid, kPackThreads}, lookUpTilesKernel<Format, T>,
                   TileLayout<Format>{args.table.as<std::byte>(), groups}, args.ids.as<int32_t>(), args.out.as<T>(),
                   args.table.shape[0], args.scale);
        });
    });
}

__device__ inline uint64_t pairOf(const int32_t* ids, int64_t t, int64_t tokens, int64_t vocabulary,
                                  int32_t untrainedId) {
    if (t >= tokens) return kNobody;
    const int32_t id = ids[t];
    if (id < 0 || id >= vocabulary || id == untrainedId) return kNobody;
    return static_cast<uint64_t>(id) << 32 | static_cast<uint64_t>(t);
}

// Sorted runs of kSortBlock pairs. Those who take no part come as kNobody, at the end.
__global__ void __launch_bounds__(kSortThreads)
    sortBlocksKernel(const int32_t* ids, int64_t tokens, int64_t vocabulary, int32_t untrainedId, uint64_t* pairs) {
    __shared__ uint64_t block[kSortBlock];
    const int64_t first = int64_t{blockIdx.x} * kSortBlock;
    const int thread = static_cast<int>(threadIdx.x);
    for (int i = thread; i < kSortBlock; i += kSortThreads) {
        block[i] = pairOf(ids, first + i, tokens, vocabulary, untrainedId);
    }
    for (int length = 2; length <= kSortBlock; length *= 2) {
        for (int distance = length / 2; distance > 0; distance /= 2) {
            __syncthreads();
            const int low = 2 * thread - (thread & (distance - 1));  // thread / distance blocks of 2 distance
            const uint64_t a = block[low];
            const uint64_t b = block[low + distance];
            const bool isRising = (low & length) == 0;
            if ((a > b) == isRising) {
                block[low] = b;
                block[low + distance] = a;
            }
        }
    }
    __syncthreads();
    for (int i = thread; i < kSortBlock; i += kSortThreads) {
        if (first + i < tokens) pairs[first + i] = block[i];
    }
}

// How many of the sorted pairs are below `pair`.
__device__ inline int64_t rankOf(const uint64_t* sorted, int64_t count, uint64_t pair) {
    int64_t low = 0;
    int64_t high = count;
    while (low < high) {
        const int64_t middle = (low + high) / 2;
        if (sorted[middle] < pair) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

// Merges sorted runs of `length` in pairs.
__global__ void __launch_bounds__(kPackThreads)
    mergeRunsKernel(const uint64_t* from, uint64_t* to, int64_t tokens, int64_t length) {
    const int64_t i = int64_t{blockIdx.x} * kPackThreads + threadIdx.x;
    if (i >= tokens) return;
    const int64_t run = i / length;
    const int64_t other = (run ^ 1) * length;
    const int64_t otherCount = max(int64_t{0}, min(length, tokens - other));
    const uint64_t pair = from[i];
    // Nobodies are equal: those of the first run stay before those of the second.
    const bool countsEqual = (run & 1) != 0 && pair == kNobody;
    const int64_t before = countsEqual ? otherCount : rankOf(from + other, otherCount, pair);
    to[run / 2 * 2 * length + (i - run * length) + before] = pair;
}

template <class T, int N>
__global__ void __launch_bounds__(kSumThreads)
    addRunsKernel(const uint64_t* pairs, int64_t tokens, const T* dOut, float* dTable, int columns, float scale) {
    const int64_t first = blockIdx.x;
    const uint64_t pair = pairs[first];
    const auto id = static_cast<uint32_t>(pair >> 32);
    if (pair == kNobody || (first > 0 && static_cast<uint32_t>(pairs[first - 1] >> 32) == id)) return;
    const int column = static_cast<int>(blockIdx.y * kSumThreads + threadIdx.x) * N;
    if (column >= columns) return;
    const auto tokenAt = [&](int64_t i) -> int64_t {  // -1 behind the run
        if (i >= tokens || static_cast<uint32_t>(pairs[i] >> 32) != id) return -1;
        return static_cast<uint32_t>(pairs[i]);
    };
    float* row = dTable + static_cast<int64_t>(id) * columns + column;
    Pack<float, N> sum = loadPack<N>(row);
    for (int64_t i = first; tokenAt(i) >= 0; i += kAhead) {
        Pack<T, N> terms[kAhead] = {};
        int count = 0;
#pragma unroll
        for (int k = 0; k < kAhead; ++k) {
            const int64_t token = tokenAt(i + k);
            if (token < 0) continue;
            terms[k] = loadPack<N>(dOut + token * columns + column);
            count = k + 1;
        }
#pragma unroll
        for (int k = 0; k < kAhead; ++k) {
            if (k >= count) continue;
#pragma unroll
            for (int j = 0; j < N; ++j) sum.values[j] = fmaf(toFloat(terms[k].values[j]), scale, sum.values[j]);
        }
    }
    storePack(row, sum);
}

// The pairs of all tokens, sorted; in one of the two halves of the workspace.
const uint64_t* sortTokens(const Context& context, const EmbeddingBackwardArgs& args) {
    const Stream& stream = streamOf(context);
    const int64_t tokens = args.ids.shape[0];
    auto* pairs = args.workspace.as<uint64_t>();
    auto* spare = pairs + tokens;
    launch(stream, {blocksFor(tokens, kSortBlock), kSortThreads}, sortBlocksKernel, args.ids.as<int32_t>(), tokens,
           args.dTable.shape[0], args.untrainedId, pairs);
    for (int64_t length = kSortBlock; length < tokens; length *= 2) {
        launch(stream, {blocksFor(tokens, kPackThreads), kPackThreads}, mergeRunsKernel, pairs, spare, tokens, length);
        std::swap(pairs, spare);
    }
    return pairs;
}

}  // namespace

void embeddingForward(const Context& context, const EmbeddingForwardArgs& args) {
    if (isTiled(args.table.dtype)) return lookUpTiles(context, args);
    withType("embedding_forward", args.table.dtype, [&](auto tag) {
        using T = typename decltype(tag)::Type;
        const int64_t columns = args.table.shape[1];
        const Looked<T> op{args.table.as<T>(), args.ids.as<int32_t>(), args.out.as<T>(), args.table.shape[0], columns,
                           args.scale};
        forRowPacks<kPackOf<T>>(context, args.ids.shape[0], columns, canPack<T>(columns, op.table, op.out), op);
    });
}

void embeddingBackward(const Context& context, const EmbeddingBackwardArgs& args) {
    if (args.dOut.shape.count() == 0) return;
    const int64_t tokens = args.ids.shape[0];
    const int64_t columns = args.dTable.shape[1];
    const uint64_t* pairs = sortTokens(context, args);
    withType("embedding_backward", args.dOut.dtype, [&](auto tag) {
        using T = typename decltype(tag)::Type;
        const auto* dOut = args.dOut.as<T>();
        auto* dTable = args.dTable.as<float>();
        constexpr int kWidth = kCommonPack<T, float>;
        const bool isPacked = columns % kWidth == 0 && isAligned<kWidth>(dOut) && isAligned<kWidth>(dTable);
        const int width = isPacked ? kWidth : 1;
        launch(streamOf(context),
               {dim3(static_cast<unsigned>(tokens), blocksFor(columns, kSumThreads * width)), kSumThreads},
               isPacked ? addRunsKernel<T, kWidth> : addRunsKernel<T, 1>, pairs, tokens, dOut, dTable,
               static_cast<int>(columns), args.scale);
    });
}

size_t embeddingBackwardWorkspace(const Context& /*context*/, const EmbeddingBackwardArgs& args) {
    if (args.dOut.shape.count() == 0) return 0;
    return 2 * static_cast<size_t>(args.ids.shape[0]) * sizeof(uint64_t);
}

}  // namespace wb::kernels::cuda
