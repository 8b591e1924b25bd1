// SPDX-License-Identifier: Apache-2.0
// Products of few rows are jobs of one kernel (few_rows.h). First the layers' own and x A^T of every delta, which none
// waits for; then what the deltas add, in as many launches as deltas of one output overlap.
#include "kernels/cuda/cuda_ops.h"
#include "kernels/cuda/few_rows.h"

#include <algorithm>
#include <vector>

namespace wb::kernels::cuda {
namespace {

const void* rowOf(const ConstView& matrix, int64_t row) {
    return matrix.as<std::byte>() + dtypeBytes(matrix.dtype, static_cast<size_t>(row * matrix.shape[1]));
}

FewRowsProduct ownProduct(const ConstView& x, const LinearPart& part) {
    return {.x = x.data,
            .weight = part.weight.data,
            .bias = part.bias.data,
            .out = part.out.data,
            .inputs = x.shape[1],
            .outputs = part.weight.shape[0],
            .rows = static_cast<int32_t>(x.shape[0]),
            .alpha = part.alpha,
            .accumulates = part.write == Write::Add,
            .isWide = part.out.dtype == DType::F32};
}

FewRowsProduct lowProduct(const ConstView& x, const LinearDelta& delta) {
    return {.x = rowOf(x, delta.begin),
            .weight = delta.a.data,
            .out = delta.low.data,
            .inputs = x.shape[1],
            .outputs = delta.a.shape[0],
            .rows = static_cast<int32_t>(delta.end - delta.begin),
            .isWide = delta.low.dtype == DType::F32};
}

FewRowsProduct topProduct(const LinearPart& part, const LinearDelta& delta) {
    return {.x = delta.low.data,
            .weight = delta.b.data,
            .out = const_cast<void*>(rowOf(part.out, delta.begin)),
            .inputs = delta.b.shape[1],
            .outputs = delta.b.shape[0],
            .rows = static_cast<int32_t>(delta.end - delta.begin),
            .alpha = delta.scale,
            .accumulates = true,
            .isWide = part.out.dtype == DType::F32};
}

// How many deltas before this one write rows of it, one after the other.
std::vector<size_t> wavesOf(std::span<const LinearDelta> deltas) {
    std::vector<size_t> waves;
    for (size_t i = 0; i < deltas.size(); ++i) {
        size_t wave = 0;
        for (size_t j = 0; j < i; ++j) {
            const bool overlaps = deltas[j].begin < deltas[i].end && deltas[i].begin < deltas[j].end;
            if (overlaps) wave = std::max(wave, waves[j] + 1);
        }
        waves.push_back(wave);
    }
    return waves;
}

}  // namespace

void linearGroup(const Context& context, const LinearGroupArgs& args) {
    std::vector<FewRowsProduct> first;
    std::vector<std::vector<FewRowsProduct>> tops;
    for (const LinearPart& part : args.parts) {
        first.push_back(ownProduct(args.x, part));
        const std::vector<size_t> waves = wavesOf(part.deltas);
        for (size_t i = 0; i < waves.size(); ++i) {
            first.push_back(lowProduct(args.x, part.deltas[i]));
            tops.resize(std::max(tops.size(), waves[i] + 1));
            tops[waves[i]].push_back(topProduct(part, part.deltas[i]));
        }
    }
    const Stream& stream = streamOf(context);
    multiplyFewRows(stream, args.x.dtype, first);
    for (const std::vector<FewRowsProduct>& wave : tops) multiplyFewRows(stream, args.x.dtype, wave);
}

}  // namespace wb::kernels::cuda
