// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/base/dtype.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace wb::core {

// Element types by the number that stands in the file; a GgufTensor may hold one that has no name here.
enum class GgufType : uint32_t {
    F32 = 0,
    F16 = 1,
    Q4_0 = 2,
    Q4_1 = 3,
    Q5_0 = 6,
    Q5_1 = 7,
    Q8_0 = 8,
    Q2_K = 10,
    Q3_K = 11,
    Q4_K = 12,
    Q5_K = 13,
    Q6_K = 14,
    F64 = 28,
    BF16 = 30
};

// How a type lies in the file: rows are cut into blocks of this many values, which take this many bytes.
struct GgufBlock {
    uint64_t values = 1;
    uint64_t bytes = 0;
};

// "Q4_K", or "type 99" for a number nobody has assigned.
std::string ggufTypeName(GgufType type);

// Absent for a number nobody has assigned.
std::optional<GgufBlock> ggufBlockOf(GgufType type);

// The type of a weight as the engine gets it from a file: itself where the engine computes with it (F32, F16, BF16,
// Q8_0), F32 for the other block types it can widen, absent for those it cannot read.
std::optional<DType> dtypeOfGguf(GgufType type);

}  // namespace wb::core
