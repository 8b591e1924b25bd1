// SPDX-License-Identifier: Apache-2.0
// The optimiser on the device beside the CPU's: the same roundings in the same order, so the same bits.
#include "kernels/base/philox.h"
#include "kernels/optimizer.h"
#include "kernels/runtime/op_table.h"
#include "kernels/runtime/runtime.h"
#include "kernels/step_summary.h"
#include "tests/cuda/device_bank.h"

#include <gtest/gtest.h>
#include <limits>

namespace wb::kernels {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

// A buffer of one runtime, filled and read through its own copies.
class DeviceArray {
public:
    DeviceArray(const Context& context, const std::vector<float>& values)
        : DeviceArray(context, DType::F32, values.data(), values.size() * sizeof(float), values.size()) {}
    DeviceArray(const Context& context, DType dtype, const void* values, size_t bytes, size_t count)
        : m_context(context),
          m_buffer(context.allocator->allocate(bytes, MemoryOwner::Weights)),
          m_dtype(dtype),
          m_shape{static_cast<int64_t>(count)} {
        if (bytes > 0) context.ops->copyFromHost(context, m_buffer.data(), values, bytes);
    }

    View view() const { return {m_buffer.data(), m_dtype, m_shape}; }
    std::vector<uint8_t> bytes() const {
        std::vector<uint8_t> bytes(m_buffer.bytes());
        if (!bytes.empty()) m_context.ops->copyToHost(m_context, bytes.data(), m_buffer.data(), bytes.size());
        return bytes;
    }

private:
    const Context& m_context;
    Buffer m_buffer;
    DType m_dtype;
    Shape m_shape;
};

std::vector<float> noise(size_t count, uint64_t seed, float low, float high) {
    std::vector<float> values(count);
    for (size_t i = 0; i < count; ++i) values[i] = low + (high - low) * philoxUnit(philoxWord(seed, i));
    return values;
}

// The tensors of a sweep on one runtime: F32 and 16-bit parameters in turn.
struct Sweep {
    struct Tensor {
        std::vector<DeviceArray> arrays;  // parameter, gradient, m, v, and the master if there is one
    };

    Sweep(const Context& context, std::span<const size_t> counts, DType shortType) : m_context(context) {
        uint64_t seed = 1;
        for (const size_t count : counts) {
            const bool isShort = seed % 2 == 0 && shortType != DType::F32;
            const std::vector<float> start = noise(count, 100 + seed, -2, 2);
            const std::vector<uint16_t> halves(count, 0x7FFF);
            Tensor tensor;
            if (isShort) {
                tensor.arrays.emplace_back(context, shortType, halves.data(), 2 * count, count);
            } else {
                tensor.arrays.emplace_back(context, start);
            }
            tensor.arrays.emplace_back(context, noise(count, 200 + seed, -1, 1));
            tensor.arrays.emplace_back(context, noise(count, 300 + seed, -0.1F, 0.1F));
            tensor.arrays.emplace_back(context, noise(count, 400 + seed, 0, 0.1F));
            if (isShort) tensor.arrays.emplace_back(context, start);
            m_tensors.push_back(std::move(tensor));
            ++seed;
        }
    }

    void run(float scale, int64_t step) const {
        std::vector<AdamWTensor> tensors;
        for (const Tensor& tensor : m_tensors) {
            tensors.push_back({.parameter = tensor.arrays[0].view(),
                               .master = tensor.arrays.size() > 4 ? tensor.arrays[4].view() : View{},
                               .gradient = tensor.arrays[1].view(),
                               .m = tensor.arrays[2].view(),
                               .v = tensor.arrays[3].view(),
                               .weightDecay = tensors.size() % 3 == 0 ? 0.1F : 0.0F});
        }
        const DeviceArray factor(m_context, {scale});
        adamW(m_context, {.tensors = tensors, .gradientScale = factor.view(), .learningRate = 0.01F, .step = step});
    }

