// SPDX-License-Identifier: Apache-2.0
#include "core/autograd/tape.h"

#include "kernels/base/error.h"
#include "kernels/elementwise.h"

#include <utility>

namespace wb::core {

Var Tape::leaf(Tensor value) {
    return record(std::move(value), nullptr);
}

Var Tape::record(Tensor value, Backward backward) {
    m_nodes.push_back({std::move(backward), {}});
    return {std::move(value), static_cast<int32_t>(m_nodes.size() - 1)};
}

void Tape::accumulate(int32_t node, Tensor part) {
    if (node < 0 || !part.isPresent()) return;
    Tensor& gradient = m_nodes[static_cast<size_t>(node)].gradient;
    if (!gradient.isPresent()) {
        gradient = std::move(part);
        return;
    }
    // An op may hand one tensor to two inputs; only a sole owner may be added to in place.
    Tensor sum = gradient.ownsStorageAlone() ? gradient
                 : part.ownsStorageAlone()
                     ? part
                     : Tensor::empty(m_context, gradient.dtype(), gradient.shape(), kernels::MemoryOwner::Activations);
    kernels::add(m_context, {.a = gradient.view(), .b = part.view(), .out = sum.view()});
    gradient = std::move(sum);
}

Tensor Tape::takeGradient(int32_t node) {
    if (node < 0) return {};
    return std::exchange(m_nodes[static_cast<size_t>(node)].gradient, {});
}

void Tape::backward(const Var& root, Tensor dRoot) {
    WB_CHECK(root.needsGradient(), "backward starts at a recorded value");
    accumulate(root.node, std::move(dRoot));
    for (size_t i = m_nodes.size(); i-- > 0;) {
        if (!m_nodes[i].backward) continue;
        // The function moves out of the node first: running it may free the tensors it saved.
        const Backward run = std::exchange(m_nodes[i].backward, nullptr);
        Tensor gradient = takeGradient(static_cast<int32_t>(i));
        if (gradient.isPresent()) run(*this, std::move(gradient));
    }
}

}  // namespace wb::core
