// SPDX-License-Identifier: Apache-2.0
// out[t, n, i] = x[t, starts[n] + i];  dX[t, starts[n] + i] += part[t, n, i], in the order of n
#include "kernels/cuda/cuda_ops.h"
#include "kernels/cuda/packs.h"

#include <algorithm>
#include <vector>

namespace wb::kernels::cuda {
namespace {

template <class T>
struct Gathered {
    const T* x;
    const int32_t* starts;
    T* out;
    int64_t columns;
    int slots;
    int width;

    template <int N>
    __device__ void at(int64_t row, int column) const {
        const int slot = column / width;
        const T* from = x + row * columns + starts[slot] + (column - slot * width);
        storePack(out + row * slots * width + column, loadPack<N>(from));
    }
};

// Slots that do not overlap.
template <class T>
struct Scattered {
    const T* part;  // of the first of them, in a row of partColumns
    const int32_t* starts;
    T* dX;
    int64_t columns;
    int64_t partColumns;
    int width;

    template <int N>
    __device__ void at(int64_t row, int column) const {
        const int slot = column / width;
        T* to = dX + row * columns + starts[slot] + (column - slot * width);
        const Pack<T, N> terms = loadPack<N>(part + row * partColumns + column);
        Pack<T, N> sums = loadPack<N>(to);
#pragma unroll
        for (int i = 0; i < N; ++i) {
            sums.values[i] = fromFloat<T>(toFloat(sums.values[i]) + toFloat(terms.values[i]));
        }
        storePack(to, sums);
    }
};

bool allDivide(std::span<const int32_t> starts, int64_t divisor) {
    return std::ranges::all_of(starts, [divisor](int32_t start) { return start % divisor == 0; });
}

// How many slots from the first on overlap none of the ones before them.
size_t disjointSlots(std::span<const int32_t> starts, int64_t width) {
    std::vector<int32_t> sorted(starts.begin(), starts.end());
    std::ranges::sort(sorted);
    const auto overlap = std::ranges::adjacent_find(sorted, [width](int32_t a, int32_t b) { return b - a < width; });
    if (overlap == sorted.end()) return starts.size();
    for (size_t n = 1; n < starts.size(); ++n) {
        for (size_t earlier = 0; earlier < n; ++earlier) {
            if (std::abs(starts[n] - starts[earlier]) < width) return n;
        }
    }
    return starts.size();
}

}  // namespace

void gatherColumns(const Context& context, const GatherColumnsArgs& args) {
    const int64_t width = args.out.shape[2];
    if (args.out.shape.count() == 0) return;
    const int32_t* starts = streamOf(context).upload(args.starts);
    withType("gather_columns", args.x.dtype, [&](auto tag) {
        using T = typename decltype(tag)::Type;
        const int64_t columns = args.x.shape[1];
        const Gathered<T> op{
            args.x.as<T>(),         starts, args.out.as<T>(), columns, static_cast<int>(args.starts.size()),
            static_cast<int>(width)};
        const bool isPacked =
            canPack<T>(columns, op.x, op.out) && width % kPackOf<T> == 0 && allDivide(args.starts, kPackOf<T>);
        forRowPacks<kPackOf<T>>(context, args.x.shape[0], op.slots * width, isPacked, op);
    });
}

void scatterAddColumns(const Context& context, const ScatterAddColumnsArgs& args) {
    if (args.part.shape.count() == 0) return;
    const int32_t* starts = streamOf(context).upload(args.starts);
    const int64_t width = args.part.shape[2];
    const int64_t columns = args.dX.shape[1];
    withType("scatter_add_columns", args.dX.dtype, [&](auto tag) {
        using T = typename decltype(tag)::Type;
        // Slots of one launch must not meet; launches follow each other in the order of n.
        for (size_t first = 0; first < args.starts.size();) {
            const size_t count = disjointSlots(args.starts.subspan(first), width);
            const Scattered<T> op{args.part.as<T>() + static_cast<int64_t>(first) * width,
                                  starts + first,
                                  args.dX.as<T>(),
                                  columns,
                                  static_cast<int64_t>(args.starts.size()) * width,
                                  static_cast<int>(width)};
            const bool isPacked =
                canPack<T>(columns, op.part, op.dX) && width % kPackOf<T> == 0 && allDivide(args.starts, kPackOf<T>);
            forRowPacks<kPackOf<T>>(context, args.dX.shape[0], static_cast<int64_t>(count) * width, isPacked, op);
            first += count;
        }
    });
}

}  // namespace wb::kernels::cuda
