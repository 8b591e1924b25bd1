// SPDX-License-Identifier: Apache-2.0
#include "kernels/attention_checks.h"

#include "kernels/cpu/attention_common.h"
#include "kernels/runtime/dispatch.h"

#include <fmt/format.h>
#include <cmath>

namespace wb::kernels {

void refuseArguments(std::string_view op, const std::string& what) {
    throw Error{ErrorCode::InvalidArgument, fmt::format("{}: {}", op, what)};
}

void checkAttentionOptions(std::string_view op, const AttentionOptions& options) {
    if (!(options.dropout >= 0 && options.dropout < 1)) {
        refuseArguments(op, fmt::format("dropout {} is not in [0, 1)", options.dropout));
    }
    if (!(options.softCap >= 0) || !std::isfinite(options.softCap)) {
        refuseArguments(op, fmt::format("soft cap {} is not a number >= 0", options.softCap));
    }
    if (!std::isfinite(options.scale)) refuseArguments(op, fmt::format("scale {} is not finite", options.scale));
    if (options.windowLeft < -1 || options.windowRight < -1) {
        refuseArguments(
            op, fmt::format("window ({}, {}) has a side below -1 (= open)", options.windowLeft, options.windowRight));
    }
}

void checkSequenceBounds(std::string_view op, std::string_view name, std::span<const int32_t> bounds, int64_t rows) {
    if (bounds.empty() || bounds.front() != 0 || bounds.back() != rows) {
        refuseArguments(op, fmt::format("{} must run from 0 to {}", name, rows));
    }
    for (size_t b = 1; b < bounds.size(); ++b) {
        if (bounds[b] < bounds[b - 1]) {
            refuseArguments(op, fmt::format("{} falls from {} to {} at {}", name, bounds[b - 1], bounds[b], b));
        }
    }
}

// A bias is stored in the accumulator type, or in the type of q.
void checkAttentionBias(std::string_view op, const ConstView& bias, AttentionBias kind, const ConstView& q,
                        int64_t maxKeys) {
    if (kind == AttentionBias::None) {
        if (bias.isPresent()) refuseArguments(op, "a bias is given, but its kind is None");
        return;
    }
    requirePresent(op, "bias", bias);
    if (bias.dtype != q.dtype) requireDtype(op, "bias", bias, accumulatorDtype(q.dtype));
    const int64_t numHeads = q.shape[1];
    switch (kind) {
        case AttentionBias::Alibi: requireShape(op, "bias", bias, {numHeads}); break;
        case AttentionBias::Dense: requireShape(op, "bias", bias, {numHeads, q.shape[0], maxKeys}); break;
        default:
            if (bias.shape.rank() != 2 || bias.shape[0] != numHeads || bias.shape[1] < 1) {
                refuseArguments(
                    op, fmt::format("bias has shape {}, expected [{}, N] with N >= 1", bias.shape.text(), numHeads));
            }
    }
}

// Pairs of a query and a key that it sees, over all sequences and one head.
double visiblePairs(const AttentionOptions& options, int64_t numQueries, int64_t numKeys) {
    double pairs = 0;
    for (int64_t i = 0; i < numQueries; ++i) {
        const cpu::KeyRange keys = cpu::visibleKeys(options, i + numKeys - numQueries, numKeys);
        pairs += static_cast<double>(std::max<int64_t>(0, keys.end - keys.begin));
    }
    return pairs;
}

bool isProfiled(const Context& context) {
    return context.profiler != nullptr && context.profiler->isEnabled();
}

}  // namespace wb::kernels
