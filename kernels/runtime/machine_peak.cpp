// SPDX-License-Identifier: Apache-2.0
#include "kernels/runtime/machine_peak.h"

#include "kernels/base/error.h"
#include "kernels/base/float_formats.h"
#include "kernels/cpu/cpu_features.h"
#include "kernels/cpu/gemm_onednn.h"
#include "kernels/runtime/runtime.h"

#include <fmt/format.h>
#include <omp.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif
#include <algorithm>
#include <chrono>
#include <exception>
#include <memory>
#include <vector>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/runtime/machine_peak.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h

#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace wb::kernels::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

// Independent sums enough to keep two multiply-add units with a latency of four busy; all fit the 16 registers of AVX2.
constexpr size_t kNumSums = 12;

// Runs `iterations` of 12 multiply-adds and says how many operations that were; `sink` keeps them from being removed.
double MultiplyAdds(size_t iterations, float& sink) {
    const hn::ScalableTag<float> d;
    const auto a = hn::Set(d, 0.999F);
    const auto b = hn::Set(d, 0.001F);
    // Different starts: equal sums would be computed once.
    const auto start = [&](int k) HWY_ATTR { return hn::Set(d, sink + static_cast<float>(k)); };
    auto s0 = start(0), s1 = start(1), s2 = start(2), s3 = start(3), s4 = start(4), s5 = start(5), s6 = start(6),
         s7 = start(7), s8 = start(8), s9 = start(9), s10 = start(10), s11 = start(11);
    for (size_t i = 0; i < iterations; ++i) {
        s0 = hn::MulAdd(s0, a, b);
        s1 = hn::MulAdd(s1, a, b);
        s2 = hn::MulAdd(s2, a, b);
        s3 = hn::MulAdd(s3, a, b);
        s4 = hn::MulAdd(s4, a, b);
        s5 = hn::MulAdd(s5, a, b);
        s6 = hn::MulAdd(s6, a, b);
        s7 = hn::MulAdd(s7, a, b);
        s8 = hn::MulAdd(s8, a, b);
        s9 = hn::MulAdd(s9, a, b);
        s10 = hn::MulAdd(s10, a, b);
        s11 = hn::MulAdd(s11, a, b);
    }
    const auto sum =
        hn::Add(hn::Add(hn::Add(s0, s1), hn::Add(s2, s3)),
                hn::Add(hn::Add(hn::Add(s4, s5), hn::Add(s6, s7)), hn::Add(hn::Add(s8, s9), hn::Add(s10, s11))));
    sink = hn::GetLane(hn::SumOfLanes(d, sum));
    return 2.0 * static_cast<double>(kNumSums * hn::Lanes(d) * iterations);
}

float SumOf(const float* data, size_t count) {
    const hn::ScalableTag<float> d;
    const size_t lanes = hn::Lanes(d);
    auto s0 = hn::Zero(d), s1 = s0, s2 = s0, s3 = s0;
    for (size_t i = 0; i + 4 * lanes <= count; i += 4 * lanes) {
        s0 = hn::Add(s0, hn::LoadU(d, data + i));
        s1 = hn::Add(s1, hn::LoadU(d, data + i + lanes));
        s2 = hn::Add(s2, hn::LoadU(d, data + i + 2 * lanes));
        s3 = hn::Add(s3, hn::LoadU(d, data + i + 3 * lanes));
    }
    return hn::GetLane(hn::SumOfLanes(d, hn::Add(hn::Add(s0, s1), hn::Add(s2, s3))));
}

}  // namespace wb::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace wb::kernels {

HWY_EXPORT(MultiplyAdds);
HWY_EXPORT(SumOf);

