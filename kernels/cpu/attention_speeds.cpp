// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/attention_speeds.h"

#include "kernels/cpu/cpu_features.h"

#include <array>
#include <cmath>
#include <span>
#include <string_view>

namespace wb::kernels::cpu {
namespace {

struct Row {
    DType dtype;
    int16_t headDim;
    int16_t length;
    // Flash, memory_efficient: forward, then backward.
    int16_t forwardFlash, forwardEfficient;
    int16_t backwardFlash, backwardEfficient;
};

// Measured 2026-11-20, best of 6 to 200 interleaved runs, on 2 threads of an Intel Xeon (family 6, model 207; F32
// ceiling 350 GFLOP/s), GCC 12.2 -O3, one causal sequence of 8 query and 4 key heads; `whet bench attention` prints the
// same points.
constexpr std::array kAvx512{
    Row{DType::F32, 16, 128, 60, 33, 61, 43},        Row{DType::F32, 16, 512, 156, 89, 182, 99},
    Row{DType::F32, 16, 2048, 194, 108, 219, 107},   Row{DType::F32, 32, 128, 93, 61, 91, 80},
    Row{DType::F32, 32, 512, 210, 138, 215, 159},    Row{DType::F32, 32, 2048, 250, 177, 194, 178},
    Row{DType::F32, 64, 128, 125, 91, 124, 110},     Row{DType::F32, 64, 512, 234, 195, 252, 209},
    Row{DType::F32, 64, 2048, 247, 225, 231, 189},   Row{DType::F32, 128, 128, 147, 115, 138, 129},
    Row{DType::F32, 128, 512, 216, 199, 258, 228},   Row{DType::F32, 128, 2048, 252, 217, 206, 201},
    Row{DType::F32, 256, 128, 95, 141, 104, 143},    Row{DType::F32, 256, 512, 201, 213, 172, 196},
    Row{DType::F32, 256, 2048, 214, 226, 211, 207},  Row{DType::BF16, 16, 128, 66, 34, 64, 47},
    Row{DType::BF16, 16, 512, 156, 91, 190, 109},    Row{DType::BF16, 16, 2048, 195, 103, 186, 114},
    Row{DType::BF16, 32, 128, 98, 59, 94, 78},       Row{DType::BF16, 32, 512, 227, 162, 242, 190},
    Row{DType::BF16, 32, 2048, 234, 186, 275, 186},  Row{DType::BF16, 64, 128, 130, 93, 122, 108},
    Row{DType::BF16, 64, 512, 252, 199, 261, 208},   Row{DType::BF16, 64, 2048, 262, 207, 233, 189},
    Row{DType::BF16, 128, 128, 141, 111, 134, 126},  Row{DType::BF16, 128, 512, 263, 216, 269, 227},
    Row{DType::BF16, 128, 2048, 245, 216, 223, 202}, Row{DType::BF16, 256, 128, 98, 140, 110, 149},
    Row{DType::BF16, 256, 512, 174, 188, 166, 203},  Row{DType::BF16, 256, 2048, 220, 209, 211, 207},
};

// The same machine with WHETBENCH_ISA=avx2.
constexpr std::array kAvx2{
    Row{DType::F32, 16, 128, 37, 22, 50, 28},        Row{DType::F32, 16, 512, 96, 70, 115, 71},
    Row{DType::F32, 16, 2048, 110, 87, 128, 67},     Row{DType::F32, 32, 128, 60, 45, 63, 51},
    Row{DType::F32, 32, 512, 122, 104, 125, 92},     Row{DType::F32, 32, 2048, 138, 112, 126, 90},
    Row{DType::F32, 64, 128, 78, 60, 77, 66},        Row{DType::F32, 64, 512, 125, 111, 135, 111},
    Row{DType::F32, 64, 2048, 134, 130, 127, 106},   Row{DType::F32, 128, 128, 87, 72, 86, 77},
    Row{DType::F32, 128, 512, 132, 130, 140, 119},   Row{DType::F32, 128, 2048, 131, 133, 123, 120},
    Row{DType::F32, 256, 128, 67, 82, 74, 85},       Row{DType::F32, 256, 512, 116, 124, 92, 103},
    Row{DType::F32, 256, 2048, 128, 135, 128, 124},  Row{DType::BF16, 16, 128, 42, 28, 46, 34},
    Row{DType::BF16, 16, 512, 94, 72, 126, 70},      Row{DType::BF16, 16, 2048, 116, 86, 122, 76},
    Row{DType::BF16, 32, 128, 69, 49, 71, 58},       Row{DType::BF16, 32, 512, 119, 91, 134, 104},
    Row{DType::BF16, 32, 2048, 125, 108, 132, 96},   Row{DType::BF16, 64, 128, 78, 61, 79, 68},
    Row{DType::BF16, 64, 512, 142, 112, 136, 115},   Row{DType::BF16, 64, 2048, 140, 130, 130, 115},
    Row{DType::BF16, 128, 128, 95, 77, 99, 87},      Row{DType::BF16, 128, 512, 134, 115, 122, 113},
    Row{DType::BF16, 128, 2048, 140, 125, 132, 117}, Row{DType::BF16, 256, 128, 68, 82, 75, 86},
    Row{DType::BF16, 256, 512, 121, 114, 102, 112},  Row{DType::BF16, 256, 2048, 133, 132, 128, 128},
};

// How far apart two sizes are: doubling counts the same everywhere.
double apart(int64_t a, int64_t b) {
    return std::abs(std::log2(static_cast<double>(a < 1 ? 1 : a)) - std::log2(static_cast<double>(b < 1 ? 1 : b)));
}

std::span<const Row> rowsOfThisProcess() {
    const std::string_view isa = cpuFeatures().isa;
    if (isa == "avx2" || isa == "sse4") return kAvx2;
    return kAvx512;
}

}  // namespace

AttentionSpeeds measuredAttentionSpeeds(DType dtype, int64_t headDim, int64_t length, bool isBackward) {
    const Row* best = nullptr;
    double bestDistance = 0;
    for (const Row& row : rowsOfThisProcess()) {
        if (row.dtype != dtype) continue;
        // The head dim decides more than the length does.
        const double distance = 2 * apart(row.headDim, headDim) + apart(row.length, length);
        if (best != nullptr && distance >= bestDistance) continue;
        best = &row;
        bestDistance = distance;
    }
    if (best == nullptr) return {};
    return {.headDim = best->headDim,
            .length = best->length,
            .flash = static_cast<double>(isBackward ? best->backwardFlash : best->forwardFlash),
            .memoryEfficient = static_cast<double>(isBackward ? best->backwardEfficient : best->forwardEfficient)};
}

}  // namespace wb::kernels::cpu
