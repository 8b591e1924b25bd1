// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/attention.h"
#include "kernels/runtime/machine_peak.h"

#include <cstdint>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace wb::app {

enum class AttentionPass { Forward, ForwardBackward };

// What `whet bench attention` varies. One sequence of each length; grouped queries if heads differ.
struct AttentionSweep {
    DType dtype = DType::F32;
    std::vector<int64_t> lengths{128, 256, 512, 1024, 2048};
    std::vector<int64_t> headDims{8, 16, 32, 64, 80, 96, 128, 256};
    std::vector<kernels::AttentionBackend> backends{
        kernels::AttentionBackend::Math, kernels::AttentionBackend::MemoryEfficient, kernels::AttentionBackend::Flash};
    std::vector<AttentionPass> passes{AttentionPass::Forward, AttentionPass::ForwardBackward};
    int64_t numHeads = 4;
    int64_t keyValueHeads = 2;
    bool isCausal = true;
    int threads = 0;  // 0: all
    int repeats = 5;  // at most; the median counts, and a figure takes no more than about half a second

    int64_t figures() const;
};

struct AttentionTiming {
    AttentionPass pass = AttentionPass::Forward;
    int64_t length = 0;
    int64_t headDim = 0;
    double seconds = 0;           // median; 0 where the backend refused
    double gflops = 0;            // over the pairs that are seen: 4 FLOP a pair and dimension, 10 more backward
    double percentOfCeiling = 0;  // of matrix products
    int64_t peakBytes = 0;        // operands, results, gradients and workspace
    int64_t workspaceBytes = 0;   // of peakBytes
    std::string backend;          // that ran; for one that refused, that was asked for
    std::string reason;           // why it ran or refused
};

// Runs the sweep; `onTiming` is told of each figure as it is made. A backend that cannot run a point is reported with
// its reason and no time.
std::vector<AttentionTiming> timeAttention(Device device, const kernels::MachinePeak& peak, const AttentionSweep& sweep,
                                           const std::function<void(const AttentionTiming&)>& onTiming = {});

// {"pass", "length", "head_dim", "heads", "kv_heads", "causal", "dtype", "seconds", "gflops", "percent_of_ceiling",
// "peak_bytes", "workspace_bytes", "backend", "reason"}.
nlohmann::ordered_json attentionTimingJson(const AttentionSweep& sweep, const AttentionTiming& timing);

}  // namespace wb::app
