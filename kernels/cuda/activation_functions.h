// SPDX-License-Identifier: Apache-2.0
// The activation functions of kernels/base/activation.h on single values, each with its derivative; what a caller does
// not use is optimised away. Exponentials and quotients are the fast ones: within a few units in the last place of the
// largest value, where the accurate ones would make the ops wait for arithmetic instead of memory.
#pragma once

#include "kernels/base/activation.h"
#include "kernels/cuda/device.h"

namespace wb::kernels::cuda {

struct ValueAndSlope {
    float value;
    float slope;
};

__device__ inline float sigmoidOf(float x) {
    return __fdividef(1.0F, 1.0F + __expf(-x));
}

struct Silu {
    __device__ ValueAndSlope operator()(float x) const {
        const float s = sigmoidOf(x);
        const float value = x * s;
        return {value, s + value * (1.0F - s)};
    }
};

// x Phi(x), Phi(x) = (1 + erf(x / sqrt 2)) / 2; the density is the derivative of Phi.
struct Gelu {
    __device__ ValueAndSlope operator()(float x) const {
        const float phi = 0.5F + 0.5F * erff(0.7071067811865476F * x);
        const float density = 0.3989422804014327F * __expf(-0.5F * x * x);
        // Far out the density is zero while x may be infinite.
        return {x * phi, density == 0.0F ? phi : phi + x * density};
    }
};

// 0.5 x (1 + tanh u) = x sigmoid(2u), u = sqrt(2 / pi) (x + 0.044715 x^3)
struct GeluTanh {
    __device__ ValueAndSlope operator()(float x) const {
        constexpr float kTwoA = 1.5957691216057308F;  // 2 sqrt(2 / pi)
        const float square = x * x;
        const float s = sigmoidOf(kTwoA * x * (1.0F + 0.044715F * square));
        const float value = x * s;
        const float bend = value * (1.0F - s);
        // Far out the polynomial overflows while s (1 - s) is zero: their product must be zero, not NaN.
        return {value, bend == 0.0F ? s : s + bend * (kTwoA + 3.0F * 0.044715F * kTwoA * square)};
    }
};

// A NaN stays one.
struct Relu {
    __device__ ValueAndSlope operator()(float x) const { return {x < 0.0F ? 0.0F : x, x > 0.0F ? 1.0F : 0.0F}; }
};

struct Sigmoid {
    __device__ ValueAndSlope operator()(float x) const {
        const float s = sigmoidOf(x);
        return {s, s * (1.0F - s)};
    }
};

// Calls body with the functor of an activation.
template <class Body>
void withActivation(Activation activation, const Body& body) {
    switch (activation) {
        case Activation::Silu: return body(Silu{});
        case Activation::Gelu: return body(Gelu{});
        case Activation::GeluTanh: return body(GeluTanh{});
        case Activation::Relu: return body(Relu{});
        case Activation::Sigmoid: return body(Sigmoid{});
    }
}

}  // namespace wb::kernels::cuda
