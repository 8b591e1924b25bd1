// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/gemm_onednn.h"

#include "kernels/base/error.h"
#include "kernels/base/float_formats.h"
#include "kernels/cpu/bf16_blocks.h"
#include "kernels/cpu/cpu_features.h"

#include <fmt/format.h>
#include <omp.h>
#include <algorithm>
#include <bit>
#include <dnnl.hpp>
#include <unordered_map>

namespace wb::kernels::cpu {
namespace {

using Tag = dnnl::memory::data_type;

// Tile of the fallback that widens BF16 panels: large enough for full GEMM speed, small enough for the L2/L3 caches.
constexpr int64_t kWidenTile = 512;
// Each entry holds generated code (some 10 KB). A run uses a few dozen shapes; beyond that start afresh.
constexpr size_t kMaxCachedPrimitives = 512;

struct ShapeKey {
    int64_t m, n, k, strideA, strideB, strideC;
    uint32_t flags;  // transposes, types, accumulate, bias
    uint32_t alphaBits;
    int32_t numThreads;

    bool operator==(const ShapeKey&) const = default;
};

struct ShapeKeyHash {
    size_t operator()(const ShapeKey& key) const {
        uint64_t hash = 1469598103934665603ULL;
        for (const int64_t value :
             {key.m, key.n, key.k, key.strideA, key.strideB, key.strideC, static_cast<int64_t>(key.flags),
              static_cast<int64_t>(key.alphaBits), static_cast<int64_t>(key.numThreads)}) {
            hash = (hash ^ static_cast<uint64_t>(value)) * 1099511628211ULL;
            hash ^= hash >> 29;
        }
        return hash;
    }
};

struct CachedPrimitive {
    dnnl::matmul primitive;
    dnnl::memory a, b, c, bias;
};

const dnnl::engine& cpuEngine() {
    static const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
    return engine;
}

Tag tagOf(DType dtype) {
    return dtype == DType::BF16 ? Tag::bf16 : Tag::f32;
}

dnnl::memory::desc matrixDesc(int64_t rows, int64_t columns, int64_t stride, bool isTransposed, DType dtype) {
    const dnnl::memory::dims strides = isTransposed ? dnnl::memory::dims{1, stride} : dnnl::memory::dims{stride, 1};
    return {{rows, columns}, tagOf(dtype), strides};
}

ShapeKey keyOf(const GemmProblem& p) {
    const uint32_t flags = (p.isTransposedA ? 1U : 0U) | (p.isTransposedB ? 2U : 0U) | (p.accumulates ? 4U : 0U) |
                           (p.bias != nullptr ? 8U : 0U) | (static_cast<uint32_t>(p.inputs) << 8) |
                           (static_cast<uint32_t>(p.output) << 16);
    return {p.m, p.n, p.k, p.strideA, p.strideB, p.strideC, flags, std::bit_cast<uint32_t>(p.alpha), p.numThreads};
}

CachedPrimitive create(const GemmProblem& p) {
    const auto a = matrixDesc(p.m, p.k, p.strideA, p.isTransposedA, p.inputs);
    const auto b = matrixDesc(p.k, p.n, p.strideB, p.isTransposedB, p.inputs);
    const auto c = matrixDesc(p.m, p.n, p.strideC, false, p.output);
    const dnnl::memory::desc bias({1, p.n}, tagOf(p.inputs), dnnl::memory::dims{p.n, 1});
    dnnl::primitive_attr attributes;
    if (p.alpha != 1.0F) attributes.set_output_scales(0, {p.alpha});
    dnnl::post_ops postOps;
    if (p.accumulates) postOps.append_sum(1.0F);
    if (p.bias != nullptr) postOps.append_binary(dnnl::algorithm::binary_add, bias);
    attributes.set_post_ops(postOps);
    const dnnl::engine& engine = cpuEngine();
    CachedPrimitive made;
    made.primitive = dnnl::matmul(dnnl::matmul::primitive_desc(dnnl::matmul::desc(a, b, c), attributes, engine));
    made.a = dnnl::memory(a, engine, nullptr);
    made.b = dnnl::memory(b, engine, nullptr);
    made.c = dnnl::memory(c, engine, nullptr);
    made.bias = dnnl::memory(bias, engine, nullptr);
    return made;
}

void multiply(const GemmProblem& p) {
    // One cache per calling thread: memory objects carry the pointers of the call in flight.
    thread_local std::unordered_map<ShapeKey, CachedPrimitive, ShapeKeyHash> cache;
    thread_local dnnl::stream stream(cpuEngine());
    const ShapeKey key = keyOf(p);
    // oneDNN generates code for the team it sees now.
    if (omp_get_max_threads() != p.numThreads) omp_set_num_threads(p.numThreads);
    try {
        auto found = cache.find(key);
        if (found == cache.end()) {
            if (cache.size() >= kMaxCachedPrimitives) cache.clear();
            found = cache.emplace(key, create(p)).first;
        }
        CachedPrimitive& entry = found->second;
        entry.a.set_data_handle(const_cast<void*>(p.a));
        entry.b.set_data_handle(const_cast<void*>(p.b));
        entry.c.set_data_handle(p.c);
        std::unordered_map<int, dnnl::memory> arguments{
            {DNNL_ARG_SRC, entry.a}, {DNNL_ARG_WEIGHTS, entry.b}, {DNNL_ARG_DST, entry.c}};
        if (p.bias != nullptr) {
            entry.bias.set_data_handle(const_cast<void*>(p.bias));
            arguments.emplace(DNNL_ARG_ATTR_MULTIPLE_POST_OP(p.accumulates ? 1 : 0) | DNNL_ARG_SRC_1, entry.bias);
        }
        entry.primitive.execute(stream, arguments);
        stream.wait();
    } catch (const dnnl::error& error) {
        throw Error{ErrorCode::Internal, fmt::format("matrix product {}x{}x{} failed in oneDNN: {} (status {})", p.m,
                                                     p.n, p.k, error.what(), static_cast<int>(error.status))};
    }
}

// The stored block that holds rows [first, first + count) of a matrix, or columns of its transpose.
const BFloat16* blockOf(const void* data, int64_t stride, bool isTransposed, int64_t first) {
    return static_cast<const BFloat16*>(data) + (isTransposed ? first : first * stride);
}

// BF16 product on a processor without BF16 arithmetic: tiles of A and B are widened and multiplied in F32.
void multiplyWidened(const GemmProblem& p, float* workspace) {
    const int64_t tileM = std::min(p.m, kWidenTile);
    const int64_t tileN = std::min(p.n, kWidenTile);
    float* wideA = workspace;
    float* wideB = wideA + tileM * p.k;
    float* wideC = wideB + tileN * p.k;  // used for BF16 output only
    float* wideBias = wideC + (p.output == DType::BF16 ? tileM * tileN : 0);
    for (int64_t i = 0; i < p.m; i += tileM) {
        const int64_t rows = std::min(tileM, p.m - i);
        widenBlock(blockOf(p.a, p.strideA, p.isTransposedA, i), p.strideA, p.isTransposedA ? p.k : rows,
                   p.isTransposedA ? rows : p.k, wideA, p.numThreads);
        for (int64_t j = 0; j < p.n; j += tileN) {
            const int64_t columns = std::min(tileN, p.n - j);
            widenBlock(blockOf(p.b, p.strideB, !p.isTransposedB, j), p.strideB, p.isTransposedB ? columns : p.k,
                       p.isTransposedB ? p.k : columns, wideB, p.numThreads);
            GemmProblem tile = p;
            tile.inputs = tile.output = DType::F32;
            tile.m = rows;
            tile.n = columns;
            tile.a = wideA;
            tile.strideA = p.isTransposedA ? rows : p.k;
            tile.b = wideB;
            tile.strideB = p.isTransposedB ? p.k : columns;
            if (p.bias != nullptr) {
                widenBlock(static_cast<const BFloat16*>(p.bias) + j, columns, 1, columns, wideBias, 1);
                tile.bias = wideBias;
            }
            if (p.output == DType::F32) {
                tile.c = static_cast<float*>(p.c) + i * p.strideC + j;
                multiply(tile);
                continue;
            }
            BFloat16* out = static_cast<BFloat16*>(p.c) + i * p.strideC + j;
            tile.c = wideC;
            tile.strideC = columns;
            if (p.accumulates) widenBlock(out, p.strideC, rows, columns, wideC, p.numThreads);
            multiply(tile);
            roundBlock(wideC, rows, columns, out, p.strideC, p.numThreads);
        }
    }
}

void zeroOutput(const GemmProblem& p) {
    const size_t width = p.output == DType::BF16 ? sizeof(BFloat16) : sizeof(float);
    for (int64_t i = 0; i < p.m; ++i) {
        std::fill_n(static_cast<std::byte*>(p.c) + static_cast<size_t>(i * p.strideC) * width,
                    static_cast<size_t>(p.n) * width, std::byte{0});
    }
}

}  // namespace

size_t gemmWorkspaceBytes(int64_t m, int64_t n, int64_t k, DType inputs, DType output) {
    if (inputs != DType::BF16 || cpuFeatures().hasNativeBf16) return 0;
    const int64_t tileM = std::min(m, kWidenTile);
    const int64_t tileN = std::min(n, kWidenTile);
    const int64_t floats = (tileM + tileN) * k + (output == DType::BF16 ? tileM * tileN : 0) + tileN;
    return static_cast<size_t>(floats) * sizeof(float);
}

void gemm(const GemmProblem& problem, void* workspace) {
    if (problem.m == 0 || problem.n == 0) return;
    if (problem.k == 0) {
        WB_CHECK(problem.bias == nullptr, "a product over no elements takes no bias");
        if (!problem.accumulates) zeroOutput(problem);
        return;
    }
    if (problem.inputs == DType::BF16 && !cpuFeatures().hasNativeBf16) {
        multiplyWidened(problem, static_cast<float*>(workspace));
    } else {
        multiply(problem);
    }
}

}  // namespace wb::kernels::cpu