    std::vector<std::vector<uint8_t>> bytes() const {
        std::vector<std::vector<uint8_t>> all;
        for (const Tensor& tensor : m_tensors) {
            for (const DeviceArray& array : tensor.arrays) all.push_back(array.bytes());
        }
        return all;
    }

private:
    const Context& m_context;
    std::vector<Tensor> m_tensors;
};

class DeviceOptimizerTest : public ::testing::TestWithParam<DType> {
protected:
    void SetUp() override {
        if (const std::string reason = testing::missingDevice(); !reason.empty()) GTEST_SKIP() << reason;
        m_device = std::make_unique<Runtime>(RuntimeOptions{.device = {DeviceType::Cuda}});
    }
    Runtime m_cpu{{.numThreads = 1}};
    std::unique_ptr<Runtime> m_device;
    // Around the edges of a pack, of a block's chunk and of the table; and none at all.
    const std::vector<size_t> m_counts{1, 4095, 4096, 4097, 3, 0, 20001, 8, 5};
};

INSTANTIATE_TEST_SUITE_P(ShortTypes, DeviceOptimizerTest, ::testing::Values(DType::F32, DType::BF16),
                         [](const auto& type) { return std::string(dtypeName(type.param)); });

TEST_P(DeviceOptimizerTest, aSweepHasTheBitsOfTheCpu) {
    const Sweep host(m_cpu.context(), m_counts, GetParam());
    const Sweep device(m_device->context(), m_counts, GetParam());
    for (int64_t step = 1; step <= 3; ++step) {
        host.run(0.75F, step);
        device.run(0.75F, step);
        EXPECT_EQ(device.bytes(), host.bytes()) << step;
    }
}

TEST_P(DeviceOptimizerTest, aScaleThatIsNotFiniteLeavesEverythingAlone) {
    const Sweep sweep(m_device->context(), m_counts, GetParam());
    const auto before = sweep.bytes();
    for (const float scale : {kNan, std::numeric_limits<float>::infinity()}) {
        sweep.run(scale, 1);
        EXPECT_EQ(sweep.bytes(), before) << scale;
    }
    sweep.run(1.0F, 1);
    EXPECT_NE(sweep.bytes(), before);
}

// Every step number, also of what must not count; the norm of numbers whose squares leave F32.
TEST_P(DeviceOptimizerTest, aStepIsSummedUpAsOnTheCpu) {
    const auto summary = [](const Context& context, std::vector<float> losses, std::vector<float> gradient) {
        const DeviceArray loss(context, losses);
        const DeviceArray values(context, gradient);
        const double begun = 2;
        const DeviceArray sum(context, DType::F64, &begun, sizeof(begun), 1);
        const DeviceArray norm(context, {77.0F});
        const DeviceArray out(context, {77.0F, 77.0F, 77.0F});
        const std::vector<ConstView> views{values.view(), loss.view()};
        lossSum(context, {.losses = loss.view(), .sum = sum.view(), .accumulates = true});
        globalNorm(context, {.tensors = views, .out = norm.view(), .workspace = {}});
        stepSummary(context, {.lossSum = sum.view(),
                              .gradientNorm = norm.view(),
                              .labelTokens = 11,
                              .clipNorm = 1.0F,
                              .out = out.view()});
        return out.bytes();
    };
    for (const float part : {1.0F, 1e25F, std::numeric_limits<float>::infinity(), kNan}) {
        for (const bool inLosses : {false, true}) {
            std::vector<float> losses = noise(600, 5, 0, 8);
            std::vector<float> gradient = noise(70000, 6, -1, 1);
            (inLosses ? losses : gradient)[555] = part;
            EXPECT_EQ(summary(m_device->context(), losses, gradient), summary(m_cpu.context(), losses, gradient))
                << part << inLosses;
        }
    }
}

}  // namespace
}  // namespace wb::kernels
