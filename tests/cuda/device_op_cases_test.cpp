// SPDX-License-Identifier: Apache-2.0
// Every op of the CUDA table over the table of cases: against the CPU's double oracle, against itself, and with the
// memory that was planned. An op that CUDA does not have skips its cases by name.
#include "kernels/base/error.h"
#include "kernels/runtime/runtime.h"
#include "tests/cuda/device_bank.h"
#include "tests/kernels/op_case.h"

#include <gtest/gtest.h>
#include <algorithm>
#include <cmath>

namespace wb::kernels {
namespace {

using testing::DeviceBank;
using testing::OpCase;
using testing::OpCaseTable;
using testing::TensorBank;
using testing::TensorKind;
using testing::TensorRole;
using testing::TensorSpec;

// F16 goes wherever BF16 goes.
std::vector<DType> deviceStorages(const OpCase& c) {
    std::vector<DType> storages = c.storages;
    if (std::ranges::find(storages, DType::BF16) != storages.end()) storages.push_back(DType::F16);
    return storages;
}

void runAll(const Context& context, const OpCase& c, const TensorBank& bank) {
    c.forward(context, bank);
    if (c.backward) c.backward(context, bank);
}

class DeviceOpCases : public ::testing::TestWithParam<OpCaseTable> {
protected:
    void SetUp() override {
        if (const std::string reason = testing::missingDevice(); !reason.empty()) GTEST_SKIP() << reason;
        m_device = std::make_unique<Runtime>(RuntimeOptions{.device = {DeviceType::Cuda}});
    }

    // The case on the device, with its results brought home. False if the device has no such op.
    bool run(const OpCase& c, TensorBank& bank) {
        try {
            DeviceBank moved(m_device->context(), c.tensors, bank);
            runAll(m_device->context(), c, bank);
            moved.download();
            return true;
        } catch (const Error& error) {
            if (error.code() != ErrorCode::Unsupported) throw;
            m_missing.insert(error.what());
            return false;
        }
    }

    template <class Check>
    void forCases(const Check& check) {
        for (const OpCase& c : GetParam().cases()) {
            if (c.isBenchmark) continue;
            SCOPED_TRACE(c.name);
            check(c);
        }
        if (m_missing.empty()) return;
        std::string names;
        for (const std::string& what : m_missing) names += (names.empty() ? "" : "; ") + what;
        GTEST_SKIP() << names;
    }

    void expectClose(const OpCase& c, const TensorBank& actual, const TensorBank& expected, DType storage) const {
        for (const TensorSpec& spec : c.tensors) {
            if (spec.role == TensorRole::Input) continue;
            const std::vector<double> found = actual.values(spec.name);
            const std::vector<double> wanted = expected.values(spec.name);
            double worst = 0;
            double largest = 0;
            for (size_t i = 0; i < found.size(); ++i) {
                const double difference = std::abs(found[i] - wanted[i]);
                worst = std::isnan(difference) ? difference : std::max(worst, difference);
                if (std::isnan(worst)) break;
                largest = std::max(largest, std::abs(wanted[i]));
            }
            const bool isExact = spec.kind == TensorKind::Index;
            const double allowed = isExact ? 0.0
                                           : testing::tolerance(actual.at(spec.name).dtype, storage, c) *
                                                 std::max(largest, c.naturalScale);
            EXPECT_LE(worst, allowed) << spec.name << " as " << dtypeName(storage) << ", largest value " << largest;
        }
    }

    Runtime m_cpu{{.numThreads = 2}};
    std::unique_ptr<Runtime> m_device;
    std::set<std::string> m_missing;
};

TEST_P(DeviceOpCases, matchesTheOracle) {
    forCases([&](const OpCase& c) {
        if (!c.hasOracle) return;
        TensorBank oracle(c.tensors, DType::F64);
        runAll(m_cpu.context(), c, oracle);
        for (const DType storage : deviceStorages(c)) {
            TensorBank bank(c.tensors, storage);
            if (run(c, bank)) expectClose(c, bank, oracle, storage);
        }
    });
}

TEST_P(DeviceOpCases, repeatsBitForBit) {
    forCases([&](const OpCase& c) {
        for (const DType storage : deviceStorages(c)) {
            TensorBank first(c.tensors, storage);
            TensorBank second(c.tensors, storage);
            if (!run(c, first) || !run(c, second)) continue;
            for (const TensorSpec& spec : c.tensors) {
                EXPECT_EQ(first.bytes(spec.name), second.bytes(spec.name)) << spec.name << " as " << dtypeName(storage);
            }
        }
    });
}

TEST_P(DeviceOpCases, leavesInputsAlone) {
    forCases([&](const OpCase& c) {
        for (const DType storage : deviceStorages(c)) {
            const TensorBank untouched(c.tensors, storage);
            TensorBank used(c.tensors, storage);
            if (!run(c, used)) continue;
            for (const TensorSpec& spec : c.tensors) {
                if (spec.role != TensorRole::Input) continue;
                EXPECT_EQ(untouched.bytes(spec.name), used.bytes(spec.name)) << spec.name;
            }
        }
    });
}

TEST_P(DeviceOpCases, plansTheMemoryItUses) {
    Runtime plan({.device = {DeviceType::Plan}, .planFor = {DeviceType::Cuda}});
    forCases([&](const OpCase& c) {
        for (const DType storage : deviceStorages(c)) {
            TensorBank bank(c.tensors, storage);
            int64_t peak = 0;
            try {
                const Allocator& allocator = m_device->allocator();
                DeviceBank moved(m_device->context(), c.tensors, bank);
                const int64_t tensors = allocator.stats().liveBytes;
                m_device->allocator().resetPeak();
                runAll(m_device->context(), c, bank);
                peak = allocator.stats().peakBytes - tensors;
                moved.download();
            } catch (const Error& error) {
                if (error.code() != ErrorCode::Unsupported) throw;
                m_missing.insert(error.what());
                continue;
            }
            TensorBank planned(c.tensors, storage);
            for (const TensorSpec& spec : c.tensors) {
                const View view = planned.at(spec.name);
                planned.replace(spec.name, {nullptr, view.dtype, view.shape});
            }
            plan.allocator().resetPeak();
            runAll(plan.context(), c, planned);
            EXPECT_EQ(plan.allocator().stats().peakBytes, peak) << dtypeName(storage);
        }
    });
}

INSTANTIATE_TEST_SUITE_P(Kernels, DeviceOpCases, ::testing::ValuesIn(testing::opCaseTables()),
                         [](const auto& table) { return std::string(table.param.name); });

}  // namespace
}  // namespace wb::kernels
