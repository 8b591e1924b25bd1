// SPDX-License-Identifier: Apache-2.0
#include "training/optimizers/adamw.h"

#include "kernels/adamw8bit.h"
#include "kernels/elementwise.h"
#include "kernels/optimizer.h"
#include "kernels/step_summary.h"

namespace wb::training {

using core::Tensor;
using kernels::MemoryOwner;

namespace {

bool hasFewBits(const core::Parameter& parameter) {
    const Shape& shape = parameter.value.shape();
    return parameter.value.dtype() != DType::F64 && shape.rank() > 1 && shape.count() >= kLeast8bitCount &&
           !parameter.isLookedUp;
}

}  // namespace

AdamW::AdamW(const kernels::Context& context, std::vector<core::Parameter*> parameters, AdamWOptions options)
    : m_context(context), m_parameters(std::move(parameters)), m_options(options) {
    for (const core::Parameter* parameter : m_parameters) m_states.push_back(freshState(*parameter));
    const DType normDtype = m_parameters.empty() ? DType::F32 : m_parameters.front()->gradient.dtype();
    m_norm = Tensor::zeros(context, normDtype, Shape{1}, MemoryOwner::Optimizer);
    m_summary = Tensor::zeros(context, DType::F32, Shape{kernels::kNumStepNumbers}, MemoryOwner::Optimizer);
    refreshMasters();
}

AdamW::State AdamW::freshState(const core::Parameter& parameter) const {
    const Shape& shape = parameter.value.shape();
    const DType sums = core::gradientDtype(parameter.value.dtype());
    const auto zeros = [this](DType dtype, const Shape& of) {
        return Tensor::zeros(m_context, dtype, of, MemoryOwner::Optimizer);
    };
    State state;
    if (m_options.has8bitMoments && hasFewBits(parameter)) {
        const Shape blocks{kernels::momentBlocks(shape)};
        state = {
            zeros(DType::I8, shape), zeros(DType::U8, shape), zeros(DType::F32, blocks), zeros(DType::F32, blocks), {}};
    } else {
        state = {zeros(sums, shape), zeros(sums, shape), {}, {}, {}};
    }
    if (parameter.value.dtype() == DType::BF16) {
        state.master = Tensor::empty(m_context, DType::F32, shape, MemoryOwner::Optimizer);
    }
    return state;
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
    const Tensor scale = m_summary.rows(kernels::kStepGradientScale, kernels::kStepGradientScale + 1);
    std::vector<kernels::AdamWTensor> tensors;
    tensors.reserve(m_parameters.size());
    for (size_t i = 0; i < m_parameters.size(); ++i) {
        core::Parameter& parameter = *m_parameters[i];
        const State& state = m_states[i];
        const bool isMatrix = parameter.value.shape().rank() > 1;  // norms and biases are not decayed
        const float weightDecay = isMatrix ? m_options.weightDecay : 0.0F;
        if (!state.mScale.isPresent()) {
            tensors.push_back({.parameter = parameter.value.view(),
                               .master = state.master.view(),
                               .gradient = parameter.gradient.view(),
                               .m = state.m.view(),
                               .v = state.v.view(),
                               .weightDecay = weightDecay});
            continue;
        }
        kernels::adamW8bit(m_context, {.parameter = parameter.value.view(),
                                       .master = state.master.view(),
                                       .gradient = parameter.gradient.view(),
                                       .m = state.m.view(),
                                       .v = state.v.view(),
                                       .mScales = state.mScale.view(),
                                       .vScales = state.vScale.view(),
                                       .gradientScale = scale.view(),
                                       .learningRate = learningRate,
                                       .beta1 = m_options.beta1,
                                       .beta2 = m_options.beta2,
                                       .epsilon = m_options.epsilon,
                                       .weightDecay = weightDecay,
                                       .step = step});
    }
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
        if (m_states[i].mScale.isPresent()) {
            visit(name + ".m_scale", m_states[i].mScale);
            visit(name + ".v_scale", m_states[i].vScale);
        }
        if (m_states[i].master.isPresent()) visit(name + ".master", m_states[i].master);
    }
}

}  // namespace wb::training
