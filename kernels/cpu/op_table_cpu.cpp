// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/cpu_ops.h"

namespace wb::kernels {
namespace {

OpTable makeCpuOpTable() {
    OpTable table;
    table.attentionForwardMath.run = cpu::attentionForwardMath;
    table.attentionBackwardMath.run = cpu::attentionBackwardMath;
    table.kvCacheStore.run = cpu::kvCacheStore;
    table.pagedAttention.run = cpu::pagedAttention;
    return table;
}

}  // namespace

const OpTable& cpuOpTable() {
    static const OpTable table = makeCpuOpTable();
    return table;
}

}  // namespace wb::kernels
