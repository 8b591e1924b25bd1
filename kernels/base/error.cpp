// SPDX-License-Identifier: Apache-2.0
#include "kernels/base/error.h"

#include <fmt/format.h>

namespace wb {

const char* errorCodeName(ErrorCode code) {
    switch (code) {
        case ErrorCode::InvalidArgument: return "invalid_argument";
        case ErrorCode::NotFound: return "not_found";
        case ErrorCode::CorruptFile: return "corrupt_file";
        case ErrorCode::Unsupported: return "unsupported";
        case ErrorCode::OutOfMemory: return "out_of_memory";
        case ErrorCode::Device: return "device";
        case ErrorCode::Cancelled: return "cancelled";
        case ErrorCode::Io: return "io";
        case ErrorCode::Internal: return "internal";
    }
    return "internal";
}

void failCheck(const char* condition, const char* why, const char* file, int line) {
    throw Error{ErrorCode::Internal,
                fmt::format("internal check failed: {} ({}) at {}:{}", why, condition, file, line)};
}

}  // namespace wb
