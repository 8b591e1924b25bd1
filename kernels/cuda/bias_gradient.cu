// SPDX-License-Identifier: Apache-2.0
// sums[c] += sum over r of matrix[r, c]
#include "kernels/cuda/bias_gradient.h"

#include "kernels/cuda/column_sums.h"

namespace wb::kernels::cuda {
namespace {

template <class T>
struct Entry {
    const T* matrix;
    int64_t stride;

    template <int N>
    __device__ void at(int64_t row, int column, float (&terms)[N]) const {
        const Pack<T, N> pack = loadPack<N>(matrix + row * stride + column);
#pragma unroll
        for (int i = 0; i < N; ++i) terms[i] = toFloat(pack.values[i]);
    }
};

}  // namespace

size_t biasGradientBytes(int64_t rows, int64_t columns) {
    return static_cast<size_t>(stripsOf(rows, columns) * columns) * sizeof(float);
}

void addBiasGradient(const Stream& stream, const void* matrix, DType dtype, int64_t rows, int64_t columns,
                     int64_t stride, float* sums, void* workspace) {
    withType("bias gradient", dtype, [&](auto tag) {
        using T = typename decltype(tag)::Type;
        const Entry<T> entry{static_cast<const T*>(matrix), stride};
        const bool isPacked = columns % kPackOf<T> == 0 && canPack<T>(stride, entry.matrix);
        addColumnSums<kPackOf<T>>(stream, rows, columns, isPacked, entry, stripsOf(rows, columns),
                                  static_cast<float*>(workspace), sums);
    });
}

}  // namespace wb::kernels::cuda
