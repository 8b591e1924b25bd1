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
};

// AdamW over a fixed list of parameters, with clipping by the global gradient norm. BF16 parameters get an F32 master
// copy. Borrows the parameters; engine thread only.
class AdamW {
public:
    // The parameters must be trainable. Masters are made from their values at the first step or by refreshMasters().
    AdamW(const kernels::Context& context, std::vector<core::Parameter*> parameters, AdamWOptions options);

    // sqrt of the sum of squares of all gradients, read to the host.
    float gradientNorm();
    // One update from the accumulated gradients, clipped if `gradientNorm` exceeds the limit; `step` counts from 1.
    void update(float learningRate, int64_t step, float gradientNorm);
    void clearGradients();

    // Copies BF16 parameters into their masters: after loading or initialising them.
    void refreshMasters();

    // Named state tensors ("<parameter>.m", ".v", ".master"), in a fixed order: what a checkpoint stores.
    void visitState(const std::function<void(const std::string& name, core::Tensor& tensor)>& visit);
    const std::vector<core::Parameter*>& parameters() const { return m_parameters; }

private:
    struct State {
        core::Tensor m;
        core::Tensor v;
        core::Tensor master;  // present for BF16 parameters
    };

    const kernels::Context& m_context;
    std::vector<core::Parameter*> m_parameters;
    AdamWOptions m_options;
    std::vector<State> m_states;
    core::Tensor m_norm;   // [1]
    core::Tensor m_scale;  // [1] F32
};

}  // namespace wb::training
