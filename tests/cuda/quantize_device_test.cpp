// SPDX-License-Identifier: Apache-2.0
// Quantised blocks on the device have the bits of the CPU's, whichever way they go.
#include "kernels/base/philox.h"
#include "kernels/quantize.h"
#include "kernels/runtime/op_table.h"
#include "tests/cuda/device_bank.h"

#include <gtest/gtest.h>
#include <cmath>
#include <cstring>

namespace wb::kernels {
namespace {

class DeviceBlocks : public ::testing::TestWithParam<DType> {
protected:
    void SetUp() override {
        if (const std::string reason = testing::missingDevice(); !reason.empty()) GTEST_SKIP() << reason;
        m_device = std::make_unique<Runtime>(RuntimeOptions{.device = {DeviceType::Cuda}});
    }

    // An array on both sides with the same first contents, and the bytes of each after some op.
    struct Twin {
        std::vector<uint8_t> host;
        Buffer device;
        DType dtype;
        Shape shape;

        View hostView() { return {host.data(), dtype, shape}; }
        View deviceView() const { return {device.data(), dtype, shape}; }
    };
    Twin twin(DType dtype, const Shape& shape, const void* contents = nullptr) {
        const size_t bytes = arrayBytes(dtype, shape);
        Twin result{std::vector<uint8_t>(bytes, 0xAB), device().allocator->allocate(bytes, MemoryOwner::Weights), dtype,
                    shape};
        if (contents != nullptr) std::memcpy(result.host.data(), contents, bytes);
        device().ops->copyFromHost(device(), result.device.data(), result.host.data(), bytes);
        return result;
    }
    void expectSame(const Twin& twin, const char* what) {
        std::vector<uint8_t> fromDevice(twin.host.size());
        device().ops->copyToHost(device(), fromDevice.data(), twin.device.data(), fromDevice.size());
        EXPECT_EQ(fromDevice, twin.host) << what << " " << dtypeName(twin.dtype) << " " << twin.shape.text();
    }
    // Blocks of noise, of zeros, with their largest value twice with either sign, of tiny and of huge numbers.
    Twin values(const Shape& shape) {
        std::vector<float> x(static_cast<size_t>(shape.count()));
        for (size_t i = 0; i < x.size(); ++i) {
            const float unit = 2 * philoxUnit(philoxWord(4, i)) - 1;
            switch (i / 64 % 6) {
                case 1: x[i] = 0; break;
                case 2: x[i] = i % 32 == 3 ? -2.0F : i % 32 == 7 ? 2.0F : unit; break;
                case 3: x[i] = unit * 1e-7F; break;
                case 4: x[i] = unit * 1e30F; break;
                case 5: x[i] = std::round(unit * 16) / 16; break;  // half way between levels
                default: x[i] = unit;
            }
        }
        return twin(DType::F32, shape, x.data());
    }
    const Context& host() { return m_host.context(); }
    const Context& device() { return m_device->context(); }

    Runtime m_host{{.numThreads = 2}};
    std::unique_ptr<Runtime> m_device;
};

TEST_P(DeviceBlocks, haveTheBitsOfTheCpu) {
    const DType rowsOf = GetParam();
    for (const auto& [rows, columns] : {std::pair<int64_t, int64_t>{1, 64}, {16, 192}, {37, 384}, {70, 64}, {0, 64}}) {
        const Shape shape{rows, columns};
        Twin x = values(shape);
        for (const DType format : {rowsOf, tilesOfRows(rowsOf)}) {
            Twin blocks = twin(format, shape);
            quantize(host(), {.x = x.hostView(), .out = blocks.hostView()});
            quantize(device(), {.x = x.deviceView(), .out = blocks.deviceView()});
            expectSame(blocks, "quantised");

            for (const DType widened : {DType::F32, DType::BF16}) {
                Twin back = twin(widened, shape);
                dequantize(host(), {.quantized = blocks.hostView(), .out = back.hostView()});
                dequantize(device(), {.quantized = blocks.deviceView(), .out = back.deviceView()});
                expectSame(back, "widened");
            }
            Twin turned = twin(format == rowsOf ? tilesOfRows(rowsOf) : rowsOf, shape);
            retile(host(), {.in = blocks.hostView(), .out = turned.hostView()});
            retile(device(), {.in = blocks.deviceView(), .out = turned.deviceView()});
            expectSame(turned, "turned");
        }
    }
}

INSTANTIATE_TEST_SUITE_P(Formats, DeviceBlocks, ::testing::Values(DType::Q8_0, DType::Q4_0, DType::NF4),
                         [](const auto& type) { return std::string(dtypeName(type.param)); });

}  // namespace
}  // namespace wb::kernels
