// SPDX-License-Identifier: Apache-2.0
// What the tests of core share: the shared data and the look at errors.
#pragma once

#include "kernels/base/error.h"
#include "tests/support/temporary_folder.h"

#include <gtest/gtest.h>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace wb::test {

// A file or folder of the shared test data, which is no part of the project.
inline std::filesystem::path sharedData(std::string_view name) {
    const char* folder = std::getenv("WHETBENCH_SHARED_DATA");
    const std::filesystem::path root = folder != nullptr
                                           ? std::filesystem::path(folder)
                                           : std::filesystem::path(WHETBENCH_SOURCE_DIR) / "../shared/data";
    return root / name;
}

// The error a call throws: its code, and its text for a look at what it names.
struct Failure {
    ErrorCode code = ErrorCode::Internal;
    std::string text;

    bool names(std::string_view part) const { return text.find(part) != std::string::npos; }
};

inline std::optional<Failure> failureOf(const std::function<void()>& action) {
    try {
        action();
    } catch (const Error& error) {
        return Failure{error.code(), error.what()};
    }
    return std::nullopt;
}

}  // namespace wb::test

// Skips the running test by the name of the missing file.
#define WB_NEED_SHARED_DATA(variable, name)                              \
    const std::filesystem::path variable = ::wb::test::sharedData(name); \
    if (!std::filesystem::exists(variable)) GTEST_SKIP() << variable.string() << " is not here"
// The action must throw an Error of this code whose text contains the part.
#define WB_EXPECT_ERROR(action, expectedCode, part)                                                         \
    do {                                                                                                    \
        const auto failure = ::wb::test::failureOf([&] { action; });                                        \
        ASSERT_TRUE(failure.has_value()) << "no error from " #action;                                       \
        EXPECT_EQ(errorCodeName(failure->code), std::string(errorCodeName(expectedCode))) << failure->text; \
        EXPECT_TRUE(failure->names(part)) << "'" << failure->text << "' lacks '" << (part) << "'";          \
    } while (false)
