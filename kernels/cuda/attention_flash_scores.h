// SPDX-License-Identifier: Apache-2.0
// From a dot product to the score of the softmax, for the flash kernels: scale, soft cap, bias.
#pragma once

#include "kernels/cuda/attention_geometry.h"

namespace wb::kernels::cuda {

inline constexpr float kLog2E = 1.4426950408889634F;
inline constexpr float kLn2 = 0.6931471805599453F;

// What of a bias a kernel is compiled for; ALiBi costs so little that it is decided at run time.
enum class FlashBias { NoneOrAlibi, Table, Dense };

// Scores of one query head. A score is value() * exponent in powers of two. Where scaling is all that happens, value()
// is the dot product itself and the scale rides on the exponent.
template <class T, FlashBias kBias>
struct ScoreRule {
    AttentionBiasData bias;
    const float* strip = nullptr;  // a piece of the head's distance table in shared memory
    int stripStart = 0;            // distance of its first entry
    int head = 0;
    float scale = 0;
    float softCap = 0;
    float inverseCap = 0;  // 1 / softCap, 0 without a cap
    float slope = 0;
    bool isPlain = false;
    float exponent = kLog2E;

    __device__ ScoreRule(const AttentionRule& rule, int queryHead)
        : bias(rule.bias), head(queryHead), scale(rule.scale), softCap(rule.softCap) {
        if (softCap != 0.0F) inverseCap = 1.0F / softCap;
        const bool isAlibi = kBias == FlashBias::NoneOrAlibi && bias.kind == AttentionBias::Alibi;
        if (isAlibi) slope = bias.template at<T>(head);
        isPlain = kBias == FlashBias::NoneOrAlibi && !isAlibi && softCap == 0.0F && scale > 0.0F;
        if (isPlain) exponent = scale * kLog2E;
    }

    // tanh(x) = 1 - 2 / (exp(2 x) + 1), exact to some 2^-23 of 1: what a score needs.
    __device__ static float fastTanh(float x) {
        return 1.0F - __fdividef(2.0F, exp2Approximately(2.0F * kLog2E * x) + 1.0F);
    }
    // The capped product, of which `value` is the biased one; the slope of the cap is 1 - (capped / softCap)^2.
    __device__ float capped(float product) const {
        const float scaled = product * scale;
        return softCap == 0.0F ? scaled : softCap * fastTanh(scaled * inverseCap);
    }
    __device__ float capSlope(float cappedProduct) const {
        const float ratio = cappedProduct * inverseCap;
        return 1.0F - ratio * ratio;
    }
    // row: of the query in the packed batch; only of a pair that exists.
    __device__ float biasOf(int64_t row, int position, int key) const {
        if constexpr (kBias == FlashBias::Table) return strip[key - position - stripStart];
        if constexpr (kBias == FlashBias::Dense) return bias.template at<T>(bias.denseIndex(head, row, key));
        return -slope * static_cast<float>(abs(position - key));
    }

    // The threads of a block read the piece of the table for distances start .. start + count.
    __device__ void fillStrip(float* shared, int start, int count, int numThreads) const {
        for (int i = static_cast<int>(threadIdx.x); i < count; i += numThreads) {
            shared[i] = bias.template at<T>(bias.tableIndex(head, start + i));
        }
    }
    __device__ void useStrip(const float* shared, int start) {
        strip = shared;
        stripStart = start;
    }
};

}  // namespace wb::kernels::cuda
