// SPDX-License-Identifier: Apache-2.0
// inverse = 1 / sqrt(sum of x^2) of each row, 0 for a row of zeros
#include "kernels/cuda/cuda_ops.h"
#include "kernels/cuda/device.h"
#include "kernels/cuda/stream.h"

namespace wb::kernels::cuda {
namespace {

constexpr int kThreads = 256;

template <int N>
__global__ void __launch_bounds__(kThreads) rowNormKernel(const float* x, int64_t columns, float* inverse) {
    __shared__ float scratch[kThreads / kWarpSize];
    const float* row = x + int64_t{blockIdx.x} * columns;
    float sum = 0;
    for (int64_t c = int64_t{threadIdx.x} * N; c < columns; c += kThreads * N) {
        const Pack<float, N> pack = loadPack<N>(row + c);
#pragma unroll
        for (int i = 0; i < N; ++i) sum += pack.values[i] * pack.values[i];
    }
    sum = blockSum<kThreads>(sum, scratch);
    if (threadIdx.x == 0) inverse[blockIdx.x] = sum == 0.0F ? 0.0F : 1.0F / sqrtf(sum);
}

}  // namespace

void rowNorm(const Context& context, const RowNormArgs& args) {
    if (args.x.dtype != DType::F32) failDtype("row_norm", args.x.dtype);
    const auto* x = args.x.as<float>();
    const int64_t columns = args.x.shape[1];
    launch(streamOf(context), {static_cast<unsigned>(args.x.shape[0]), kThreads},
           canPack<float>(columns, x) ? rowNormKernel<4> : rowNormKernel<1>, x, columns, args.inverse.as<float>());
}

}  // namespace wb::kernels::cuda
