// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core/autograd/context.h"
#include "core/autograd/parameter.h"

#include <functional>
#include <vector>

namespace wb::core {

// Rows [begin, end) of a batch that one set of weights holds for.
struct RowRange {
    static constexpr int32_t kBase = -1;

    int64_t begin = 0;
    int64_t end = 0;
    int32_t adapter = kBase;  // whose weights; kBase: the layer's own
};

// Splits rows [0, rows) where `isChanged(adapter)` says that an adapter brings weights of its own; everything between
// stays together, so that a batch without such adapters is one range. context.adapterRows must be in ascending order.
std::vector<RowRange> rowRanges(const Context& context, int64_t rows, const std::function<bool(int32_t)>& isChanged);

// Rows that share a weight and a bias: the layer's own, or those of an adapter.
struct WeightRange {
    int64_t begin = 0;
    int64_t end = 0;
    Parameter* weight = nullptr;
    Parameter* bias = nullptr;  // null: none

    bool isTrainable() const { return weight->isTrainable() || (bias != nullptr && bias->isTrainable()); }
    kernels::View biasValue() const { return bias != nullptr ? bias->value.view() : kernels::View{}; }
    kernels::View biasGradient(const kernels::Context& context) const {
        return bias != nullptr ? gradientSum(context, *bias).view() : kernels::View{};
    }
    // These rows of a tensor; absent if it is.
    kernels::View of(const Tensor& tensor) const {
        return tensor.isPresent() ? tensor.rows(begin, end).view() : kernels::View{};
    }
};

// Splits rows [0, rows) for an op with these weights; `bias` may be null.
std::vector<WeightRange> weightRanges(const Context& context, int64_t rows, Parameter& weight, Parameter* bias);

bool anyTrainable(std::span<const WeightRange> ranges);

}  // namespace wb::core
