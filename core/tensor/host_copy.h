// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core/tensor/tensor.h"
#include "kernels/runtime/host_read.h"

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

namespace wb::core {

// Values of a small tensor on their way to the host while the device works on. One copy at a time. Engine thread only;
// the context must outlive it.
class HostCopy {
public:
    HostCopy(const kernels::Context& context, size_t capacityBytes);

    // Copies what the tensor will hold once the device has done everything it was given so far.
    void start(const Tensor& tensor);
    // The values of the last copy, valid until the next; waits for them alone. Zeros on the plan device.
    template <class T>
    std::span<const T> wait() {
        return {static_cast<const T*>(m_read ? m_read->wait() : m_zeros.data()), m_bytes / sizeof(T)};
    }

private:
    std::unique_ptr<kernels::HostRead> m_read;  // absent on the plan device
    std::vector<std::byte> m_zeros;
    size_t m_bytes = 0;
};

}  // namespace wb::core
