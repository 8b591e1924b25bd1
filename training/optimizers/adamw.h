// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core/autograd/parameter.h"

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace wb::training {

struct AdamWOptions {
    float beta1 = 0.9F;
    float beta2 = 0.999F;
    float epsilon = 1e-8F;
    float weightDecay = 0;
    float clipNorm = 0;  // 0: off
    // m and v of matrices from kLeast8bitCount elements on in eight bits. Tables that are looked up keep F32: most of
    // their rows rest for many steps, and small tensors save nothing (both as Dettmers et al. 2021 advise).
    bool has8bitMoments = false;
};
inline constexpr int64_t kLeast8bitCount = 4096;

// AdamW over a fixed list of parameters, with clipping by the global gradient norm. BF16 parameters get an F32 master
// copy. Borrows the parameters; engine thread only.
class AdamW {
public:
    // The parameters must be trainable. Masters are made from their values at the first step or by refreshMasters().
    AdamW(const kernels::Context& context, std::vector<core::Parameter*> parameters, AdamWOptions options);

    // What the gradients and the losses so far make of the step, left on the device: [kernels::kNumStepNumbers] F32 as
    // kernels::stepSummary says.
    //   lossSum [1] F64, of labelTokens > 0 tokens
    const core::Tensor& summarize(const core::Tensor& lossSum, int64_t labelTokens);
    // One update from the accumulated gradients, clipped as the last summary says; where its loss or norm is not
    // finite, nothing changes. `step` counts from 1.
    void update(float learningRate, int64_t step);
    void clearGradients();

    // Copies BF16 parameters into their masters: after loading or initialising them.
    void refreshMasters();

    // Named state tensors ("<parameter>.m", ".v", with eight bits ".m_scale" and ".v_scale", ".master"), in a fixed
    // order: what a checkpoint stores.
    void visitState(const std::function<void(const std::string& name, core::Tensor& tensor)>& visit);
    const std::vector<core::Parameter*>& parameters() const { return m_parameters; }

private:
    struct State {
        core::Tensor m;
        core::Tensor v;
        core::Tensor mScale;  // present with eight bits
        core::Tensor vScale;
        core::Tensor master;  // present for BF16 parameters
    };
    State freshState(const core::Parameter& parameter) const;

    const kernels::Context& m_context;
    std::vector<core::Parameter*> m_parameters;
    AdamWOptions m_options;
    std::vector<State> m_states;
    core::Tensor m_norm;     // [1]
    core::Tensor m_summary;  // [kNumStepNumbers] F32
};

}  // namespace wb::training
