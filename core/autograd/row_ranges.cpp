// SPDX-License-Identifier: Apache-2.0
#include "core/autograd/row_ranges.h"

#include "kernels/base/error.h"

#include <algorithm>

namespace wb::core {

std::vector<RowRange> rowRanges(const Context& context, int64_t rows, const std::function<bool(int32_t)>& isChanged) {
    std::vector<RowRange> ranges;
    int64_t done = 0;
    for (const AdapterRows& part : context.adapterRows) {
        if (part.begin == part.end || !isChanged(part.adapter)) continue;
        WB_CHECK(part.begin >= done && part.end <= rows, "rows of adapters are in order and inside the batch");
        if (part.begin > done) ranges.push_back({done, part.begin, RowRange::kBase});
        ranges.push_back({part.begin, part.end, part.adapter});
        done = part.end;
    }
    if (done < rows || ranges.empty()) ranges.push_back({done, rows, RowRange::kBase});
    return ranges;
}

std::vector<WeightRange> weightRanges(const Context& context, int64_t rows, Parameter& weight, Parameter* bias) {
    const auto isChanged = [&weight, bias](int32_t adapter) {
        return weight.isReplacedFor(adapter) || (bias != nullptr && bias->isReplacedFor(adapter));
    };
    std::vector<WeightRange> ranges;
    for (const RowRange& range : rowRanges(context, rows, isChanged)) {
        ranges.push_back({range.begin, range.end, &weight.forAdapter(range.adapter),
                          bias != nullptr ? &bias->forAdapter(range.adapter) : nullptr});
    }
    return ranges;
}

bool anyTrainable(std::span<const WeightRange> ranges) {
    return std::ranges::any_of(ranges, &WeightRange::isTrainable);
}

}  // namespace wb::core
