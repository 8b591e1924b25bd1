// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/attention.h"

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace wb::app {

// What `whet bench attention` varies. One causal sequence of each length; grouped queries if heads differ.
struct AttentionSweep {
    DType dtype = DType::F32;
    std::vector<int64_t> lengths{128, 256, 512, 1024, 2048};
    std::vector<int64_t> headDims{32, 64, 128};
    std::vector<kernels::AttentionBackend> backends{kernels::AttentionBackend::Math, kernels::AttentionBackend::Flash};
    int64_t numHeads = 4;
    int64_t keyValueHeads = 2;
    int repeats = 5;  // at most; the median counts, and a figure takes no more than about a second
};

// One direction of one point of the sweep.
struct AttentionTiming {
    std::string pass;  // "forward" or "backward"
    int64_t length = 0;
    int64_t headDim = 0;
    double seconds = 0;     // median; 0 where the backend refused
    double gflops = 0;      // GFLOP/s over the pairs a causal query sees, 4 (backward: 10) FLOP a pair and dimension
    int64_t peakBytes = 0;  // of the workspace
    std::string backend;
    std::string reason;  // why the backend ran or refused
};

// Runs the sweep on a device with `numThreads` threads (0: all). A backend that cannot run a point is reported with its
// reason and no time.
std::vector<AttentionTiming> timeAttention(Device device, int numThreads, const AttentionSweep& sweep);

// [{"pass", "length", "head_dim", "seconds", "gflops", "peak_bytes", "backend", "reason"}].
nlohmann::ordered_json attentionTimingsJson(const std::vector<AttentionTiming>& timings);

}  // namespace wb::app
