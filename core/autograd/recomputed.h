// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core/tensor/tensor.h"

#include <functional>
#include <utility>

namespace wb::core {

// A value of the forward pass that backward makes again, with the same bits, from what the tape keeps anyway: the
// output of an op that costs little beside the matrix products around it. Shared by all nodes that read it: the first
// makes it, the last one frees it.
class Recomputed {
public:
    using Make = std::function<Tensor(const kernels::Context&)>;

    explicit Recomputed(Make make) : m_make(std::move(make)) {}

    const Tensor& value(const kernels::Context& context) {
        if (!m_value.isPresent()) m_value = m_make(context);
        return m_value;
    }

private:
    Make m_make;
    Tensor m_value;
};

}  // namespace wb::core
