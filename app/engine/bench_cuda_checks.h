// SPDX-License-Identifier: Apache-2.0
// What `whet bench cuda` proves on the device before it times anything. The ops one by one are the tests' part
// (ctest -L cuda); here attention is swept over lengths, and whole computations are repeated.
#pragma once

#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "app/engine/bench_cuda_rows.h"
#include "kernels/base/device.h"

namespace wb::app {

struct CudaCheck {
    std::string name;
    int64_t cases = 0;
    // Of the case that came closest to its limit: error over the error allowed; above 1 it failed. Repeats have 0 or 1.
    double worst = 0;
    std::string worstCase;
    std::string why;  // why it could not run

    bool isPassed() const { return why.empty() && worst <= 1; }
};

// Attention forward and backward in BF16 against the processor's double oracle: the largest error of a sequence may be
// twice, in gradients three times, that of a plain BF16 computation of the same, plus half a rounding of the largest
// value of the sequence and a trifle of that of all. Then bit equality of `repeats` runs. `onCheck` is told of each.
std::vector<CudaCheck> checkCudaAttention(Device device, CudaBenchSizes sizes, int repeats, int threads,
                                          const std::function<void(const CudaCheck&)>& onCheck = {});

// {"name", "cases", "worst", "worst_case", "passed", "why"}.
nlohmann::ordered_json cudaCheckJson(const CudaCheck& check);

}  // namespace wb::app
