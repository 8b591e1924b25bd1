// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

namespace wb::test {

struct WhetResult {
    int exitCode = -1;  // 128 + signal if it was killed
    std::string out;
    std::string err;
};

// Runs the built `whet` with these arguments and waits. The environment is the test's own, with `environment`
// ("NAME=x") added, and without colours and library settings. `input` is what it reads on standard input.
WhetResult runWhet(const std::vector<std::string>& arguments, const std::vector<std::string>& environment = {},
                   const std::string& input = {});

}  // namespace wb::test
