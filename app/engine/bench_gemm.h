// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "kernels/base/device.h"
#include "kernels/base/dtype.h"
#include "kernels/runtime/machine_peak.h"

namespace wb::app {

// One pass of a linear layer: x [tokens, inputs] times the transpose of weight [outputs, inputs], or a gradient of it.
struct GemmTiming {
    std::string pass;  // "forward", "input_gradient", "weight_gradient"
    DType dtype = DType::F32;
    int64_t tokens = 0;
    int64_t outputs = 0;
    int64_t inputs = 0;
    double seconds = 0;  // median
    double gflops = 0;
    double percentOfCeiling = 0;
    double gbPerSecond = 0;  // operands and result once
};

struct GemmSweep {
    std::vector<DType> dtypes{DType::F32, DType::BF16};
    std::vector<int64_t> tokens{1, 4, 16, 256, 512, 1024};
    int repeats = 7;  // the median counts
};

// Times the layers of a small and a middle-sized model on a device with `numThreads` threads (0: all).
std::vector<GemmTiming> timeGemm(Device device, int numThreads, const kernels::MachinePeak& peak,
                                 const GemmSweep& sweep);

// [{"pass", "dtype", "tokens", "outputs", "inputs", "seconds", "gflops", "percent_of_ceiling", "gb_per_s"}].
nlohmann::ordered_json gemmTimingsJson(const std::vector<GemmTiming>& timings);

}  // namespace wb::app
