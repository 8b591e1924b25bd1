// SPDX-License-Identifier: Apache-2.0
#include "tests/cuda/device_bank.h"

#include "kernels/runtime/op_table.h"
#include "kernels/runtime/plugin_loader.h"

namespace wb::kernels::testing {

std::string missingDevice() {
    const PluginStatus& status = cudaPlugin();
    return status.plugin == nullptr ? status.reason : std::string();
}

DeviceBank::DeviceBank(const Context& context, const std::vector<TensorSpec>& specs, TensorBank& bank)
    : m_context(context), m_bank(bank) {
    for (const TensorSpec& spec : specs) {
        const View host = bank.at(spec.name);
        Buffer device = context.allocator->allocate(host.bytes(), MemoryOwner::Activations);
        context.ops->copyFromHost(context, device.data(), host.data, host.bytes());
        bank.replace(spec.name, {device.data(), host.dtype, host.shape});
        m_moved.push_back({spec.name, host, std::move(device)});
    }
    bank.takeUsed();
}

DeviceBank::~DeviceBank() {
    for (const Moved& tensor : m_moved) m_bank.replace(tensor.name, tensor.host);
}

void DeviceBank::download() {
    for (const Moved& tensor : m_moved) {
        m_context.ops->copyToHost(m_context, tensor.host.data, tensor.device.data(), tensor.host.bytes());
        m_bank.replace(tensor.name, tensor.host);
    }
    m_moved.clear();
}

}  // namespace wb::kernels::testing
