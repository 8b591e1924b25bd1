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
        return {static_cast<const T*>(m_read ? m_read->wait() : m_bytes.data()), m_count / sizeof(T)};
    }

private:
    const kernels::Context* m_context;
    std::unique_ptr<kernels::HostRead> m_read;  // where the device works behind the host
    std::vector<std::byte> m_bytes;             // elsewhere: the values
    size_t m_count = 0;                         // bytes
};

}  // namespace wb::core
