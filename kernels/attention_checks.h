// SPDX-License-Identifier: Apache-2.0
// Argument checks and costs that contiguous and paged attention share. Checks throw InvalidArgument.
#pragma once

#include "kernels/attention.h"

namespace wb::kernels {

[[noreturn]] void refuseArguments(std::string_view op, const std::string& what);

void checkAttentionOptions(std::string_view op, const AttentionOptions& options);

// `bounds` must rise from 0 to `rows`.
void checkSequenceBounds(std::string_view op, std::string_view name, std::span<const int32_t> bounds, int64_t rows);

// A bias is stored in the accumulator type or in the type of q.
void checkAttentionBias(std::string_view op, const ConstView& bias, AttentionBias kind, const ConstView& q,
                        int64_t maxKeys);

// Pairs of a query and a key that it sees, for one sequence and one head.
double visiblePairs(const AttentionOptions& options, int64_t numQueries, int64_t numKeys);

bool isProfiled(const Context& context);

}  // namespace wb::kernels
