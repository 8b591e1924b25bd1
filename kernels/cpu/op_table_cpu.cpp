// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/cpu_ops.h"

namespace wb::kernels {
namespace {

OpTable makeCpuOpTable() {
    OpTable table;
    return table;
}

}  // namespace

const OpTable& cpuOpTable() {
    static const OpTable table = makeCpuOpTable();
    return table;
}

}  // namespace wb::kernels
