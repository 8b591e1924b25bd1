// SPDX-License-Identifier: Apache-2.0
// The instructions that C++ has no name for. The one file with inline assembly; every other file of this folder also
// compiles for the emulated GPU of the tests, which brings its own version of this one.
//
// Fragments of m16n8k16 (PTX ISA, "Matrix Fragments for mma.m16n8k16"), for lane l, g = l / 4, t = l % 4:
//   a[0] rows g,   columns 2t, 2t+1      a[2] rows g,   columns 2t+8, 2t+9
//   a[1] rows g+8, columns 2t, 2t+1      a[3] rows g+8, columns 2t+8, 2t+9
//   b[0] rows 2t, 2t+1 of column g       b[1] rows 2t+8, 2t+9 of column g
//   c[0], c[1] row g, columns 2t, 2t+1   c[2], c[3] row g+8, columns 2t, 2t+1
#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime.h>

#include <cstdint>

namespace wb::kernels::cuda {

// The shared memory whose size the launch gives; at least 16-byte aligned.
template <class T>
__device__ inline T* dynamicShared() {
    extern __shared__ __align__(128) unsigned char wbDynamicShared[];
    return reinterpret_cast<T*>(wbDynamicShared);
}

__device__ inline uint32_t sharedAddress(const void* pointer) {
    return static_cast<uint32_t>(__cvta_generic_to_shared(pointer));
}

// x, about which the compiler learns nothing: what follows from it is computed where it is used, not ahead of a loop
// and kept in registers that the loop needs.
__device__ inline int computedHere(int x) {
    int result;
    asm volatile("mov.b32 %0, %1;" : "=r"(result) : "r"(x));
    return result;
}

// 2^x with a relative error below 2^-22; -infinity gives 0.
__device__ inline float exp2Approximately(float x) {
    float result;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(result) : "f"(x));
    return result;
}

// Sixteen bytes from global to shared memory behind the thread's back; zeros if the source is not `present`.
__device__ inline void copyAsync16(void* shared, const void* global, bool present = true) {
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(sharedAddress(shared)), "l"(global),
                 "r"(present ? 16 : 0)
                 : "memory");
}
// Four bytes, as above.
__device__ inline void copyAsync4(void* shared, const void* global, bool present = true) {
    asm volatile("cp.async.ca.shared.global [%0], [%1], 4, %2;" ::"r"(sharedAddress(shared)), "l"(global),
                 "r"(present ? 4 : 0)
                 : "memory");
}
// Closes a group of copies.
__device__ inline void commitCopies() {
    asm volatile("cp.async.commit_group;" ::: "memory");
}
// Waits until at most kInFlight of the thread's groups are still on their way. Others see them after a barrier.
template <int kInFlight>
__device__ inline void waitForCopies() {
    asm volatile("cp.async.wait_group %0;" ::"n"(kInFlight) : "memory");
}

// Four 8 x 8 matrices of 16-bit elements: lane 8 i + r names row r (16 bytes, aligned) of matrix i in shared memory;
// out[i] holds elements 2t, 2t+1 of row g of matrix i.
__device__ inline void loadMatrices(uint32_t (&out)[4], const void* row) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(out[0]), "=r"(out[1]), "=r"(out[2]), "=r"(out[3])
                 : "r"(sharedAddress(row))
                 : "memory");
}
// The same matrices transposed: out[i] holds elements g of rows 2t, 2t+1.
__device__ inline void loadMatricesTransposed(uint32_t (&out)[4], const void* row) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(out[0]), "=r"(out[1]), "=r"(out[2]), "=r"(out[3])
                 : "r"(sharedAddress(row))
                 : "memory");
}

// c += a b for a 16 x 16, b 16 x 8, c 16 x 8 over the warp; T: __nv_bfloat16 or __half.
template <class T>
__device__ inline void multiplyAdd(float (&c)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1);

template <>
__device__ inline void multiplyAdd<__nv_bfloat16>(float (&c)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
    asm volatile(
        "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
        "{%0, %1, %2, %3};"
        : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}
template <>
__device__ inline void multiplyAdd<__half>(float (&c)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
    asm volatile(
        "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
        "{%0, %1, %2, %3};"
        : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

// Two neighbouring elements in one register, `first` at the lower address.
template <class T>
__device__ inline uint32_t packPair(float first, float second);
template <>
__device__ inline uint32_t packPair<__nv_bfloat16>(float first, float second) {
    const __nv_bfloat162 pair = __floats2bfloat162_rn(first, second);
    return reinterpret_cast<const uint32_t&>(pair);
}
template <>
__device__ inline uint32_t packPair<__half>(float first, float second) {
    const __half2 pair = __floats2half2_rn(first, second);
    return reinterpret_cast<const uint32_t&>(pair);
}

// Two BF16 numbers minus two others.
__device__ inline uint32_t subtractBf16Pairs(uint32_t a, uint32_t b) {
    const __nv_bfloat162 difference =
        __hsub2(reinterpret_cast<const __nv_bfloat162&>(a), reinterpret_cast<const __nv_bfloat162&>(b));
    return reinterpret_cast<const uint32_t&>(difference);
}

// Barrier `id` (1 .. 15; 0 is that of __syncthreads) for `threads` threads of the block, a multiple of 32.
__device__ inline void waitAtBarrier(int id, int threads) {
    asm volatile("bar.sync %0, %1;" ::"r"(id), "r"(threads) : "memory");
}

}  // namespace wb::kernels::cuda
