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

// The same for an op with these weights; null entries are weights the layer does not have.
std::vector<RowRange> rowRanges(const Context& context, int64_t rows, std::span<const Parameter* const> parameters);

}  // namespace wb::core
