// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core/tensor/tensor.h"

#include <string>

namespace wb::core {

// A weight with its Hugging Face name. Frozen unless it has a gradient tensor: gradients are F32 (F64 for F64 weights),
// live as long as training does, and accumulate until the optimiser clears them.
struct Parameter {
    std::string name;
    Tensor value;
    Tensor gradient;
    bool isTransposedInFile = false;  // a matrix that files hold as [in, out]
    bool isConstant = false;          // stored with the weights, never trained

    bool isTrainable() const { return gradient.isPresent(); }
};

inline DType gradientDtype(DType valueDtype) {
    return valueDtype == DType::F64 ? DType::F64 : DType::F32;
}

// Gives the parameter a zeroed gradient.
inline void makeTrainable(const kernels::Context& context, Parameter& parameter) {
    parameter.gradient = Tensor::zeros(context, gradientDtype(parameter.value.dtype()), parameter.value.shape(),
                                       kernels::MemoryOwner::Gradients);
}

// A low-rank update of a linear layer: y += scale * dropout(x) A^T B^T (Hu et al. 2021, arXiv:2106.09685).
//   a [rank, in], b [out, rank], dtype of the layer's weight.
struct LowRankDelta {
    Parameter a;
    Parameter b;
    float scale = 1.0F;
    float dropout = 0.0F;
};

}  // namespace wb::core
