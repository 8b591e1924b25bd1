// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace wb::kernels {

enum class RotaryLayout {
    Half,        // value i is paired with i + R/2 (Hugging Face)
    Interleaved  // value 2i is paired with 2i + 1 (GPT-J)
};

}  // namespace wb::kernels
