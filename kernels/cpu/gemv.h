// SPDX-License-Identifier: Apache-2.0
// Products of a few rows with weight matrices: decoding, where reading each weight once is all that counts.
#pragma once

#include "kernels/linear_group.h"

#include <span>

namespace wb::kernels::cpu {

// All parts in one parallel region; F32, or BF16 with BF16 or F32 outputs. Every element is one dot product with one
// order of summation. A row's result therefore depends neither on the rows that share the call, nor on the parts beside
// it, nor on the number of threads: batched decoding gives what single decoding gives.
void gemv(const Context& context, const ConstView& x, std::span<const LinearPart> parts);

// Rows [begin, end) of a matrix.
template <class AnyView>
AnyView rowsOf(const AnyView& matrix, int64_t begin, int64_t end) {
    const size_t rowBytes = dtypeBytes(matrix.dtype, static_cast<size_t>(matrix.shape[1]));
    AnyView rows = matrix;
    rows.data =
        const_cast<std::byte*>(static_cast<const std::byte*>(matrix.data)) + rowBytes * static_cast<size_t>(begin);
    rows.shape = Shape{end - begin, matrix.shape[1]};
    return rows;
}

}  // namespace wb::kernels::cpu
