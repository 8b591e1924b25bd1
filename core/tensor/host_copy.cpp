// SPDX-License-Identifier: Apache-2.0
#include "core/tensor/host_copy.h"

#include "kernels/base/error.h"
#include "kernels/runtime/op_table.h"

namespace wb::core {

HostCopy::HostCopy(const kernels::Context& context, size_t capacityBytes) : m_zeros(capacityBytes) {
    if (context.device.type != DeviceType::Plan) m_read.reset(context.ops->makeHostRead(context, capacityBytes));
}

void HostCopy::start(const Tensor& tensor) {
    WB_CHECK(tensor.bytes() <= m_zeros.size(), "the tensor fits in the copy");
    m_bytes = tensor.bytes();
    if (m_read) m_read->start(tensor.data(), m_bytes);
}

}  // namespace wb::core
