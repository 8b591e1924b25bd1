// SPDX-License-Identifier: Apache-2.0
#include "core/tensor/host_copy.h"

#include "kernels/base/error.h"
#include "kernels/runtime/plugin_loader.h"

namespace wb::core {

HostCopy::HostCopy(const kernels::Context& context, size_t capacityBytes)
    : m_context(&context), m_bytes(capacityBytes) {
    if (context.device.type != DeviceType::Cuda) return;
    m_read.reset(kernels::requirePlugin(context.device).makeHostRead(context.stream, capacityBytes));
}

void HostCopy::start(const Tensor& tensor) {
    WB_CHECK(tensor.bytes() <= m_bytes.size(), "the tensor fits in the copy");
    m_count = tensor.bytes();
    if (m_read) return m_read->start(tensor.data(), m_count);
    copyToHost(*m_context, tensor, m_bytes.data(), m_count);
}

}  // namespace wb::core
