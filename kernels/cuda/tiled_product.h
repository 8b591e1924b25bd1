// SPDX-License-Identifier: Apache-2.0
// Products with a weight in tiles of quantised blocks.
#pragma once

#include "kernels/cuda/few_rows.h"
#include "kernels/cuda/gemm.h"

#include "kernels/base/shape.h"

#include <cstddef>

namespace wb::kernels::cuda {

// As multiplyFewRows; product.weight are tiles of the type `tiles`. Unlike on the CPU x is not
// rounded. The weight's values are exact, but the levels of NF4 are rounded to BF16 where x is BF16. The bits of an
// element follow from its row of x and its row of the weight alone.
void multiplyFewRowsTiled(const Stream& stream, DType inputs, DType tiles, const FewRowsProduct& product);

// Scratch of multiplyTiled for `rows` rows of a and a weight [outputs, inputs].
size_t tiledWorkspaceBytes(int64_t rows, const Shape& weight, DType inputs);

// The problem with `weight` as b (problem.b and strideB are not read; a is not transposed): a W^T if it is transposed,
// a W if not. Panels of the weight are widened to the type of the inputs, rounded if that is not F32, one after
// another, and multiplied: the bits of a row may depend on the number of rows.
void multiplyTiled(Stream& stream, const GemmProblem& problem, const ConstView& weight, void* workspace);

}  // namespace wb::kernels::cuda
