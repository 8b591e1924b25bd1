// SPDX-License-Identifier: Apache-2.0
#include "core/model/packed_input.h"

namespace wb::core {

std::vector<AdapterRows> sourceAdapterRows(std::span<const AdapterRows> rows, std::span<const int32_t> bounds,
                                           std::span<const int32_t> sourceBounds) {
    std::vector<AdapterRows> result;
    for (const AdapterRows& range : rows) {
        for (size_t sequence = 0; sequence + 1 < bounds.size(); ++sequence) {
            if (bounds[sequence] < range.begin || bounds[sequence + 1] > range.end) continue;
            const AdapterRows part{sourceBounds[sequence], sourceBounds[sequence + 1], range.adapter};
            const bool extendsLast =
                !result.empty() && result.back().adapter == part.adapter && result.back().end == part.begin;
            if (extendsLast) {
                result.back().end = part.end;
            } else {
                result.push_back(part);
            }
        }
    }
    return result;
}

std::vector<int32_t> positionsOf(std::span<const int32_t> bounds) {
    std::vector<int32_t> positions;
    for (size_t sequence = 0; sequence + 1 < bounds.size(); ++sequence) {
        for (int32_t row = bounds[sequence]; row < bounds[sequence + 1]; ++row)
            positions.push_back(row - bounds[sequence]);
    }
    return positions;
}

PackedInput packInput(const kernels::Context& context, std::span<const int32_t> ids, std::span<const int32_t> positions,
                      std::span<const int32_t> bounds) {
    using kernels::MemoryOwner;
    return {Tensor::fromInts(context, ids, MemoryOwner::Activations),
            Tensor::fromInts(context, positions, MemoryOwner::Activations),
            std::make_shared<const std::vector<int32_t>>(bounds.begin(), bounds.end()),
            {}};
}

}  // namespace wb::core
