// SPDX-License-Identifier: Apache-2.0
// The part of the linear op that adapters add: inside core/autograd only.
#pragma once

#include "core/autograd/context.h"
#include "core/autograd/parameter.h"

namespace wb::core {

// The weights of a linear layer that hold for some rows.
struct LinearWeights {
    Parameter* weight = nullptr;
    Parameter* bias = nullptr;  // null: none
};

// One adapter on a range of rows, with what its backward needs.
struct AppliedDelta {
    LowRankDelta* delta = nullptr;
    LinearWeights weights;
    int64_t begin = 0;
    int64_t end = 0;
    Tensor low;   // dropout(x) A^T [rows, rank]
    Tensor raw;   // dropout(x) (W + scale B A)^T [rows, out], with a magnitude
    Tensor gain;  // magnitude / norm [1, out], with a magnitude
    uint64_t dropoutSeed = 0;
    uint64_t dropoutOffset = 0;

    bool hasDropout() const { return dropoutSeed != 0; }
};

// Adds the adapter to rows [begin, end) of `out`, which hold the layer's own result; with a magnitude it writes them
// whole.
AppliedDelta applyDelta(const Context& context, const Tensor& x, const Tensor& out, const AdapterRows& rows,
                        LowRankDelta& delta, const LinearWeights& weights);

// Adds to the gradients of the adapter and, where dX is present, to the adapter's rows of dX; with a magnitude these
// rows are written whole, and a trained bias of the layer gets its gradient here.
void backwardDelta(const kernels::Context& device, const AppliedDelta& applied, const Tensor& x, const Tensor& dOut,
                   const Tensor& dX);

// bias gradient += factor * column sums of dOut.
void accumulateColumnSums(const kernels::Context& device, const Tensor& dOut, const Tensor& gradient,
                          float factor = 1.0F);

}  // namespace wb::core
