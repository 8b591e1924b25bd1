// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core/tensor/tensor.h"
#include "kernels/linear.h"

#include <string>
#include <utility>
#include <vector>

namespace wb::core {

// A weight with its Hugging Face name. Frozen unless it has a gradient tensor: gradients are F32 (F64 for F64 weights),
// live as long as training does, and accumulate until the optimiser clears them. Clearing writes nothing: the first
// contribution replaces what is there, or zeros come before it.
struct Parameter {
    std::string name;
    Tensor value;
    Tensor gradient;
    bool isGradientUnset = false;     // cleared, and nothing has arrived since
    bool isTransposedInFile = false;  // a matrix that files hold as [in, out]
    bool isConstant = false;          // stored with the weights, never trained
    bool isLookedUp = false;          // a table of rows that are trained when their ids appear
    int32_t untrainedRow = -1;        // looking up this row of a table gives it no gradient
    // What holds instead for the rows of an adapter, by adapter index, borrowed; null where it leaves the weight alone.
    std::vector<Parameter*> replacements{};

    bool isTrainable() const { return gradient.isPresent(); }
    bool isReplacedFor(int32_t adapter) const {
        const auto index = static_cast<size_t>(adapter);
        return adapter >= 0 && index < replacements.size() && replacements[index] != nullptr;
    }
    Parameter& forAdapter(int32_t adapter) {
        return isReplacedFor(adapter) ? *replacements[static_cast<size_t>(adapter)] : *this;
    }
};

inline DType gradientDtype(DType valueDtype) {
    return valueDtype == DType::F64 ? DType::F64 : DType::F32;
}

// The gradient, to be added to or read; absent for a frozen parameter.
Tensor& gradientSum(const kernels::Context& context, Parameter& parameter);

// For an op that can do either: whether its contribution replaces the gradient. The caller makes that contribution.
inline kernels::Write firstWrite(Parameter& parameter) {
    return std::exchange(parameter.isGradientUnset, false) ? kernels::Write::Replace : kernels::Write::Add;
}

// Gives the parameter a zeroed gradient.
inline void makeTrainable(const kernels::Context& context, Parameter& parameter) {
    parameter.gradient = Tensor::zeros(context, gradientDtype(parameter.value.dtype()), parameter.value.shape(),
                                       kernels::MemoryOwner::Gradients);
}

// A low-rank update of a linear layer W (Hu et al. 2021, arXiv:2106.09685):
//   y += scale * (dropout(x) A^T B^T + biasB)
// and with a magnitude (DoRA, Liu et al. 2024, arXiv:2402.09353), g = magnitude / ||W + scale B A|| by output row:
//   y = x W^T + bias + (g - 1) x' W^T + g * scale * x' A^T B^T,  x' = dropout(x)
// The norm counts as a constant in the gradient: refreshNorms keeps it up to date.
//   a [rank, in], b [out, rank], biasB [out] optional, magnitude [out] optional; dtype of the layer's weight.
struct LowRankDelta {
    Parameter a;
    Parameter b;
    float scale = 1.0F;
    float dropout = 0.0F;
    Parameter biasB{};
    Parameter magnitude{};
    Tensor inverseNorms{};  // [out] F32 (F64 for F64), 1 / norm; 0 for a row of zeros

    bool hasMagnitude() const { return magnitude.value.isPresent(); }
    bool isTrainable() const {
        return a.isTrainable() || b.isTrainable() || biasB.isTrainable() || magnitude.isTrainable();
    }
};

// Sets delta.inverseNorms for the layer's weight [out, in]; does nothing without a magnitude. Due whenever A, B or the
// weight has changed.
void refreshNorms(const kernels::Context& context, LowRankDelta& delta, const Tensor& weight);

}  // namespace wb::core