namespace {

using Clock = std::chrono::steady_clock;

// Short enough that most windows fall into one time slice of the scheduler.
constexpr size_t kFmaIterations = 400'000;
constexpr int kFmaWindows = 60;
constexpr size_t kMemoryBytes = size_t{128} << 20;  // four times the last-level cache of a large desktop
constexpr int kMemoryPasses = 20;
constexpr int kProductRepeats = 100;

double secondsSince(Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
}

#if defined(__x86_64__)
// The same with products of bytes; no portable code has the instruction.
__attribute__((target("avx512f,avx512vnni"))) double byteProducts(size_t iterations, float& sink) {
    const __m512i a = _mm512_set1_epi8(1);
    const __m512i b = _mm512_set1_epi8(static_cast<char>(sink));
    __m512i s0 = a, s1 = a, s2 = a, s3 = a, s4 = a, s5 = a, s6 = a, s7 = a, s8 = a, s9 = a, s10 = a, s11 = a;
    for (size_t i = 0; i < iterations; ++i) {
        s0 = _mm512_dpbusd_epi32(s0, a, b);
        s1 = _mm512_dpbusd_epi32(s1, a, b);
        s2 = _mm512_dpbusd_epi32(s2, a, b);
        s3 = _mm512_dpbusd_epi32(s3, a, b);
        s4 = _mm512_dpbusd_epi32(s4, a, b);
        s5 = _mm512_dpbusd_epi32(s5, a, b);
        s6 = _mm512_dpbusd_epi32(s6, a, b);
        s7 = _mm512_dpbusd_epi32(s7, a, b);
        s8 = _mm512_dpbusd_epi32(s8, a, b);
        s9 = _mm512_dpbusd_epi32(s9, a, b);
        s10 = _mm512_dpbusd_epi32(s10, a, b);
        s11 = _mm512_dpbusd_epi32(s11, a, b);
        // Each sum stays a value of its own: equal ones would be computed once.
        asm volatile("" : "+v"(s0), "+v"(s1), "+v"(s2), "+v"(s3), "+v"(s4), "+v"(s5));
        asm volatile("" : "+v"(s6), "+v"(s7), "+v"(s8), "+v"(s9), "+v"(s10), "+v"(s11));
    }
    sink = 1.0F;
    constexpr double kBytes = 64;
    return 2.0 * kBytes * 12 * static_cast<double>(iterations);
}
#endif

// Sum over threads of each one's best window, while all run.
template <class Work>
double bestRate(int threads, const Work& work) {
    std::vector<double> best(static_cast<size_t>(threads), 0.0);
#pragma omp parallel num_threads(threads)
    {
        float sink = 1.0F;
        double rate = 0;
        for (int window = 0; window < kFmaWindows; ++window) {
            const auto start = Clock::now();
            const double operations = work(kFmaIterations, sink);
            rate = std::max(rate, operations / secondsSince(start));
        }
        // The sum is never negative; the test keeps it alive.
        best[static_cast<size_t>(omp_get_thread_num())] = sink >= 0 ? rate : 0;
    }
    double total = 0;
    for (const double rate : best) total += rate;
    return total;
}

// One thread's best rate of a product that fits its caches: no portable code comes closer to the instruction's own.
double bf16ProductRateOfThread() {
    constexpr int64_t kSize = 384;
    std::vector<BFloat16> a(kSize * kSize, BFloat16(0.5F));
    std::vector<BFloat16> b(kSize * kSize, BFloat16(0.25F));
    std::vector<float> c(kSize * kSize);
    const cpu::GemmProblem problem{.m = kSize,
                                   .n = kSize,
                                   .k = kSize,
                                   .a = a.data(),
                                   .strideA = kSize,
                                   .b = b.data(),
                                   .strideB = kSize,
                                   .c = c.data(),
                                   .strideC = kSize,
                                   .inputs = DType::BF16,
                                   .numThreads = 1};
    double best = 0;
    for (int repeat = 0; repeat < kProductRepeats; ++repeat) {
        const auto start = Clock::now();
        cpu::gemmOneDnn(problem);
        best = std::max(best, 2.0 * kSize * kSize * kSize / secondsSince(start));
    }
    return best;
}

// Sum over threads, each with a product of its own, so that none waits for another.
double bf16ProductRate(int threads) {
    if (!cpu::cpuFeatures().hasNativeBf16) return 0;
    double total = 0;
#pragma omp parallel num_threads(threads) reduction(+ : total)
    {
        try {
            total += bf16ProductRateOfThread();
        } catch (const std::exception&) {
            total += 0;  // a thread that gets no memory adds nothing; nothing may leave the team
        }
    }
    return total;
}

double multiplyAddRate(int threads) {
    return bestRate(
        threads, [](size_t iterations, float& sink) { return HWY_DYNAMIC_DISPATCH(MultiplyAdds)(iterations, sink); });
}

double byteProductRate(int threads) {
#if defined(__x86_64__)
    const bool isAllowed = cpu::cpuFeatures().isa.starts_with("avx512") || cpu::cpuFeatures().isa.starts_with("amx");
    if (isAllowed && __builtin_cpu_supports("avx512vnni")) return bestRate(threads, byteProducts);
#endif
    static_cast<void>(threads);
    return 0;
}

}  // namespace

double measureReadRate(int numThreads, size_t bytes) {
    const size_t count = bytes / sizeof(float);
    const std::unique_ptr<MemorySource> source = makeCpuMemorySource();
    void* memory = source->allocate(bytes);
    if (memory == nullptr) {
        throw Error{ErrorCode::OutOfMemory,
                    fmt::format("measuring the memory needs {} MiB, which this machine cannot give now", bytes >> 20)};
    }
    auto* data = static_cast<float*>(memory);
    double best = 0;
    float sum = 0;
    for (int pass = 0; pass <= kMemoryPasses; ++pass) {
        const auto start = Clock::now();
#pragma omp parallel num_threads(numThreads) reduction(+ : sum)
        {
            const auto part = static_cast<size_t>(omp_get_thread_num());
            const auto parts = static_cast<size_t>(omp_get_num_threads());
            const size_t begin = count * part / parts;
            const size_t end = count * (part + 1) / parts;
            if (pass == 0) {
                std::fill(data + begin, data + end, 1.0F);  // touches each page on the thread that reads it
            } else {
                sum += HWY_DYNAMIC_DISPATCH(SumOf)(data + begin, end - begin);
            }
        }
        if (pass > 0) best = std::max(best, static_cast<double>(bytes) / secondsSince(start));
    }
    source->release(memory);
    return sum > 0 ? best : 0;
}

MachinePeak measureMachinePeak(int numThreads) {
    MachinePeak peak;
    const cpu::CpuFeatures& features = cpu::cpuFeatures();
    peak.cpu = features.model;
    peak.isa = features.isa;
    peak.threads = numThreads > 0 ? numThreads : availableThreads();
    peak.f32GflopsOneThread = multiplyAddRate(1) * 1e-9;
    peak.f32Gflops = peak.threads == 1 ? peak.f32GflopsOneThread : multiplyAddRate(peak.threads) * 1e-9;
    peak.bf16Gflops = bf16ProductRate(peak.threads) * 1e-9;
    peak.int8Gops = byteProductRate(peak.threads) * 1e-9;
    peak.memoryGbPerSecond = measureReadRate(peak.threads, kMemoryBytes) * 1e-9;
    return peak;
}

}  // namespace wb::kernels
#endif  // HWY_ONCE
