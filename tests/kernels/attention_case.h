// SPDX-License-Identifier: Apache-2.0
// Packed attention problems with reproducible contents, run through the public functions on any backend and dtype.
#pragma once

#include "kernels/attention.h"
#include "kernels/base/float_formats.h"
#include "kernels/base/philox.h"
#include "kernels/runtime/runtime.h"

#include <algorithm>
#include <cstdint>
#include <ostream>
#include <string>
#include <type_traits>
#include <vector>

namespace wb::kernels::testing {

struct AttentionCase {
    std::string name;
    std::vector<int32_t> queryLengths;
    std::vector<int32_t> keyLengths;
    int64_t numHeads = 2;
    int64_t keyValueHeads = 1;
    int64_t headDim = 8;
    AttentionOptions options;
    int64_t tableLength = 0;  // of a distance table
};

inline std::ostream& operator<<(std::ostream& out, const AttentionCase& c) {
    return out << c.name;
}

template <class T>
constexpr DType dtypeOf() {
    if constexpr (std::is_same_v<T, double>) return DType::F64;
    if constexpr (std::is_same_v<T, float>) return DType::F32;
    if constexpr (std::is_same_v<T, Float16>) return DType::F16;
    return DType::BF16;
}

template <class T>
using SumOf = std::conditional_t<std::is_same_v<T, double>, double, float>;

inline std::vector<int32_t> boundsOf(const std::vector<int32_t>& lengths) {
    std::vector<int32_t> bounds{0};
    for (const int32_t length : lengths) bounds.push_back(bounds.back() + length);
    return bounds;
}

// Uniform in [-amplitude, amplitude), the same numbers (rounded) for every type.
template <class T>
std::vector<T> randomValues(int64_t count, uint64_t seed, float amplitude = 1.0F) {
    std::vector<T> values(static_cast<size_t>(count));
    for (size_t i = 0; i < values.size(); ++i) {
        values[i] = static_cast<T>((2.0F * philoxUnit(philoxWord(seed, i)) - 1.0F) * amplitude);
    }
    return values;
}

inline double toDouble(double value) {
    return value;
}
inline double toDouble(float value) {
    return static_cast<double>(value);
}
inline double toDouble(BFloat16 value) {
    return static_cast<double>(static_cast<float>(value));
}
inline double toDouble(Float16 value) {
    return static_cast<double>(static_cast<float>(value));
}

template <class T>
View viewOf(std::vector<T>& values, const Shape& shape) {
    return {values.data(), dtypeOf<T>(), shape};
}

// Inputs, outputs and gradients of one case in type T.
template <class T>
struct AttentionData {
    using Sum = SumOf<T>;

    AttentionCase problem;
    std::vector<int32_t> boundsQ;
    std::vector<int32_t> boundsK;
    Shape shapeQ;
    Shape shapeK;
    Shape shapeBias;
    std::vector<T> q, k, v, dOut, out, dQ, dK, dV;
    std::vector<Sum> bias, logSumExp, dBias;

    explicit AttentionData(const AttentionCase& c) : problem(c) {
        boundsQ = boundsOf(c.queryLengths);
        boundsK = boundsOf(c.keyLengths);
        shapeQ = {boundsQ.back(), c.numHeads, c.headDim};
        shapeK = {boundsK.back(), c.keyValueHeads, c.headDim};
        const int64_t longest = c.keyLengths.empty() ? 0 : *std::max_element(c.keyLengths.begin(), c.keyLengths.end());
        switch (c.options.bias) {
            case AttentionBias::None: break;
            case AttentionBias::DistanceTable: shapeBias = {c.numHeads, c.tableLength}; break;
            case AttentionBias::Alibi: shapeBias = {c.numHeads}; break;
            case AttentionBias::Dense: shapeBias = {c.numHeads, boundsQ.back(), longest}; break;
        }
        q = randomValues<T>(shapeQ.count(), 1);
        k = randomValues<T>(shapeK.count(), 2);
        v = randomValues<T>(shapeK.count(), 3);
        dOut = randomValues<T>(shapeQ.count(), 4);
        bias = randomValues<Sum>(shapeBias.count(), 5, 0.5F);
        if (c.options.bias == AttentionBias::Alibi) {
            for (Sum& slope : bias) slope = slope < 0 ? -slope : slope;
        }
        out.resize(q.size());
        dQ.resize(q.size());
        dK.resize(k.size());
        dV.resize(v.size());
        logSumExp.resize(static_cast<size_t>(shapeQ[0] * shapeQ[1]));
        dBias.resize(bias.size());
    }

    bool hasBiasGradient() const {
        return problem.options.bias == AttentionBias::DistanceTable || problem.options.bias == AttentionBias::Dense;
    }
    ConstView biasView() {
        return shapeBias.rank() == 0 ? ConstView{} : ConstView{bias.data(), dtypeOf<Sum>(), shapeBias};
    }

    AttentionForwardArgs forwardArgs() {
        return {.q = viewOf(q, shapeQ),
                .k = viewOf(k, shapeK),
                .v = viewOf(v, shapeK),
                .bias = biasView(),
                .cuSeqlensQ = boundsQ,
                .cuSeqlensK = boundsK,
                .out = viewOf(out, shapeQ),
                .logSumExp = viewOf(logSumExp, {shapeQ[0], shapeQ[1]}),
                .options = problem.options};
    }

    AttentionBackwardArgs backwardArgs() {
        AttentionBackwardArgs args{.q = viewOf(q, shapeQ),
                                   .k = viewOf(k, shapeK),
                                   .v = viewOf(v, shapeK),
                                   .bias = biasView(),
                                   .out = viewOf(out, shapeQ),
                                   .logSumExp = viewOf(logSumExp, {shapeQ[0], shapeQ[1]}),
                                   .dOut = viewOf(dOut, shapeQ),
                                   .cuSeqlensQ = boundsQ,
                                   .cuSeqlensK = boundsK,
                                   .dQ = viewOf(dQ, shapeQ),
                                   .dK = viewOf(dK, shapeK),
                                   .dV = viewOf(dV, shapeK),
                                   .options = problem.options};
        if (hasBiasGradient()) args.dBias = viewOf(dBias, shapeBias);
        return args;
    }

    void forward(const Context& context) { attentionForward(context, forwardArgs()); }
    void backward(const Context& context) {
        std::fill(dBias.begin(), dBias.end(), Sum{0});
        attentionBackward(context, backwardArgs());
    }
};

}  // namespace wb::kernels::testing
