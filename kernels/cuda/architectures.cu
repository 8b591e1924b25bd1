// SPDX-License-Identifier: Apache-2.0
// Which GPUs this plugin has code for: the compiler's list, and the runtime's word that a kernel has an image.
#include "kernels/cuda/architectures.h"

#include <cuda_runtime.h>

#include <cstddef>

namespace wb::kernels::cuda {
namespace {

__global__ void doNothing() {}

constexpr int kTenfold[] = {__CUDA_ARCH_LIST__};  // 800, 900
constexpr size_t kCount = sizeof(kTenfold) / sizeof(int);

struct Capabilities {
    int values[kCount];
};

constexpr Capabilities capabilities() {
    Capabilities made{};
    for (size_t i = 0; i < kCount; ++i) made.values[i] = kTenfold[i] / 10;
    return made;
}

constexpr Capabilities kBuilt = capabilities();

}  // namespace

std::span<const int> builtArchitectures() {
    return kBuilt.values;
}

bool hasKernelsForDevice() {
    cudaFuncAttributes attributes{};
    const bool isFound = cudaFuncGetAttributes(&attributes, doNothing) == cudaSuccess;
    if (!isFound) cudaGetLastError();  // the failure is answered; later checks must not see it
    return isFound;
}

}  // namespace wb::kernels::cuda
