// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace wb::kernels::cpu {

// What this processor offers and the engine may use: the environment variable WHETBENCH_ISA ("sse4", "avx2", "avx512",
// "avx512_bf16") lowers it for our kernels and for oneDNN alike, which is how the paths of other machines are tested.
// The last uses BF16 products wherever the processor has them, even where F32 is faster.
struct CpuFeatures {
    std::string model;            // as the processor calls itself
    std::string isa;              // "sse4", "avx2", "avx512", "avx512_bf16", "amx_bf16": the best that is used
    bool hasNativeBf16 = false;   // bf16 products run faster than f32 ones
    bool hasFastBf16Dot = false;  // and so does the dot product of AVX512_BF16, without AMX
    bool hasAvx512Vnni = false;   // dot products of bytes, 16 and 8 lanes wide
    bool hasAvxVnni = false;
    bool hasAvx2 = false;  // with FMA and F16C
};

// Detected once; the first call also applies the cap, so it must come before the first kernel (cpuOpTable() sees to
// it). Throws InvalidArgument if WHETBENCH_ISA holds another word. Thread-safe.
const CpuFeatures& cpuFeatures();

}  // namespace wb::kernels::cpu
