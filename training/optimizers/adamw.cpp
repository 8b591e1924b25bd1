// SPDX-License-Identifier: Apache-2.0
#include "training/optimizers/adamw.h"

#include "kernels/elementwise.h"
#include "kernels/optimizer.h"
#include "kernels/step_summary.h"

namespace wb::training {

using core::Tensor;
using kernels::MemoryOwner;

AdamW::AdamW(const kernels::Context& context, std::vector<core::Parameter*> parameters, AdamWOptions options)
    : m_context(context), m_parameters(std::move(parameters)), m_options(options) {
    for (const core::Parameter* parameter : m_parameters) {
        const DType dtype = core::gradientDtype(parameter->value.dtype());
        const Shape& shape = parameter->value.shape();
        State state{Tensor::zeros(context, dtype, shape, MemoryOwner::Optimizer),
                    Tensor::zeros(context, dtype, shape, MemoryOwner::Optimizer), Tensor{}};
        if (parameter->value.dtype() == DType::BF16) {
            state.master = Tensor::empty(context, DType::F32, shape, MemoryOwner::Optimizer);
        }
        m_states.push_back(std::move(state));
    }
    const DType normDtype = m_parameters.empty() ? DType::F32 : m_parameters.front()->gradient.dtype();
    m_norm = Tensor::zeros(context, normDtype, Shape{1}, MemoryOwner::Optimizer);
    m_summary = Tensor::zeros(context, DType::F32, Shape{kernels::kNumStepNumbers}, MemoryOwner::Optimizer);
    refreshMasters();
}

void AdamW::refreshMasters() {
    for (size_t i = 0; i < m_states.size(); ++i) {
        if (!m_states[i].master.isPresent()) continue;
        kernels::cast(m_context, {.x = m_parameters[i]->value.view(), .out = m_states[i].master.view()});
    }
}

const Tensor& AdamW::summarize(const Tensor& lossSum, int64_t labelTokens) {
    std::vector<kernels::ConstView> gradients;
    gradients.reserve(m_parameters.size());
    for (core::Parameter* parameter : m_parameters) {
        gradients.push_back(core::gradientSum(m_context, *parameter).view());
    }
    kernels::globalNorm(m_context, {.tensors = gradients, .out = m_norm.view(), .workspace = {}});
    kernels::stepSummary(m_context, {.lossSum = lossSum.view(),
                                     .gradientNorm = m_norm.view(),
                                     .labelTokens = labelTokens,
                                     .clipNorm = m_options.clipNorm,
                                     .out = m_summary.view()});
    return m_summary;
}

void AdamW::update(float learningRate, int64_t step) {
    std::vector<kernels::AdamWTensor> tensors;
    tensors.reserve(m_parameters.size());
    for (size_t i = 0; i < m_parameters.size(); ++i) {
        core::Parameter& parameter = *m_parameters[i];
        const bool isMatrix = parameter.value.shape().rank() > 1;  // norms and biases are not decayed
        tensors.push_back({.parameter = parameter.value.view(),
                           .master = m_states[i].master.view(),
                           .gradient = parameter.gradient.view(),
                           .m = m_states[i].m.view(),
                           .v = m_states[i].v.view(),
                           .weightDecay = isMatrix ? m_options.weightDecay : 0.0F});
    }
    const Tensor scale = m_summary.rows(kernels::kStepGradientScale, kernels::kStepGradientScale + 1);
    kernels::adamW(m_context, {.tensors = tensors,
                               .gradientScale = scale.view(),
                               .learningRate = learningRate,
                               .beta1 = m_options.beta1,
                               .beta2 = m_options.beta2,
                               .epsilon = m_options.epsilon,
                               .step = step,
                               .workspace = {}});
}

void AdamW::clearGradients() {
    for (core::Parameter* parameter : m_parameters) parameter->isGradientUnset = true;
}

void AdamW::visitState(const std::function<void(const std::string& name, Tensor& tensor)>& visit) {
    for (size_t i = 0; i < m_states.size(); ++i) {
        const std::string& name = m_parameters[i]->name;
        visit(name + ".m", m_states[i].m);
        visit(name + ".v", m_states[i].v);
        if (m_states[i].master.isPresent()) visit(name + ".master", m_states[i].master);
    }
}

}  // namespace wb::training
