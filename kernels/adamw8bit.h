// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/runtime/context.h"
#include "kernels/runtime/view.h"

#include <cstdint>

namespace wb::kernels {

// AdamW (kernels/optimizer.h) with moments in eight bits (Dettmers et al. 2021, arXiv:2110.02861): of each 256
// neighbours of the flat parameter, m and v are levels of kernels/base/dynamic_map.h times the largest magnitude of the
// 256.
//   m = mScales level(m code), v likewise;  the step of AdamW;  scales and codes again from the new m and v, each to
//   the nearest level, but a v above zero never to zero: its weight would jump parameter F32, or BF16/F16 with a master
//   copy: `master` F32 is then the truth and parameter its rounding; F64 is Unsupported. gradient F32; m I8, v U8, same
//   shape; mScales, vScales [momentBlocks] F32. A fresh state is all zeros. gradientScale [1] F32 on the device,
//   optional; if it is not finite, nothing is written.  step counts from 1.
struct AdamW8bitArgs {
    View parameter;
    View master;
    ConstView gradient;
    View m;
    View v;
    View mScales;
    View vScales;
    ConstView gradientScale;
    float learningRate = 0;
    float beta1 = 0.9F;
    float beta2 = 0.999F;
    float epsilon = 1e-8F;
    float weightDecay = 0;
    int64_t step = 1;
};
void adamW8bit(const Context& context, const AdamW8bitArgs& args);

// Blocks of 256 elements: the length of mScales and vScales.
int64_t momentBlocks(const Shape& parameter);

}  // namespace wb::kernels
