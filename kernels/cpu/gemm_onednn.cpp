// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/gemm_onednn.h"

#include "kernels/base/error.h"

#include <fmt/format.h>
#include <omp.h>
#include <bit>
#include <dnnl.hpp>
#include <unordered_map>

namespace wb::kernels::cpu {
namespace {

using Tag = dnnl::memory::data_type;

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

}  // namespace

void gemmOneDnn(const GemmProblem& p) {
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

}  // namespace wb::kernels::cpu
