// SPDX-License-Identifier: Apache-2.0
// More live values than a thread of so large a block has registers: what packaging/check_cuda_spills.sh must notice.

template <int kCount>
__global__ void __launch_bounds__(1024, 2) crowded(float* data) {
    float values[kCount];
    for (int i = 0; i < kCount; ++i) values[i] = data[threadIdx.x * kCount + i];
#pragma unroll
    for (int round = 0; round < kCount; ++round) {
#pragma unroll
        for (int i = 0; i < kCount; ++i) values[i] = values[i] * values[(i * 7 + round) % kCount] + values[round];
    }
    for (int i = 0; i < kCount; ++i) data[threadIdx.x * kCount + i] = values[i];
}

template __global__ void crowded<64>(float*);
