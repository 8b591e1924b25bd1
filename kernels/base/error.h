// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdexcept>
#include <string>

namespace wb {

// What went wrong, so that callers can react without parsing text.
enum class ErrorCode {
    InvalidArgument,
    NotFound,
    CorruptFile,
    Unsupported,
    OutOfMemory,
    Device,
    Cancelled,
    Io,
    Internal,
};

// Stable lower-case name ("corrupt_file"), used in JSON and logs.
const char* errorCodeName(ErrorCode code);

// The one exception type of the project. The message says what, where and the numbers:
//   throw Error{ErrorCode::CorruptFile, "m.safetensors: tensor 'x' ends at 120, file has 96 bytes"};
class Error : public std::runtime_error {
public:
    Error(ErrorCode code, const std::string& message) : std::runtime_error(message), m_code(code) {}

    ErrorCode code() const { return m_code; }

private:
    ErrorCode m_code;
};

// Throws ErrorCode::Internal; used by WB_CHECK so that the failure path stays out of line.
[[noreturn]] void failCheck(const char* condition, const char* why, const char* file, int line);

}  // namespace wb

// Guards against programmer errors (never against bad input, which gets an Error of its own).
#define WB_CHECK(condition, why)                                                \
    do {                                                                        \
        if (!(condition)) ::wb::failCheck(#condition, why, __FILE__, __LINE__); \
    } while (false)
