// SPDX-License-Identifier: Apache-2.0
// What `whet bench cuda` times, as data: the command runs these rows, tests/peers/torch_peers.py reads them from its
// answer and runs the same shapes.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace wb::app {

enum class CudaBenchKind { Attention, Gemm, Train, Decode, ColdStart };
enum class CudaBenchPass { Forward, Backward, ForwardBackward };
// Full is for a data-centre GPU; Tiny takes moments on anything and measures nothing.
enum class CudaBenchSizes { Full, Tiny };

struct CudaBenchRow {
    std::string name;
    CudaBenchKind kind = CudaBenchKind::Attention;

    // Attention: one sequence of each length, BF16. The bias is T5's: 32 buckets of distances, with its gradient, and
    // then the scale is 1.
    CudaBenchPass pass = CudaBenchPass::Forward;
    std::vector<int64_t> lengths;
    int64_t headDim = 0;
    int64_t heads = 0;
    int64_t keyValueHeads = 0;
    bool isCausal = true;
    bool hasDistanceBias = false;

    // Gemm: x [m, k] times the transpose of weight [n, k], BF16.
    int64_t m = 0;
    int64_t n = 0;
    int64_t k = 0;

    // Train, Decode, ColdStart: a shape of bench_configs.h with random weights. Decode makes `tokens` new ones of each
    // of `sequences`; the others take steps of `sequences` sequences of `tokens`.
    std::string config;
    std::string method;  // "full", "lora"
    int64_t sequences = 0;
    int64_t tokens = 0;
};

std::vector<CudaBenchRow> cudaBenchRows(CudaBenchSizes sizes);

const char* passName(CudaBenchPass pass);

// The fields that say what a row is, under the names docs/benchmarks/README.md gives.
nlohmann::ordered_json cudaBenchRowJson(const CudaBenchRow& row);

}  // namespace wb::app
