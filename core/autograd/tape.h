// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core/autograd/recomputed.h"
#include "core/tensor/tensor.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

namespace wb::core {

// A tensor on its way through a forward pass. `node` names its gradient on the tape; -1 means no gradient is wanted.
struct Var {
    Tensor value;
    int32_t node = -1;
    std::shared_ptr<Recomputed> again{};  // makes `value` once more; null if it has to be kept

    bool needsGradient() const { return node >= 0; }
};

// What a node keeps of an input it reads in backward: the tensor, or the way to make it again.
class SavedInput {
public:
    SavedInput() = default;
    explicit SavedInput(const Var& input) : m_kept(input.again ? Tensor{} : input.value), m_again(input.again) {}

    // Absent if nothing was saved.
    Tensor value(const kernels::Context& context) const { return m_again ? m_again->value(context) : m_kept; }

private:
    Tensor m_kept;
    std::shared_ptr<Recomputed> m_again;
};

// Records coarse ops in forward order and plays their hand-written backward functions in reverse.
// Rules: no second-order gradients; a recorded tensor is never written; an op whose inputs need no gradient records
// nothing and saves nothing. Each backward function is destroyed right after it ran, so saved tensors are freed as the
// pass proceeds. Engine thread only; one tape per step.
class Tape {
public:
    // Gets the gradient of the op's output; adds to the gradients of its inputs through accumulate().
    using Backward = std::function<void(Tape&, Tensor dOut)>;

    explicit Tape(const kernels::Context& context) : m_context(context) {}

    const kernels::Context& context() const { return m_context; }

    // A node without a history: an input whose gradient the caller wants to read.
    Var leaf(Tensor value);
    // The output of an op. Call only if an input needs a gradient.
    Var record(Tensor value, Backward backward);

    // gradient(node) += part. Adds in place where nobody shares the storage; ignores node -1.
    void accumulate(int32_t node, Tensor part);
    // Removes and returns what has arrived at `node` so far; absent if nothing has.
    Tensor takeGradient(int32_t node);

    // Plays everything recorded, starting with dRoot at `root`. May be called once.
    void backward(const Var& root, Tensor dRoot);

private:
    struct Node {
        Backward backward;
        Tensor gradient;
    };

    const kernels::Context& m_context;
    std::vector<Node> m_nodes;
};

}  // namespace wb::core
