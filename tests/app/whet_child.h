// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "tests/support/temporary_folder.h"

namespace wb::test {

// A running `whet` whose input and output the test holds. Killed with SIGKILL if it outlives the object.
class WhetChild {
public:
    explicit WhetChild(const std::vector<std::string>& arguments);
    WhetChild(const WhetChild&) = delete;
    WhetChild& operator=(const WhetChild&) = delete;
    ~WhetChild();

    // Writes to its standard input. False if nobody reads there any more.
    bool send(const std::string& bytes);
    void closeInput();
    // The next line of its standard output; nothing at its end, or after `timeout`.
    std::optional<std::string> readLine(std::chrono::milliseconds timeout = std::chrono::minutes(5));

    pid_t pid() const { return m_pid; }
    void signal(int number) const;
    // True if it ended within the time.
    bool endsWithin(std::chrono::duration<double> time) const;
    // Its exit code, or 128 + signal. Waits.
    int wait();
    std::string log() const { return readText(m_folder / "err"); }

private:
    TemporaryFolder m_folder;
    pid_t m_pid = -1;
    int m_pidFile = -1;
    int m_input = -1;
    int m_output = -1;
    std::string m_buffer;
    std::optional<int> m_exitCode;
};

}  // namespace wb::test
