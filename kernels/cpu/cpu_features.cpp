// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/cpu_features.h"

#include "kernels/base/error.h"

#include <cpuid.h>
#include <fmt/format.h>
#include <hwy/highway.h>
#include <hwy/targets.h>
#include <array>
#include <cstdlib>
#include <cstring>
#include <dnnl.hpp>
#include <string_view>

namespace wb::kernels::cpu {
namespace {

std::string processorName() {
    std::array<unsigned, 12> words{};
    for (unsigned i = 0; i < 3; ++i) {
        unsigned* w = &words[4 * i];
        if (__get_cpuid(0x80000002U + i, &w[0], &w[1], &w[2], &w[3]) == 0) return "unknown";
    }
    std::array<char, sizeof(words) + 1> text{};
    std::memcpy(text.data(), words.data(), sizeof(words));
    std::string name(text.data());
    while (!name.empty() && name.back() == ' ') name.pop_back();
    const size_t first = name.find_first_not_of(' ');
    return first == std::string::npos ? "unknown" : name.substr(first);
}

void applyCap(std::string_view cap) {
    constexpr int64_t kAvx512 = HWY_AVX3 | HWY_AVX3_DL;
    if (cap == "sse4") {
        hwy::DisableTargets(kAvx512 | HWY_AVX2);
        dnnl::set_max_cpu_isa(dnnl::cpu_isa::sse41);
    } else if (cap == "avx2") {
        hwy::DisableTargets(kAvx512);
        dnnl::set_max_cpu_isa(dnnl::cpu_isa::avx2);
    } else if (cap == "avx512") {
        dnnl::set_max_cpu_isa(dnnl::cpu_isa::avx512_core);
    } else if (cap == "avx512_bf16") {
        dnnl::set_max_cpu_isa(dnnl::cpu_isa::avx512_core_bf16);
    } else {
        throw Error{
            ErrorCode::InvalidArgument,
            fmt::format("WHETBENCH_ISA is '{}', expected sse4, avx2, avx512 or avx512_bf16; unset it to use all", cap)};
    }
}

// The 256-bit form, which desktops without AVX-512 have; oneDNN does not tell of it where there is more.
bool processorHasAvxVnni() {
    std::array<unsigned, 4> w{};
    return __get_cpuid_count(7, 1, &w[0], &w[1], &w[2], &w[3]) != 0 && (w[0] & (1U << 4)) != 0;
}

bool includes(dnnl::cpu_isa have, dnnl::cpu_isa wanted) {
    return (static_cast<unsigned>(have) & static_cast<unsigned>(wanted)) == static_cast<unsigned>(wanted);
}

// Intel's cores give the BF16 dot product a quarter of the rate at which they issue F32 multiply-adds (measured 187
// against 383 GFLOP/s), AMD's the same rate: twice the arithmetic. The user may ask for it all the same.
bool hasFastDot(dnnl::cpu_isa isa, std::string_view cap) {
    unsigned leaf = 0;
    unsigned b = 0;
    unsigned c = 0;
    unsigned d = 0;
    const bool isIntel = __get_cpuid(0, &leaf, &b, &c, &d) != 0 && b == signature_INTEL_ebx;
    return includes(isa, dnnl::cpu_isa::avx512_core_bf16) && (!isIntel || cap == "avx512_bf16");
}

CpuFeatures detect() {
    const char* variable = std::getenv("WHETBENCH_ISA");
    const std::string_view cap = variable == nullptr ? "" : variable;
    if (!cap.empty()) applyCap(cap);
    CpuFeatures features;
    features.model = processorName();
    // oneDNN knows which instruction sets the operating system enabled, and the cap.
    const dnnl::cpu_isa isa = dnnl::get_effective_cpu_isa();
    features.hasFastBf16Dot = hasFastDot(isa, cap);
    // AMX is fast wherever it exists.
    features.hasNativeBf16 = features.hasFastBf16Dot || includes(isa, dnnl::cpu_isa::avx512_core_amx);
    features.hasAvx512Vnni = includes(isa, dnnl::cpu_isa::avx512_core_vnni);
    features.hasAvx2 = includes(isa, dnnl::cpu_isa::avx2);
    features.hasAvxVnni = features.hasAvx2 && cap.empty() && processorHasAvxVnni();
    features.isa = includes(isa, dnnl::cpu_isa::avx512_core_amx)    ? "amx_bf16"
                   : includes(isa, dnnl::cpu_isa::avx512_core_bf16) ? "avx512_bf16"
                   : includes(isa, dnnl::cpu_isa::avx512_core)      ? "avx512"
                   : includes(isa, dnnl::cpu_isa::avx2)             ? "avx2"
                                                                    : "sse4";
    return features;
}

}  // namespace

const CpuFeatures& cpuFeatures() {
    static const CpuFeatures features = detect();
    return features;
}

}  // namespace wb::kernels::cpu
