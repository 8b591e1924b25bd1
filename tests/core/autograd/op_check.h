// SPDX-License-Identifier: Apache-2.0
// Gradients of tape functions in double precision against central differences.
#pragma once

#include "core/autograd/ops.h"
#include "kernels/base/philox.h"
#include "kernels/runtime/runtime.h"
#include "tests/kernels/gradient_check.h"

#include <gtest/gtest.h>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace wb::core::test {

inline std::vector<float> uniform(int64_t count, uint64_t seed, float low = -1.0F, float high = 1.0F) {
    std::vector<float> values(static_cast<size_t>(count));
    for (size_t i = 0; i < values.size(); ++i) values[i] = low + (high - low) * philoxUnit(philoxWord(seed, i));
    return values;
}

// Named tensors and parameters of one problem, the same numbers in every dtype.
class OpBench {
public:
    explicit OpBench(DType dtype = DType::F64)
        : m_dtype(dtype), m_runtime({.device = {}, .numThreads = 2, .memoryLimitBytes = std::nullopt}) {}

    const kernels::Context& device() const { return m_runtime.context(); }
    kernels::Runtime& runtime() { return m_runtime; }
    DType dtype() const { return m_dtype; }

    Tensor tensor(const Shape& shape, float low = -1.0F, float high = 1.0F) {
        Tensor made = Tensor::empty(device(), m_dtype, shape, kernels::MemoryOwner::Activations);
        assignFloats(device(), made, uniform(shape.count(), m_nextSeed++, low, high));
        return made;
    }
    Parameter& frozen(const Shape& shape, float low = -1.0F, float high = 1.0F) {
        m_parameters.push_back(std::make_unique<Parameter>());
        *m_parameters.back() = {"p" + std::to_string(m_parameters.size()), tensor(shape, low, high), {}};
        return *m_parameters.back();
    }
    Parameter& trained(const Shape& shape, float low = -1.0F, float high = 1.0F) {
        Parameter& parameter = frozen(shape, low, high);
        makeTrainable(device(), parameter);
        return parameter;
    }
    const std::vector<std::unique_ptr<Parameter>>& parameters() const { return m_parameters; }

private:
    DType m_dtype;
    kernels::Runtime m_runtime;
    uint64_t m_nextSeed = 300;
    std::vector<std::unique_ptr<Parameter>> m_parameters;
};

// A function of inputs that need a gradient; parameters and everything else it captures.
using TapeFunction = std::function<Var(const Context&, std::span<const Var>)>;

inline std::span<double> doublesOf(const Tensor& tensor) {
    return {static_cast<double*>(tensor.data()), static_cast<size_t>(tensor.count())};
}

// Sum of the output times fixed numbers.
inline double weightedSum(const Tensor& output, std::span<const float> weights) {
    double sum = 0;
    const std::span<double> values = doublesOf(output);
    for (size_t i = 0; i < values.size(); ++i) sum += values[i] * static_cast<double>(weights[i]);
    return sum;
}

// What `function` leaves as gradients of its inputs; those of trainable parameters accumulate in them.
inline std::vector<Tensor> tapeGradients(const kernels::Context& device, const std::vector<Tensor>& inputs,
                                         const TapeFunction& function, std::vector<float>& upstream) {
    Tape tape(device);
    const Context context{device, &tape};
    std::vector<Var> leaves;
    for (const Tensor& input : inputs) leaves.push_back(tape.leaf(input));
    const Var out = function(context, leaves);
    EXPECT_TRUE(out.needsGradient());
    upstream = uniform(out.value.count(), 17);
    Tensor dOut = Tensor::empty(device, out.value.dtype(), out.value.shape(), kernels::MemoryOwner::Activations);
    assignFloats(device, dOut, upstream);
    tape.backward(out, std::move(dOut));
    std::vector<Tensor> gradients;
    for (const Var& leaf : leaves) gradients.push_back(tape.takeGradient(leaf.node));
    return gradients;
}

// Compares the gradients of every input and every trainable parameter of the bench (F64) with central differences.
inline void expectGradients(OpBench& bench, const std::vector<Tensor>& inputs, const TapeFunction& function) {
    std::vector<float> upstream;
    const std::vector<Tensor> gradients = tapeGradients(bench.device(), inputs, function, upstream);
    const auto objective = [&] {
        std::vector<Var> plain;
        for (const Tensor& input : inputs) plain.push_back({input});
        return weightedSum(function({bench.device()}, plain).value, upstream);
    };
    const auto check = [&](const Tensor& value, const Tensor& gradient, const std::string& name) {
        ASSERT_TRUE(gradient.isPresent()) << name;
        EXPECT_LT(kernels::testing::worstGradientError(objective, doublesOf(value), doublesOf(gradient)),
                  kernels::testing::kGradientTolerance)
            << name;
    };
    for (size_t i = 0; i < inputs.size(); ++i) check(inputs[i], gradients[i], "input " + std::to_string(i));
    for (const auto& parameter : bench.parameters()) {
        if (parameter->isTrainable()) check(parameter->value, parameter->gradient, parameter->name);
    }
}

// Runs the function with nothing that needs a gradient: it must record nothing and keep no bytes beyond its output.
inline void expectNothingRecorded(OpBench& bench, const std::vector<Tensor>& inputs, const TapeFunction& function) {
    Tape tape(bench.device());
    const Context context{bench.device(), &tape};
    std::vector<Var> plain;
    for (const Tensor& input : inputs) plain.push_back({input});
    EXPECT_FALSE(function(context, plain).needsGradient());
}

}  // namespace wb::core::test
