// SPDX-License-Identifier: Apache-2.0
// Q8_0: blocks of 32 values, a half-precision scale then 32 signed bytes. x = scale * byte; scale = max|x| / 127.
#include "kernels/cpu/cpu_ops.h"
#include "kernels/cpu/parallel.h"

#include "kernels/base/q8_block.h"

namespace wb::kernels::cpu {
namespace {

constexpr int64_t kBlockLength = 32;

template <class T>
void dequantizeBlocks(const Q8Block* blocks, T* out, int64_t begin, int64_t end) {
    for (int64_t b = begin; b < end; ++b) {
        const auto scale = static_cast<float>(blocks[b].scale);
        T* row = out + b * kBlockLength;
        for (size_t i = 0; i < kBlockLength; ++i) row[i] = T(scale * static_cast<float>(blocks[b].values[i]));
    }
}

}  // namespace

void dequantize(const Context& context, const DequantizeArgs& args) {
    const auto* blocks = args.quantized.as<Q8Block>();
    const int64_t count = args.quantized.shape.count() / kBlockLength;
    parallelFor(context, count, kBlockLength, [&](int64_t begin, int64_t end) {
        if (args.out.dtype == DType::BF16) {
            dequantizeBlocks(blocks, args.out.as<BFloat16>(), begin, end);
        } else {
            dequantizeBlocks(blocks, args.out.as<float>(), begin, end);
        }
    });
}

void quantize(const Context& context, const QuantizeArgs& args) {
    auto* blocks = args.out.as<Q8Block>();
    const auto* x = args.x.as<float>();
    parallelFor(context, args.x.shape.count() / kBlockLength, 4 * kBlockLength, [&](int64_t begin, int64_t end) {
        for (int64_t b = begin; b < end; ++b) blocks[b] = quantizeQ8(x + b * kBlockLength);
    });
}

}  // namespace wb::kernels::cpu
