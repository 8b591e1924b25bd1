// SPDX-License-Identifier: Apache-2.0
// AdamW with moments in eight bits on the device against the CPU's.
#include "kernels/adamw8bit.h"
#include "tests/cuda/device_bank.h"

#include <gtest/gtest.h>
#include <cmath>

namespace wb::kernels {
namespace {

using testing::DeviceBank;
using testing::OpCase;
using testing::TensorBank;
using testing::TensorRole;

// The state of both starts equal and the formulas round alike, but for processors without fused multiply-add: a code
// may then be the neighbour, and a weight differs in its last bits.
TEST(DeviceAdamW8bit, stepsAsTheCpuDoes) {
    if (const std::string reason = testing::missingDevice(); !reason.empty()) GTEST_SKIP() << reason;
    Runtime host({.numThreads = 2});
    Runtime device({.device = {DeviceType::Cuda}});
    int numCases = 0;
    for (const OpCase& c : testing::optimizerCases()) {
        if (!c.name.starts_with("adamw8bit") || c.isBenchmark) continue;
        SCOPED_TRACE(c.name);
        ++numCases;
        for (const DType storage : c.storages) {
            TensorBank expected(c.tensors, storage);
            TensorBank actual(c.tensors, storage);
            c.forward(host.context(), expected);
            DeviceBank moved(device.context(), c.tensors, actual);
            c.forward(device.context(), actual);
            moved.download();
            for (const auto& spec : c.tensors) {
                if (spec.role == TensorRole::Input) continue;
                const std::vector<double> wanted = expected.values(spec.name);
                const std::vector<double> found = actual.values(spec.name);
                const bool isCode = spec.name == "m" || spec.name == "v";
                const double relative = spec.name == "parameter" && storage == DType::BF16 ? 0x1p-7 : 1e-6;
                for (size_t i = 0; i < found.size(); ++i) {
                    const double allowed = isCode ? 1.0 : relative * std::abs(wanted[i]) + 1e-8;
                    ASSERT_NEAR(found[i], wanted[i], allowed) << spec.name << " " << i;
                }
            }
        }
    }
    EXPECT_EQ(numCases, 5);
}

}  // namespace
}  // namespace wb::kernels
