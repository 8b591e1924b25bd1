// SPDX-License-Identifier: Apache-2.0
// The tensors of an op case in the memory of a device.
#pragma once

#include "kernels/runtime/runtime.h"
#include "tests/kernels/op_case.h"

#include <vector>

namespace wb::kernels::testing {

// Why there is no CUDA device to test on; empty if there is one.
std::string missingDevice();

// While it lives, the views of `bank` lie on the device, until download() brings the values back.
class DeviceBank {
public:
    DeviceBank(const Context& context, const std::vector<TensorSpec>& specs, TensorBank& bank);
    ~DeviceBank();
    DeviceBank(const DeviceBank&) = delete;
    DeviceBank& operator=(const DeviceBank&) = delete;

    // Waits for the device.
    void download();

private:
    struct Moved {
        std::string name;
        View host;
        Buffer device;
    };

    const Context& m_context;
    TensorBank& m_bank;
    std::vector<Moved> m_moved;
};

}  // namespace wb::kernels::testing
