// SPDX-License-Identifier: Apache-2.0
#include "app/engine/bench_cuda_attention.h"

#include <cmath>
#include <numeric>

#include "core/model/stack.h"
#include "kernels/base/error.h"
#include "kernels/base/float_formats.h"
#include "kernels/base/philox.h"
#include "kernels/distance_table.h"

namespace wb::app {
namespace {

constexpr int64_t kBuckets = 32;
constexpr int64_t kFarthest = 128;

// Values of unit variance that BF16 holds exactly. A pool that large operands repeat: drawing each value would take
// longer than the benchmark. Its length is prime, so that rows do not repeat.
const std::vector<float>& pool() {
    static const std::vector<float> values = [] {
        constexpr size_t kCount = 1048573;
        const float spread = std::sqrt(12.0F);
        std::vector<float> made(kCount);
        for (size_t i = 0; i < kCount; ++i)
            made[i] = static_cast<float>(BFloat16(spread * (philoxUnit(philoxWord(11, i)) - 0.5F)));
        return made;
    }();
    return values;
}

}  // namespace

int64_t AttentionCase::Shape::tokens() const {
    return std::accumulate(lengths.begin(), lengths.end(), int64_t{0});
}

double AttentionCase::Shape::pairs() const {
    double pairs = 0;
    for (const int64_t length : lengths) {
        const auto t = static_cast<double>(length);
        pairs += isCausal ? 0.5 * t * (t + 1) : t * t;
    }
    return pairs * static_cast<double>(heads);
}

AttentionCase::AttentionCase(const kernels::Context& context, Shape shape, uint64_t seed)
    : m_context(context), m_shape(std::move(shape)), m_stream(seed * 1009), m_bounds{0} {
    for (const int64_t length : m_shape.lengths) m_bounds.push_back(m_bounds.back() + static_cast<int32_t>(length));
    const DType sums = m_shape.dtype == DType::F64 ? DType::F64 : DType::F32;
    const int64_t tokens = m_shape.tokens();
    const wb::Shape queries{tokens, m_shape.heads, m_shape.headDim};
    const wb::Shape keys{tokens, m_shape.keyValueHeads, m_shape.headDim};
    m_q = makeFilled(m_shape.dtype, queries, m_shape.hasDistanceBias ? 0.125F : 1.0F);
    m_k = makeFilled(m_shape.dtype, keys, 1.0F);
    m_v = makeFilled(m_shape.dtype, keys, 1.0F);
    m_dOut = makeFilled(m_shape.dtype, queries, 1.0F);
    m_logSumExp = make(sums, {tokens, m_shape.heads});
    m_results = {{"out", make(m_shape.dtype, queries)},
                 {"dQ", make(m_shape.dtype, queries)},
                 {"dK", make(m_shape.dtype, keys)},
                 {"dV", make(m_shape.dtype, keys)}};
    if (!m_shape.hasDistanceBias) return;
    m_buckets = core::relativeBuckets({.name = {},
                                       .buckets = kBuckets,
                                       .maxDistance = kFarthest,
                                       .numHeads = m_shape.heads,
                                       .isBidirectional = true});
    const auto distances = static_cast<int64_t>(m_buckets.size());
    m_bucketWeight = makeFilled(sums, {kBuckets, m_shape.heads}, 1.0F);
    m_table = make(sums, {m_shape.heads, distances});
    m_dTable = make(sums, {m_shape.heads, distances});
    m_results.emplace_back("dBias", make(sums, {kBuckets, m_shape.heads}));
}

core::Tensor AttentionCase::make(DType dtype, const wb::Shape& shape) const {
    return core::Tensor::zeros(m_context, dtype, shape, kernels::MemoryOwner::Activations);
}

core::Tensor AttentionCase::makeFilled(DType dtype, const wb::Shape& shape, float scale) {
    core::Tensor tensor = make(dtype, shape);
    std::vector<float> values(static_cast<size_t>(tensor.count()));
    size_t next = philoxWord(m_stream++, 0) % pool().size();
    for (float& value : values) {
        value = scale * pool()[next];
        next = next + 1 == pool().size() ? 0 : next + 1;
    }
    core::assignFloats(m_context, tensor, values);
    return tensor;
}

kernels::AttentionOptions AttentionCase::options() const {
    kernels::AttentionOptions options{.isCausal = m_shape.isCausal};
    if (m_shape.hasDistanceBias) {
        options.bias = kernels::AttentionBias::DistanceTable;
        options.scale = 1;
    }
    return options;
}

const core::Tensor& AttentionCase::operand(std::string_view name) const {
    if (name == "q") return m_q;
    if (name == "k") return m_k;
    if (name == "v") return m_v;
    WB_CHECK(name == "dOut", "operands are q, k, v and dOut");
    return m_dOut;
}

void AttentionCase::forward() const {
    if (m_shape.hasDistanceBias) {
        kernels::distanceTableForward(
            m_context, {.weight = m_bucketWeight.view(), .bucketOfDistance = m_buckets, .table = m_table.view()});
    }
    kernels::attentionForward(m_context, {.q = m_q.view(),
                                          .k = m_k.view(),
                                          .v = m_v.view(),
                                          .bias = m_shape.hasDistanceBias ? m_table.view() : kernels::View{},
                                          .cuSeqlensQ = m_bounds,
                                          .cuSeqlensK = m_bounds,
                                          .out = m_results[0].second.view(),
                                          .logSumExp = m_logSumExp.view(),
                                          .options = options()});
}

void AttentionCase::backward() const {
    if (m_shape.hasDistanceBias) core::fillZeros(m_context, m_dTable);
    kernels::attentionBackward(m_context, {.q = m_q.view(),
                                           .k = m_k.view(),
                                           .v = m_v.view(),
                                           .bias = m_shape.hasDistanceBias ? m_table.view() : kernels::View{},
                                           .out = m_results[0].second.view(),
                                           .logSumExp = m_logSumExp.view(),
                                           .dOut = m_dOut.view(),
                                           .cuSeqlensQ = m_bounds,
                                           .cuSeqlensK = m_bounds,
                                           .dQ = m_results[1].second.view(),
                                           .dK = m_results[2].second.view(),
                                           .dV = m_results[3].second.view(),
                                           .dBias = m_shape.hasDistanceBias ? m_dTable.view() : kernels::View{},
                                           .options = options()});
    if (!m_shape.hasDistanceBias) return;
    core::fillZeros(m_context, m_results[4].second);
    kernels::distanceTableBackward(
        m_context, {.dTable = m_dTable.view(), .bucketOfDistance = m_buckets, .dWeight = m_results[4].second.view()});
}

}  // namespace wb::app
