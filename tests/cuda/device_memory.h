// SPDX-License-Identifier: Apache-2.0
// Host arrays as the tensors of one call on a device.
#pragma once

#include "kernels/runtime/op_table.h"
#include "kernels/runtime/runtime.h"

#include <utility>
#include <vector>

namespace wb::kernels::testing {

class DeviceMemory {
public:
    explicit DeviceMemory(const Context& context) : m_context(context) {}

    // A copy on the device. Absent views stay absent.
    View place(const View& host) {
        if (!host.isPresent()) return host;
        Buffer device = m_context.allocator->allocate(host.bytes(), MemoryOwner::Activations);
        const View view{device.data(), host.dtype, host.shape};
        m_context.ops->copyFromHost(m_context, view.data, host.data, host.bytes());
        m_placed.push_back({host, std::move(device)});
        return view;
    }
    ConstView place(const ConstView& host) {
        return place(View{const_cast<void*>(host.data), host.dtype, host.shape});  // written back unchanged
    }
    // Copies everything back to where it came from.
    void bringHome() {
        for (const auto& [host, device] : m_placed)
            m_context.ops->copyToHost(m_context, host.data, device.data(), host.bytes());
        m_placed.clear();
    }

private:
    const Context& m_context;
    std::vector<std::pair<View, Buffer>> m_placed;
};

}  // namespace wb::kernels::testing
