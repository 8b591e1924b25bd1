// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/gemv.h"

#include "kernels/cpu/parallel.h"

#include <atomic>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/gemv.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h

#include <hwy/cache_control.h>

#include "kernels/cpu/simd_inl.h"

HWY_BEFORE_NAMESPACE();
namespace wb::kernels::cpu::HWY_NAMESPACE {
namespace {

// Weight rows read side by side. They lie a quarter of the range apart, so that the hardware follows four long streams
// instead of starting on a short row again and again: 58 instead of 50 GB/s from the last-level cache.
constexpr size_t kStreams = 4;
// Bytes read ahead in each stream; the hardware stops at the end of a page.
constexpr size_t kReadAhead = 1024;
// Rows of x side by side: what the registers hold.
constexpr size_t kMaxRows = hn::MaxLanes(FloatTag()) >= 16 ? 4 : 2;

// Two vectors of consecutive elements: the halves of a float range, or the even and the odd ones of a BF16 range, which
// widen with one operation each. Both operands of a product come in the same order.
struct VecPair {
    FloatVec a;
    FloatVec b;
};

HWY_INLINE VecPair widenPairs(hn::Vec<hn::RebindToUnsigned<FloatTag>> pairs) {
    const FloatTag d;
    const hn::RebindToUnsigned<FloatTag> du;
    return {hn::BitCast(d, hn::ShiftLeft<16>(pairs)), hn::BitCast(d, hn::And(pairs, hn::Set(du, 0xffff0000U)))};
}

HWY_INLINE VecPair loadPair(const float* p, Full /*part*/) {
    const FloatTag d;
    return {hn::LoadU(d, p), hn::LoadU(d, p + hn::Lanes(d))};
}
HWY_INLINE VecPair loadPair(const BFloat16* p, Full /*part*/) {
    const hn::RebindToUnsigned<FloatTag> du;
    return widenPairs(hn::LoadU(du, reinterpret_cast<const uint32_t*>(p)));
}
// One vector's worth is common: the rank of an adapter.
HWY_INLINE VecPair loadPair(const float* p, Part part) {
    const FloatTag d;
    const size_t lanes = hn::Lanes(d);
    if (part.count < lanes) return {load(d, p, part), hn::Zero(d)};
    if (part.count == lanes) return {hn::LoadU(d, p), hn::Zero(d)};
    return {hn::LoadU(d, p), load(d, p + lanes, Part{part.count - lanes})};
}
HWY_INLINE VecPair loadPair(const BFloat16* p, Part part) {
    const hn::RebindToUnsigned<FloatTag> du;
#if HWY_TARGET != HWY_SCALAR
    if (part.count == hn::Lanes(du)) {
        const hn::Half<decltype(du)> half;
        return widenPairs(hn::ZeroExtendVector(du, hn::LoadU(half, reinterpret_cast<const uint32_t*>(p))));
    }
#endif
    HWY_ALIGN uint16_t lanes[2 * kMaxLanes] = {};
    std::memcpy(lanes, p, part.count * sizeof(uint16_t));
    return widenPairs(hn::Load(du, reinterpret_cast<const uint32_t*>(lanes)));
}

HWY_INLINE FloatVec multiplyAdd(const VecPair& x, const VecPair& w, FloatVec sum) {
    return hn::MulAdd(x.b, w.b, hn::MulAdd(x.a, w.a, sum));
}

// The sums of the lanes of four vectors.
#if HWY_TARGET == HWY_SCALAR
HWY_INLINE void storeSums(FloatVec v0, FloatVec v1, FloatVec v2, FloatVec v3, float* out) {
    const FloatTag d;
    hn::StoreU(v0, d, out);
    hn::StoreU(v1, d, out + 1);
    hn::StoreU(v2, d, out + 2);
    hn::StoreU(v3, d, out + 3);
}
#else
using Quad = hn::Vec<hn::FixedTag<float, 4>>;

// Lane sums modulo 4.
template <class D>
HWY_INLINE Quad foldToQuad(D d, hn::Vec<D> v) {
    if constexpr (hn::MaxLanes(D()) == 4) {
        return v;
    } else {
        const hn::Half<D> half;
        return foldToQuad(half, hn::Add(hn::LowerHalf(half, v), hn::UpperHalf(half, v)));
    }
}

HWY_INLINE void storeSums(FloatVec v0, FloatVec v1, FloatVec v2, FloatVec v3, float* out) {
    const FloatTag d;
    const hn::FixedTag<float, 4> quad;
    const auto transposedAdd = [&](Quad a, Quad b) HWY_ATTR {
        return hn::Add(hn::InterleaveLower(quad, a, b), hn::InterleaveUpper(quad, a, b));
    };
    const Quad low = transposedAdd(foldToQuad(d, v0), foldToQuad(d, v1));
    const Quad high = transposedAdd(foldToQuad(d, v2), foldToQuad(d, v3));
    hn::StoreU(hn::Add(hn::ConcatLowerLower(quad, high, low), hn::ConcatUpperUpper(quad, high, low)), quad, out);
}
#endif

template <class T>
HWY_INLINE void readAhead(const T* w) {
    const size_t bytes = 2 * hn::Lanes(FloatTag()) * sizeof(T);
    const auto* ahead = reinterpret_cast<const char*>(w) + kReadAhead;
    hwy::Prefetch(ahead);
    if (bytes > 64) hwy::Prefetch(ahead + 64);
}

// Named members and forced inlining: the compiler keeps arrays of vectors, and what a call might see, in memory.
struct Sums {
    FloatVec s0, s1, s2, s3;
};

template <class T>
struct FourRows {
    const T* first;
    size_t apart;  // elements from one row to the next
};

template <size_t kRows, class T, class Range>
HWY_INLINE void advance(FourRows<T> w, const T* x, size_t count, size_t i, Range part, Sums& a, Sums& b, Sums& c,
                        Sums& e) {
    const T* row = w.first + i;
    readAhead(row);
    readAhead(row + w.apart);
    readAhead(row + 2 * w.apart);
    readAhead(row + 3 * w.apart);
    const VecPair w0 = loadPair(row, part);
    const VecPair w1 = loadPair(row + w.apart, part);
    const VecPair w2 = loadPair(row + 2 * w.apart, part);
    const VecPair w3 = loadPair(row + 3 * w.apart, part);
    const auto add = [&](size_t r, Sums & s) HWY_ATTR __attribute__((always_inline)) {
        const VecPair v = loadPair(x + r * count + i, part);
        s = {multiplyAdd(v, w0, s.s0), multiplyAdd(v, w1, s.s1), multiplyAdd(v, w2, s.s2), multiplyAdd(v, w3, s.s3)};
    };
    add(0, a);
    if constexpr (kRows > 1) add(1, b);
    if constexpr (kRows > 2) add(2, c);
    if constexpr (kRows > 3) add(3, e);
}

// sums[r][j]: row r of x times weight row j.
template <size_t kRows, class T>
HWY_INLINE void multiplyRows(FourRows<T> w, const T* x, size_t count, float (*sums)[kStreams]) {
    const FloatTag d;
    const FloatVec zero = hn::Zero(d);
    const size_t step = 2 * hn::Lanes(d);
    Sums a{zero, zero, zero, zero};
    Sums b = a;
    Sums c = a;
    Sums e = a;
    size_t i = 0;
    for (; i + step <= count; i += step) advance<kRows>(w, x, count, i, Full{}, a, b, c, e);
    if (i < count) advance<kRows>(w, x, count, i, Part{count - i}, a, b, c, e);
    storeSums(a.s0, a.s1, a.s2, a.s3, sums[0]);
    if constexpr (kRows > 1) storeSums(b.s0, b.s1, b.s2, b.s3, sums[1]);
    if constexpr (kRows > 2) storeSums(c.s0, c.s1, c.s2, c.s3, sums[2]);
    if constexpr (kRows > 3) storeSums(e.s0, e.s1, e.s2, e.s3, sums[3]);
}

// Outputs first + j * apart of row `row`.
template <class In, class Out>
void finish(const LinearPart& p, size_t row, size_t first, size_t apart, size_t count, const float* sums) {
    const auto outputs = static_cast<size_t>(p.weight.shape[0]);
    Out* out = p.out.as<Out>() + row * outputs;
    for (size_t j = 0; j < count; ++j) {
        const size_t o = first + j * apart;
        float value = p.alpha * sums[j];
        if (p.bias.isPresent()) value += static_cast<float>(p.bias.as<In>()[o]);
        if (p.write == Write::Add) value += static_cast<float>(out[o]);
        out[o] = Out(value);
    }
}

// `used` of the outputs first + j * apart, all rows.
template <class In, class Out>
void outputsOfStreams(const ConstView& x, const LinearPart& p, size_t first, size_t apart, size_t used) {
    const auto rows = static_cast<size_t>(x.shape[0]);
    const auto count = static_cast<size_t>(x.shape[1]);
    const FourRows<In> w{p.weight.as<In>() + first * count, apart * count};
    float sums[kMaxRows][kStreams];
    for (size_t t = 0; t < rows; t += kMaxRows) {
        const size_t group = std::min(kMaxRows, rows - t);
        const In* v = x.as<In>() + t * count;
        switch (group) {
            case 1: multiplyRows<1>(w, v, count, sums); break;
            case 2: multiplyRows<2>(w, v, count, sums); break;
            case 3: multiplyRows<std::min<size_t>(3, kMaxRows)>(w, v, count, sums); break;
            default: multiplyRows<kMaxRows>(w, v, count, sums);
        }
        for (size_t r = 0; r < group; ++r) finish<In, Out>(p, t + r, first, apart, used, sums[r]);
    }
}

// Outputs [begin, end) of all rows.
template <class In, class Out>
void outputRange(const ConstView& x, const LinearPart& p, size_t begin, size_t end) {
    const size_t apart = (end - begin) / kStreams;
    for (size_t o = begin; o < begin + apart; ++o) outputsOfStreams<In, Out>(x, p, o, apart, kStreams);
    for (size_t o = begin + kStreams * apart; o < end; ++o) outputsOfStreams<In, Out>(x, p, o, 0, 1);
}

}  // namespace

// The deltas are left out.
void GemvRange(const ConstView& x, const LinearPart& p, int64_t begin, int64_t end) {
    const auto first = static_cast<size_t>(begin);
    const auto last = static_cast<size_t>(end);
    if (x.dtype == DType::F32) {
        outputRange<float, float>(x, p, first, last);
    } else if (p.out.dtype == DType::F32) {
        outputRange<BFloat16, float>(x, p, first, last);
    } else {
        outputRange<BFloat16, BFloat16>(x, p, first, last);
    }
}

}  // namespace wb::kernels::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace wb::kernels::cpu {
namespace {

HWY_EXPORT(GemvRange);

// Outputs are dealt in whole cache lines.
constexpr int64_t kStrip = 32;

// Outputs [begin, end) of one part.
struct Chunk {
    const LinearPart* part = nullptr;
    int64_t begin = 0;
    int64_t end = 0;
};

// The strips of all parts, handed out in pieces that shrink with what is left: one core of two is often a little late,
// and waiting for it cost a tenth of a decoded token. Which thread computes an output does not change its bits.
class Chunks {
public:
    Chunks(std::span<const LinearPart> parts, int threads) : m_parts(parts), m_threads(threads) {
        for (const LinearPart& part : parts) m_count += stripsOf(part);
    }

