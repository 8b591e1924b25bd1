// SPDX-License-Identifier: Apache-2.0
#include "core/format/gguf_dequantise.h"

#include "core/format/gguf_config.h"
#include "core/format/widen.h"
#include "kernels/base/error.h"

#include <fmt/format.h>

namespace wb::core {

void dequantiseGguf(GgufType type, std::span<const std::byte> bytes, std::span<float> out,
                    std::string_view tensorName) {
    const auto dtype = dtypeOfGguf(type);
    if (!dtype) {
        throw Error{
            ErrorCode::Unsupported,
            fmt::format("tensor '{}' is stored as {}; supported are F32, F16, BF16 and Q8_0, so get the model in one "
                        "of these",
                        tensorName, ggufTypeName(type))};
    }
    widenToFloat(*dtype, bytes, out, tensorName);
}

}  // namespace wb::core
