// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "core/tensor/tensor.h"
#include "kernels/attention.h"

namespace wb::app {

// One problem of attention over packed sequences with operands and results in the memory of a context's device. The
// same seed gives the same values in every type, rounded to BF16, so that one problem can be the oracle of another.
class AttentionCase {
public:
    struct Shape {
        std::vector<int64_t> lengths;
        int64_t headDim = 64;
        int64_t heads = 1;
        int64_t keyValueHeads = 1;
        bool isCausal = true;
        bool hasDistanceBias = false;  // T5's: 32 buckets with a gradient, scale 1
        DType dtype = DType::BF16;

        int64_t tokens() const;
        // Pairs of query and key that are seen, over all heads.
        double pairs() const;
    };

    AttentionCase(const kernels::Context& context, Shape shape, uint64_t seed);

    const Shape& shape() const { return m_shape; }
    void forward() const;
    void backward() const;  // after forward()

    // "out", "dQ", "dK", "dV" and, with a bias, "dBias" (of the buckets).
    const std::vector<std::pair<std::string, core::Tensor>>& results() const { return m_results; }
    const core::Tensor& operand(std::string_view name) const;
    const std::vector<int32_t>& bounds() const { return m_bounds; }

private:
    core::Tensor make(DType dtype, const wb::Shape& shape) const;
    core::Tensor makeFilled(DType dtype, const wb::Shape& shape, float scale);
    kernels::AttentionOptions options() const;

    const kernels::Context& m_context;
    Shape m_shape;
    uint64_t m_stream;
    std::vector<int32_t> m_bounds;
    std::vector<int32_t> m_buckets;  // of distances, with a bias
    core::Tensor m_q, m_k, m_v, m_dOut, m_logSumExp, m_bucketWeight, m_table, m_dTable;
    std::vector<std::pair<std::string, core::Tensor>> m_results;
};

}  // namespace wb::app