    // False when everything has been claimed.
    bool claim(Chunk& chunk) {
        int64_t strip = m_next.load(std::memory_order_relaxed);
        int64_t end = 0;
        do {
            if (strip >= m_count) return false;
            end = endOfChunk(strip, chunk);
        } while (!m_next.compare_exchange_weak(strip, end, std::memory_order_relaxed));
        return true;
    }

private:
    static int64_t stripsOf(const LinearPart& part) { return (part.weight.shape[0] + kStrip - 1) / kStrip; }

    // The strip behind the chunk that begins at `strip`; a chunk lies in one part.
    int64_t endOfChunk(int64_t strip, Chunk& chunk) const {
        const LinearPart* part = m_parts.data();
        int64_t first = 0;
        for (; strip >= first + stripsOf(*part); ++part) first += stripsOf(*part);
        const int64_t left = m_count - strip;
        const int64_t wanted = m_threads == 1 ? left : std::max<int64_t>(1, left / (2 * m_threads));
        const int64_t end = std::min(strip + wanted, first + stripsOf(*part));
        chunk = {part, (strip - first) * kStrip, std::min((end - first) * kStrip, part->weight.shape[0])};
        return end;
    }

    std::span<const LinearPart> m_parts;
    int m_threads;
    int64_t m_count = 0;
    std::atomic<int64_t> m_next{0};
};

void lowRows(const ConstView& x, const LinearPart& part, int thread, int threads) {
    for (const LinearDelta& delta : part.deltas) {
        const LinearPart low{delta.a, {}, delta.low};
        const int64_t rank = delta.a.shape[0];
        const int64_t begin = rank * thread / threads;
        const int64_t end = rank * (thread + 1) / threads;
        HWY_DYNAMIC_DISPATCH(GemvRange)(rowsOf(x, delta.begin, delta.end), low, begin, end);
    }
}

void outputs(const ConstView& x, const Chunk& chunk) {
    const LinearPart& part = *chunk.part;
    HWY_DYNAMIC_DISPATCH(GemvRange)(x, part, chunk.begin, chunk.end);
    for (const LinearDelta& delta : part.deltas) {
        const View rows = rowsOf(part.out, delta.begin, delta.end);
        const LinearPart added{delta.b, {}, rows, delta.scale, Write::Add};
        HWY_DYNAMIC_DISPATCH(GemvRange)(delta.low, added, chunk.begin, chunk.end);
    }
}

}  // namespace

void gemv(const Context& context, const ConstView& x, std::span<const LinearPart> parts) {
    int64_t work = 0;
    bool hasDeltas = false;
    for (const LinearPart& part : parts) {
        work += part.weight.shape.count() * x.shape[0];
        hasDeltas = hasDeltas || !part.deltas.empty();
    }
    const int threads =
        static_cast<int>(std::clamp<int64_t>(work / kParallelGrain, 1, std::max(1, context.numThreads)));
    Chunks chunks(parts, threads);
#pragma omp parallel num_threads(threads) if (threads > 1)
    {
        if (hasDeltas) {
            for (const LinearPart& part : parts) lowRows(x, part, omp_get_thread_num(), omp_get_num_threads());
#pragma omp barrier
        }
        for (Chunk chunk; chunks.claim(chunk);) outputs(x, chunk);
    }
}

}  // namespace wb::kernels::cpu
#endif  // HWY_ONCE
